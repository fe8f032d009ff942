// `npm run test:tools`: installs the emulators of clouds that are Python or Go programs, into a folder of the checkout. Says
// nothing and takes no time when they are there. And the packages of the CDK and of Pulumi, into theirs. Without Go the tests that need it are skipped, and say so.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const SEE_ABOVE = 'See the lines above, then run it again.'
const GCS_SERVER = 'github.com/fsouza/fake-gcs-server@v1.56.1'
const binFolder = join(root, '.test-tools', 'bin')

installPython('requirements.txt', { folder: 'python', what: 'the test tools', megabytes: 340 })
// Apart: what the Python system wants of its packages may contradict what the emulators want.
installPython('peer-requirements.txt', { folder: 'peer', what: 'the Python system', megabytes: 310 })
if (spawnSync('go', ['version']).status === 0) {
  buildPubSubFake()
  buildGcsServer()
} else console.log('Go is not installed: the tests that need programs written in it will be skipped.')

for (const [cloud, name, megabytes] of [
  ['aws', 'aws-cdk-lib', 210],
  ['gcp', '@pulumi/gcp', 200],
] as const) {
  const folder = join(root, 'infra', cloud)
  if (existsSync(join(folder, 'node_modules', name))) continue
  console.log(`Installing the packages of stacks of ${cloud} (about ${megabytes} MB) …`)
  run('npm', ['ci', '--prefix', folder, '--no-audit', '--no-fund'], SEE_ABOVE)
}

interface Venv {
  readonly folder: string
  readonly what: string
  readonly megabytes: number
}

function installPython(requirements: string, { folder, what, megabytes }: Venv): void {
  const wanted = join(import.meta.dirname, 'test-tools', requirements)
  const venv = join(root, '.test-tools', folder)
  const installed = join(venv, 'installed.txt')
  if (existsSync(installed) && readFileSync(installed, 'utf8') === readFileSync(wanted, 'utf8')) return
  console.log(`Installing ${what} (about ${megabytes} MB, half a minute) …`)
  rmSync(installed, { force: true })
  run('python3', ['-m', 'venv', '--clear', venv], 'Install Python 3.10 or later with its venv module.')
  const pip = join(venv, 'bin', 'python')
  run(pip, ['-m', 'pip', 'install', '--quiet', '--requirement', wanted], SEE_ABOVE)
  // Written last: an installation that was killed half-way is made anew.
  copyFileSync(wanted, installed)
}

/** From its source in this repository; its packages are pinned by go.mod and go.sum. */
function buildPubSubFake(): void {
  const source = join(root, 'test', 'support', 'pubsub-fake')
  const hash = createHash('sha256')
  for (const file of readdirSync(source).sort()) hash.update(readFileSync(join(source, file)))
  const built = join(binFolder, 'pubsub-fake.sha256')
  const digest = hash.digest('hex')
  if (existsSync(built) && readFileSync(built, 'utf8') === digest) return
  console.log('Building the Pub/Sub fake (half a minute the first time) …')
  rmSync(built, { force: true })
  mkdirSync(binFolder, { recursive: true })
  run('go', ['build', '-C', source, '-o', join(binFolder, 'pubsub-fake'), '.'], SEE_ABOVE)
  writeFileSync(built, digest)
}

/** Cloud Storage; a whole program of somebody else's. */
function buildGcsServer(): void {
  const built = join(binFolder, 'fake-gcs-server.version')
  if (existsSync(built) && readFileSync(built, 'utf8') === GCS_SERVER) return
  console.log('Building fake-gcs-server (a minute the first time) …')
  rmSync(built, { force: true })
  mkdirSync(binFolder, { recursive: true })
  run('go', ['install', GCS_SERVER], SEE_ABOVE, { GOBIN: binFolder })
  writeFileSync(built, GCS_SERVER)
}

function run(program: string, args: readonly string[], advice: string, env: Record<string, string> = {}): void {
  const { status, error } = spawnSync(program, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  })
  if (status === 0) return
  console.error(
    `The test tools are not installed: ${program} ${error === undefined ? 'failed' : 'is missing'}. ${advice}`,
  )
  process.exit(1)
}
