// Prepared folders, made once and copied for every round: a loaded job, ours and bare. Preparing is never measured.
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { bare } from './limits.ts'
import { numberOf, type ProgramOptions, runProgram } from './program.ts'
import { writeTaskFile } from './task-file.ts'
import { openTemporaryFolder, type TemporaryFolder } from './temporary-folder.ts'

export const RUN: ProgramOptions = { timeoutMs: 300_000 }

export interface Template {
  readonly taskFile: string
  readonly count: number
  /** Cloud and job DB with all tasks queued. */
  readonly ours: string
  /** The same in the tables of the bare programs. */
  readonly bare: string
}

export async function makeTemplate(folder: string, count: number): Promise<Template> {
  const template = {
    taskFile: join(folder, 'tasks.json'),
    count,
    ours: join(folder, 'ours'),
    bare: join(folder, 'bare'),
  }
  await writeTaskFile(template.taskFile, count)
  await runProgram(['mkdir', '-p', template.ours, template.bare], RUN)
  await runProgram([program('load.ts'), template.ours, template.taskFile], RUN)
  await runProgram([bare('load.ts'), template.taskFile, template.bare], RUN)
  return template
}

/** A fresh copy for one round. */
export async function copyOf(path: string): Promise<TemporaryFolder> {
  const folder = await openTemporaryFolder()
  await cp(path, folder.path, { recursive: true })
  return folder
}

/** Runs a program to its end and returns its `perSecond`. */
export async function rateOf(command: readonly string[]): Promise<number> {
  return numberOf(await runProgram(command, RUN), 'perSecond')
}

/** A program of the `programs` folder. */
export function program(name: string): string {
  return join(import.meta.dirname, 'programs', name)
}
