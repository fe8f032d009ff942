// Memory of a process and of all below it, as the kernel counts it. Linux only.
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'

const PEAK_LOOK_MS = 50

export interface ProcessMemory {
  /** Pages shared by several processes are counted for each. */
  readonly rssMb: number
  /** Shared pages are divided among those who share them. */
  readonly pssMb: number
}

/** undefined where there is no /proc, or no such process. */
export async function readTreeMemory(pid: number): Promise<ProcessMemory | undefined> {
  const parents = await readParents()
  if (!parents.has(pid)) return undefined
  const tree = [pid]
  for (const member of tree) for (const [child, parent] of parents) if (parent === member) tree.push(child)
  let rssKib = 0
  let pssKib = 0
  for (const member of tree) {
    const rollup = await readFile(`/proc/${member}/smaps_rollup`, 'utf8')
    rssKib += kibOf(rollup, 'Rss')
    pssKib += kibOf(rollup, 'Pss')
  }
  return { rssMb: rssKib / 1024, pssMb: pssKib / 1024 }
}

/** Looks at the process's own high-water mark until stopped; 0 where there is no /proc. */
export function watchPeakMb(pid: number): () => number {
  let peakMb = 0
  const look = () => {
    try {
      peakMb = Math.max(peakMb, kibOf(readFileSync(`/proc/${pid}/status`, 'utf8'), 'VmHWM') / 1024 || 0)
    } catch {
      // It has ended, or there is no /proc: what was seen last stands.
    }
  }
  const timer = setInterval(look, PEAK_LOOK_MS)
  look()
  return () => {
    clearInterval(timer)
    return peakMb
  }
}

/** Parent by process id. */
async function readParents(): Promise<ReadonlyMap<number, number>> {
  const parents = new Map<number, number>()
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '') // ended meanwhile
    const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] // after the program's name, which may hold anything
    if (parent !== undefined) parents.set(Number(name), Number(parent))
  }
  return parents
}

function kibOf(rollup: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? Number.NaN)
}
