// The machine and the versions behind the numbers, in one sentence: numbers without it mean nothing.
import { readFile } from 'node:fs/promises'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'

export async function describeMachine(): Promise<string> {
  const cpu = cpus()[0]?.model.trim() ?? 'unknown CPU'
  const gib = Math.round(totalmem() / 2 ** 30)
  const { node, sqlite } = process.versions
  const manifest = JSON.parse(await readFile(join(import.meta.dirname, 'peers', 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>
  }
  const peers = Object.entries(manifest.dependencies).map(([name, version]) => `${name} ${version}`)
  return `${cpu}, ${availableParallelism()} cores, ${gib} GiB, ${type()} ${release()}; Node ${node}, SQLite ${sqlite}; ${peers.join(', ')}.`
}
