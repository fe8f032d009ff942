// The script that brings Node, the agent and a bundle onto a VM, run by bash as a VM would, on a local queue.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { deadLetterQueueName, eventQueueName } from '../../../core/names.ts'
import { packAgent } from '../../../infra/delivery/agent-archive.ts'
import { renderAgentBoot } from '../../../infra/delivery/agent-boot.ts'
import { packArchive } from '../../../infra/delivery/archive.ts'
import { packBundle } from '../../../infra/delivery/bundle-archive.ts'
import { renderJobScript } from '../../../infra/job-script.ts'
import { openProvider } from '../../../infra/local/index.ts'
import { jobConfigWith } from '../../support/job-config.ts'

const AWKWARD = {
  SPACES: '  two  spaces ',
  QUOTES: `'single' "double" \`back\``,
  DOLLARS: '$HOME $(echo run) $x \\$',
  JSON: '{"a":[1,"ü",{"b":null}]}',
  LINES: 'one\ntwo\n\n',
}
const SECRET = "s3cr3t '$(x)'\n"

const FACTS = `vm_type=metal-1 vm_vcpus=2 vm_memory_gb=4.0 vm_ssd_gb=0 vm_disk_gb=10 vm_spot=False vm_price=0.01 vm_tasks=2 vm_paid_until=
ct_fetch_store() { return 1; }
ct_read_secret() { cat -- "$1"; }`

describe('a VM that boots by itself', { timeout: 120_000 }, () => {
  let folder: string
  let server: Server
  let agent: { readonly url: string; readonly sha512: string }
  let node: { readonly url: string }
  let bundle: { readonly url: string; readonly sha512: string }
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-boot-'))
    for (const name of ['shelf', 'shims', 'node/v/bin', 'bundle']) mkdirSync(join(folder, name), { recursive: true })
    server = await serve(join(folder, 'shelf'))
    for (const name of ['shutdown', 'poweroff', 'systemctl']) {
      writeFileSync(
        join(folder, 'shims', name),
        `#!/bin/sh\necho "$0 $*" >> '${folder}/power'\ncase "$2" in +*) ;; *) kill -9 $PPID ;; esac\n`,
      )
      chmodSync(join(folder, 'shims', name), 0o755)
    }
    writeFileSync(join(folder, 'secret'), SECRET)
    writeFileSync(join(folder, 'bundle/task.ts'), TASK)
    writeFileSync(join(folder, 'node/v/bin/node'), `#!/bin/sh\nexec '${process.execPath}' "$@"\n`, { mode: 0o755 })
    const shelf = { folder: join(folder, 'shelf') }
    const packed = await packArchive({ root: join(folder, 'node'), paths: ['v/bin/node'] }, { ...shelf, name: 'node' })
    node = { url: addressOf(packed.path) }
    const sum = createHash('sha256').update(readFileSync(packed.path)).digest('hex')
    writeFileSync(
      join(folder, 'shelf/SHASUMS256.txt'),
      `${sum}  ${basename(packed.path)}\n${'0'.repeat(64)}  other.tar.gz\n`,
    )
    agent = delivery(await packAgent({ cloud: 'local', ...shelf }))
    bundle = delivery(await packBundle(join(folder, 'bundle'), shelf.folder))
  })
  after(() => {
    server.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const addressOf = (path: string) => {
    const address = server.address()
    assert.ok(typeof address === 'object' && address !== null)
    return `http://127.0.0.1:${address.port}/${basename(path)}`
  }
  const delivery = ({ path, sha512 }: { path: string; sha512: string }) => ({ url: addressOf(path), sha512 })

  /** As the first process of a machine: nothing of our own environment reaches it. */
  const boot = async (script: string) => {
    const home = mkdtempSync(join(folder, 'home-'))
    const vm = spawn('bash', ['-c', script], {
      env: { PATH: `${folder}/shims:/usr/bin:/bin`, CLOUD_TASKS_HOME: home, CLOUD_TASKS_SYSTEMD: join(folder, 'none') },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let console = ''
    for (const stream of [vm.stdout, vm.stderr]) stream.on('data', (chunk: Buffer) => (console += chunk))
    const [code, signal] = await once(vm, 'close')
    return { code, signal, console, home }
  }
  const render = (parts: Partial<Parameters<typeof renderAgentBoot>[0]> = {}, environment = {}, secrets = {}) =>
    renderJobScript({
      config: jobConfigWith({
        provider: 'local',
        run: { task: './task.ts', idle_shutdown: 1, environment, secrets },
        local: { job_id: 'job', root: join(folder, 'cloud') },
      }),
      jobId: 'job',
      queueName: 'job',
      vm: { kind: 'at boot', script: FACTS },
      extra: { RMS_CLOUD_TASKS_LOCAL_ROOT: join(folder, 'cloud') },
      agentScript: task => renderAgentBoot({ task, node, agent, bundle, ...parts }),
    })

  it('fetches, checks, runs the tasks of the queue with every variable byte for byte, and shows no secret', async () => {
    const provider = openProvider({ local: { root: join(folder, 'cloud') }, env: {} })
    const open = (name: string) => provider.openQueue(name, { leaseSeconds: 60 })
    const queues = [open('job'), open(eventQueueName('job')), open(deadLetterQueueName('job'))] as const
    for (const queue of queues) await queue.admin.ensure()
    await queues[0].send([
      { body: JSON.stringify({ task_id: 'one', data: { names: [...Object.keys(AWKWARD), 'SECRET'] } }) },
    ])
    const { code, console, home } = await boot(render({}, AWKWARD, { SECRET: join(folder, 'secret') }))
    assert.equal(code, 0, console)
    const events = await queues[1].receive({ maxMessages: 10, waitSeconds: 0 })
    await provider.close()
    const completed: { result: unknown } | undefined = events
      .map(({ body }) => JSON.parse(body))
      .find(event => event.event_type === 'task_completed')
    assert.ok(completed !== undefined, console)
    assert.deepEqual(completed.result, { ...AWKWARD, SECRET, type: 'metal-1', slots: '2' })
    assert.doesNotMatch(console, /s3cr3t/)
    assert.ok(existsSync(join(home, 'agent/bin/cloud-tasks-agent')))
  })

  it('runs nothing of which the checksum differs, and powers off', async () => {
    for (const wrong of [
      { agent: { ...agent, sha512: '0'.repeat(128) } },
      { node: { url: addressOf('other.tar.gz') } },
    ]) {
      rmSync(join(folder, 'power'), { force: true })
      writeFileSync(join(folder, 'shelf/other.tar.gz'), 'not what it says')
      const { signal, console } = await boot(render(wrong))
      assert.equal(signal, 'SIGKILL')
      assert.match(console, /is not what it should be: its checksum differs/)
      assert.match(console, /powering off: the startup script failed \(exit code 1\)/)
      assert.match(readFileSync(join(folder, 'power'), 'utf8'), /shutdown -h now/)
    }
  })

  it('powers off after a script of the user that failed, however it ended, and keeps its options', async () => {
    const scripts = ['exit 3', '#!/bin/bash -e\nfalse\ntrue', 'exec sh -c "exit 4"', 'kill -9 $$']
    for (const startupScript of scripts) {
      rmSync(join(folder, 'power'), { force: true })
      const config = jobConfigWith({ provider: 'local', run: { startup_script: startupScript } })
      const script = renderJobScript({
        config,
        jobId: 'job',
        queueName: 'job',
        vm: { kind: 'at boot', script: FACTS },
        extra: {},
        agentScript: () => '',
      })
      assert.equal((await boot(script)).signal, 'SIGKILL', startupScript)
      assert.match(readFileSync(join(folder, 'power'), 'utf8'), /shutdown -h now/)
    }
  })

  it('lets a VM live whose script ended well, and ends it after its lifetime whatever runs there', async () => {
    rmSync(join(folder, 'power'), { force: true })
    const config = jobConfigWith({
      provider: 'local',
      run: { startup_script: 'echo "up $0"', max_instance_lifetime: 600 },
    })
    const vm = { kind: 'at boot', script: FACTS } as const
    const script = renderJobScript({ config, jobId: 'job', queueName: 'job', vm, extra: {}, agentScript: () => '' })
    const { code, console } = await boot(script)
    assert.equal(code, 0)
    assert.match(console, /^up /m)
    assert.match(readFileSync(join(folder, 'power'), 'utf8'), /shutdown -h \+11\n$/)
  })
})

const TASK = `export default (_id: string, { names }: { names: string[] }) => ({
  ...Object.fromEntries(names.map(name => [name, process.env[name]])),
  type: process.env.RMS_CLOUD_TASKS_INSTANCE_TYPE,
  slots: process.env.RMS_CLOUD_TASKS_NUM_TASKS_PER_INSTANCE,
})
`

async function serve(shelf: string): Promise<Server> {
  const server = createServer((request, response) => {
    const file = join(shelf, basename(request.url ?? ''))
    response.statusCode = existsSync(file) ? 200 : 404
    response.end(existsSync(file) ? readFileSync(file) : '')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
