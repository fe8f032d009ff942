// This checkout compiled as it would be published, in a folder of its own: what is in `dist` may be older.
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runProgram } from './program.ts'
import type { TemporaryFolder } from './temporary-folder.ts'

export const ROOT = join(import.meta.dirname, '..', '..')
const TIMEOUT_MS = 120_000

export async function compile(): Promise<TemporaryFolder> {
  // Beside the dependencies, so that the compiled programs find them.
  const path = join(ROOT, 'node_modules', '.cache', `cloud-tasks-bench-${process.pid}`)
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  await mkdir(path, { recursive: true })
  await runProgram([process.execPath, compiler, '-p', 'tsconfig.build.json', '--outDir', path], {
    timeoutMs: TIMEOUT_MS,
    cwd: ROOT,
  })
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
