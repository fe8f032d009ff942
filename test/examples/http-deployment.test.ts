// The unit files and Dockerfiles of examples/deployment, as far as they can be checked without a system to install them on.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openServeBench } from '../agent/http/serve-run.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const DEPLOYMENT = join(ROOT, 'examples', 'deployment')
const UNITS = ['cloud-tasks-serve.service', 'worker.service']
const noSystemd = ['/usr/bin/systemd-analyze', '/bin/systemd-analyze'].some(existsSync)
  ? false
  : 'systemd-analyze is not here'

describe('the deployment examples', { timeout: 60_000 }, () => {
  it('have units that systemd-analyze finds nothing wrong with', { skip: noSystemd }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cloud-tasks-units-'))
    try {
      for (const unit of UNITS) {
        // The programs are installed where the unit goes, not here.
        const text = read(unit).replace(/^(ExecStart=)\/usr\/bin\/\S+/m, `$1${process.execPath}`)
        await writeFile(join(folder, unit), text)
        const said = run('systemd-analyze', ['verify', join(folder, unit)])
        assert.equal(said, '')
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  it('start the server and the worker with words that these know', () => {
    const [, words = ''] = /^ExecStart=\/usr\/bin\/cloud-tasks-agent (.*)$/m.exec(read(UNITS[0] ?? '')) ?? []
    assertServes(words.split(' '))
    const [entry] = instructions('Dockerfile', 'ENTRYPOINT')
    const [program, ...more]: string[] = JSON.parse(entry ?? '')
    assert.equal(program, 'cloud-tasks-agent')
    assertServes(more)
    assert.match(read('worker.service'), /^ExecStart=\/usr\/bin\/node \/opt\/worker\/worker\.cjs$/m)
    assert.deepEqual(JSON.parse(instructions('worker.Dockerfile', 'CMD')[0] ?? ''), ['node', 'worker.cjs'])
    assert.ok(existsSync(join(ROOT, 'examples', 'workers', 'http', 'worker.cjs')))
  })

  it('have Dockerfiles of known instructions that name no user root and copy what is there', () => {
    const known = /^(FROM|WORKDIR|COPY|RUN|ENV|USER|VOLUME|EXPOSE|HEALTHCHECK|STOPSIGNAL|ENTRYPOINT|CMD)$/
    for (const file of ['Dockerfile', 'worker.Dockerfile']) {
      for (const [name] of allInstructions(file)) assert.match(name, known)
      assert.deepEqual(instructions(file, 'USER'), ['node'])
      const { version } = process
      for (const image of instructions(file, 'FROM')) assert.match(image, new RegExp(`^node:${version.slice(1, 3)}-`))
    }
    assert.deepEqual(instructions('worker.Dockerfile', 'COPY'), ['worker.cjs .'])
  })

  it('have a health check that tells a healthy server from none', async () => {
    const [check = ''] = instructions('Dockerfile', 'HEALTHCHECK')
    const [, ...words]: string[] = JSON.parse(check.slice(check.indexOf('[')))
    await using bench = await openServeBench()
    const server = await bench.start()
    const at = (port: number) => words.map(word => word.replace(':8080', `:${port}`))
    execFileSync(process.execPath, at(server.port), { timeout: 20_000 })
    server.process.kill('SIGTERM')
    await server.exit
    assert.throws(() => execFileSync(process.execPath, at(server.port), { timeout: 20_000, stdio: 'ignore' }))
  })
})

/** `--help` is answered after all other words were understood. */
function assertServes(words: readonly string[]): void {
  const agent = join(ROOT, 'agent', 'main.ts')
  const known = words.filter(
    (_, index) => !words[index]?.includes('api-keys') && !words[index - 1]?.includes('api-keys'),
  )
  assert.equal(known[0], 'serve')
  const help = execFileSync(process.execPath, [agent, ...known, '--help'], { encoding: 'utf8', timeout: 20_000 })
  assert.match(help, /^Usage: cloud-tasks-agent serve/)
  assert.match(help, /--api-keys-file/)
}

function read(file: string): string {
  return readFileSync(join(DEPLOYMENT, file), 'utf8')
}

function instructions(file: string, wanted: string): readonly string[] {
  return allInstructions(file).flatMap(([name, rest]) => (name === wanted ? [rest] : []))
}

function allInstructions(file: string): readonly (readonly [string, string])[] {
  return read(file)
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)] as const)
}

function run(file: string, args: readonly string[]): string {
  try {
    return execFileSync(file, args, { encoding: 'utf8', stdio: 'pipe', timeout: 30_000 })
  } catch (error) {
    return error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
  }
}
