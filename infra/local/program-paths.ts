// Where this very installation has its programs, as TypeScript sources or compiled: a local VM runs what its maker runs.
import { existsSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

const EXTENSION = extname(import.meta.url)

/** Commands that every local VM has on its PATH, as arguments of Node. */
export const VM_PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  'cloud-tasks-agent': [programPath('../../agent/main')],
  'cloud-tasks': [programPath('../../manager/main')],
  node: [],
}

export const VM_HOST_PROGRAM = programPath('./vm-host')

/** Where Python finds the package `cloud_tasks`, so that a startup script may run `python3 worker.py`. */
export const VM_PYTHON_PATH = ['../../agent/python', '../../../agent/python'] // the second from dist/
  .map(folder => fileURLToPath(new URL(folder, import.meta.url)))
  .find(existsSync)

function programPath(module: string): string {
  return fileURLToPath(new URL(`${module}${EXTENSION}`, import.meta.url))
}
