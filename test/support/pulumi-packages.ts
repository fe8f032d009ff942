// The packages of Pulumi, which lie with the stack that needs them: whether they are there, and how a test gets at them.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { it } from 'node:test'

export const STACK_FOLDER = join(import.meta.dirname, '..', '..', 'infra', 'gcp')
const missing = !existsSync(join(STACK_FOLDER, 'node_modules', '@pulumi', 'gcp'))

/** Runs `define` if the packages are installed. If not, one skipped test says so. */
export function withPulumi(define: () => void): void {
  if (!missing) define()
  else it('needs the packages of Pulumi', { skip: 'they are not installed: npm run test:tools' }, () => {})
}

/** The very copy that the stack uses. */
export const requirePulumi = createRequire(join(STACK_FOLDER, 'package.json'))
