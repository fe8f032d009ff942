// The machine and the versions behind the numbers, in one sentence: numbers without it mean nothing.
import { readFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import { join } from 'node:path'

/** `loadBefore`: of the last minute before the run, because a busy machine measures its other work too. */
export async function describeMachine(loadBefore: number): Promise<string> {
  const cpu = cpus()[0]?.model.trim() ?? 'unknown CPU'
  const gib = Math.round(totalmem() / 2 ** 30)
  const { node, sqlite } = process.versions
  const manifest = JSON.parse(await readFile(join(import.meta.dirname, 'peers', 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>
  }
  const peers = Object.entries(manifest.dependencies).map(([name, version]) => `${name} ${version}`)
  return `${cpu}, ${availableParallelism()} cores, ${gib} GiB, ${type()} ${release()}; load average ${loadBefore.toFixed(1)} before and ${loadAverage().toFixed(1)} after the run; Node ${node}, SQLite ${sqlite}; ${peers.join(', ')}.`
}

export function loadAverage(): number {
  return loadavg()[0] ?? Number.NaN
}
