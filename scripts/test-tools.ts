// `npm run test:tools`: installs the emulators of clouds that are Python programs, into a folder of the checkout. Says
// nothing and takes no time when they are there.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const wanted = join(import.meta.dirname, 'test-tools', 'requirements.txt')
const venv = join(root, '.test-tools', 'python')
const installed = join(venv, 'installed.txt')

if (!existsSync(installed) || readFileSync(installed, 'utf8') !== readFileSync(wanted, 'utf8')) install()

function install(): void {
  console.log('Installing the test tools (about 340 MB, half a minute) …')
  rmSync(installed, { force: true })
  run('python3', ['-m', 'venv', '--clear', venv], 'Install Python 3.10 or later with its venv module.')
  const pip = join(venv, 'bin', 'python')
  run(pip, ['-m', 'pip', 'install', '--quiet', '--requirement', wanted], 'See the lines above, then run it again.')
  // Written last: an installation that was killed half-way is made anew.
  copyFileSync(wanted, installed)
}

function run(program: string, args: readonly string[], advice: string): void {
  const { status, error } = spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  if (status === 0) return
  console.error(
    `The test tools are not installed: ${program} ${error === undefined ? 'failed' : 'is missing'}. ${advice}`,
  )
  process.exit(1)
}
