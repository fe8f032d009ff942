// The raw media that everything else stands on, as rows of their own.
import { join } from 'node:path'
import type { Context } from './context.ts'
import { alternate } from './measure.ts'
import { numberOf, runProgram } from './program.ts'
import type { Row } from './row.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

const TIMEOUT_MS = 60_000

export async function measureLimits({ sizes, repeats, say }: Context): Promise<readonly Row[]> {
  say('raw pipes and raw SQLite')
  const medians = await alternate(
    {
      ping: () => pipe('ping', sizes.pipeTrips),
      stream: () => pipe('stream', sizes.pipeLines),
      insert: () => sqlite('insert', sizes.sqliteRows),
      update: () => sqlite('update', sizes.sqliteRows),
    },
    { repeats },
  )
  return [
    { what: 'raw pipe to a task process, one line at a time', unit: 'tasks/s', ours: medians.ping },
    { what: 'raw pipe to a task process, streamed', unit: 'tasks/s', ours: medians.stream },
    { what: 'raw SQLite, inserts of 60 bytes', unit: 'rows/s', ours: medians.insert },
    { what: 'raw SQLite, updates', unit: 'rows/s', ours: medians.update },
  ]
}

async function pipe(kind: 'ping' | 'stream', count: number): Promise<number> {
  const answer = await runProgram([bare('pipes.ts'), kind, String(count)], { timeoutMs: TIMEOUT_MS })
  return numberOf(answer, 'perSecond')
}

async function sqlite(kind: 'insert' | 'update', count: number): Promise<number> {
  await using folder = await openTemporaryFolder()
  const command = [bare('sqlite.ts'), kind, String(count), join(folder.path, 'raw.sqlite')]
  return numberOf(await runProgram(command, { timeoutMs: TIMEOUT_MS }), 'perSecond')
}

/** A program of the `bare` folder. */
export function bare(name: string): string {
  return join(import.meta.dirname, 'bare', name)
}
