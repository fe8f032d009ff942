// The emulators that `npm run test:tools` installs: where they are, or that they are missing; and how they are started so
// that none outlives its test.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'

const PYTHON_FOLDER = join(import.meta.dirname, '..', '..', '.test-tools', 'python')
const python = join(PYTHON_FOLDER, 'bin', 'python')

/** Why tests with these tools cannot run here; false = they can. For `skip`: with CI=true a skipped test fails the run. */
const toolsMissing = existsSync(join(PYTHON_FOLDER, 'installed.txt'))
  ? false
  : 'the test tools are not installed: npm run test:tools'

/** Runs `define` if the tools are there. If not, one skipped test says so. */
export function withTools(define: () => void): void {
  if (toolsMissing === false) define()
  else it('needs the test tools', { skip: toolsMissing }, () => {})
}

const BIN_FOLDER = join(import.meta.dirname, '..', '..', '.test-tools', 'bin')

/** Where a program that was built from Go is. */
export function goTool(name: string): string {
  return join(BIN_FOLDER, name)
}

/** As `withTools`, for tests with programs that were built from Go. */
export function withGoTools(names: readonly string[], define: () => void): void {
  const missing = names.filter(name => !existsSync(goTool(name)))
  if (missing.length === 0) define()
  else it('needs programs built from Go', { skip: `${missing.join(', ')}: install Go, npm run test:tools` }, () => {})
}

const ENDS_WITH_US = `
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
`

/** Python code as a process that ends when `stdin` does: at the latest when this process dies, however it dies. */
export function startPython(
  code: string,
  { env = {} }: { readonly env?: Readonly<Record<string, string>> } = {},
): ChildProcess {
  return spawn(python, ['-c', ENDS_WITH_US + code], {
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}
