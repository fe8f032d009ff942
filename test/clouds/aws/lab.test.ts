// A whole job on AWS as a person has it, with nothing faked but the cloud's own servers: the CDK deploys the real app, its
// function looks after the VMs on its schedule, every instance boots its user data on this host in a network of its own, one
// is taken by spot and one dies, and what is left at the end is nothing but the results.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { systemClock } from '../../../core/clock.ts'
import { openProvider } from '../../../infra/aws/index.ts'
import { packArchive } from '../../../infra/delivery/archive.ts'
import type { Provider } from '../../../infra/provider.ts'
import { JobFolder } from '../../support/job-folder.ts'
import { type Moto, startMoto } from '../../support/moto.ts'
import { commandsOf } from '../../support/shell-blocks.ts'
import { withTools } from '../../support/test-tools.ts'
import { type Ec2Lab, openEc2Lab } from './ec2-lab.ts'
import { callOnSchedule, putSecret } from './moto-requests.ts'

const JOB_ID = 'lab-job'
const REGION = 'us-east-1'
const TASK_COUNT = 400
const TASK_MS = 250
const CDK_FOLDER = join(import.meta.dirname, '../../../infra/aws')
const SCHEDULE_MS = 1000 // a minute on AWS
const NOTICE_MS = 8000 // two minutes on AWS
const WAIT_MS = 150_000
const LIMIT_MS = 420_000
const run = promisify(execFile)

withTools(() => {
  describe('aws: a job from cdk deploy to cdk destroy', { timeout: LIMIT_MS }, () => {
    let disk: string
    let shelf: Server
    let moto: Moto
    let lab: Ec2Lab
    let folder: JobFolder
    let provider: Provider
    let env: Readonly<Record<string, string>>
    before(async () => {
      disk = mkdtempSync(join(tmpdir(), 'cloud-tasks-lab-'))
      moto = await startMoto()
      env = {
        AWS_ENDPOINT_URL: moto.endpoint,
        AWS_REGION: REGION,
        AWS_ACCESS_KEY_ID: 'test',
        AWS_SECRET_ACCESS_KEY: 'test',
        AWS_EC2_METADATA_DISABLED: 'true',
        CLOUD_TASKS_SPOT_ADVISOR_URL: `${moto.endpoint}/nothing-there`,
        CLOUD_TASKS_SQS_PURGE_SECONDS: '0', // the emulator purges at once
        XDG_CACHE_HOME: join(disk, 'cache'),
      }
      await putSecret(moto, '/lab/api-key', SECRET)
      const node = await packNode(disk)
      shelf = await serveFile(node.path)
      const port = portOf(shelf)
      lab = await openEc2Lab({ moto, region: REGION, folder: disk, ports: [port] })
      folder = new JobFolder({ jobId: JOB_ID, env })
      folder.write('tasks.json', JSON.stringify(makeTasks()))
      mkdirSync(folder.file('bundle'))
      folder.write('bundle/task.ts', TASK)
      folder.write(
        'job.yml',
        jobFile({ endpoint: moto.endpoint, nodeUrl: `http://localhost:${port}/${basename(node.path)}`, ...node }),
      )
      provider = openProvider({ region: REGION, env })
    })
    after(async () => {
      await lab.close()
      await provider.close()
      assert.equal(await folder.remove(), 0, 'no process is left')
      shelf.closeAllConnections()
      shelf.close()
      await moto.close()
      rmSync(disk, { recursive: true, force: true })
    })

    const cdk = (...args: string[]) =>
      run(process.execPath, [join(CDK_FOLDER, 'node_modules/aws-cdk/bin/cdk'), ...args], {
        cwd: CDK_FOLDER,
        env: { ...process.env, ...env, CDK_DISABLE_CLI_TELEMETRY: 'true' },
        timeout: 120_000,
      })
    const deployed = () => ['-c', `config=${folder.file('job.yml')}`]
    /** What `look` answers, as soon as it is something. */
    const until = async <Found>(what: string, look: () => Promise<Found | undefined>): Promise<Found> => {
      const deadlineMs = systemClock.now() + WAIT_MS
      for (;;) {
        const found = await look()
        if (found !== undefined && !(Array.isArray(found) && found.length === 0)) return found
        if (systemClock.now() > deadlineMs) {
          const consoles = lab.instances.map(({ id, machine }) => `${id}:\n${machine.console()}`)
          assert.fail(`Waited in vain: ${what}.\n${consoles.join('\n')}`)
        }
        await systemClock.sleep(100)
      }
    }
    const alive = async () =>
      (await provider.openPool({ jobId: JOB_ID }).list()).filter(vm => vm.state !== 'terminated').length

    it('follows its page', () => {
      // In this order below; a page that says something else has to be followed anew.
      assert.deepEqual(commandsOf('docs/aws.md'), [
        'npm ci --prefix infra/aws',
        'cd infra/aws && npx cdk bootstrap',
        'cd infra/aws && npx cdk deploy -c config=../../job.yml',
        'npx cloud-tasks load_queue --config job.yml --task-file tasks.json',
        'npx cloud-tasks monitor_event_queue --config job.yml',
        'cd infra/aws && npx cdk destroy -c config=../../job.yml',
      ])
    })

    it('is deployed by the CDK', async () => {
      await cdk('bootstrap', `aws://123456789012/${REGION}`, '--app', '')
      const outputs = join(disk, 'outputs.json')
      const place = ['--output', join(disk, 'cdk.out'), '--outputs-file', outputs]
      await cdk('deploy', ...deployed(), '--require-approval', 'never', '--method', 'direct', ...place)
    })

    it('is drained by VMs that its function starts, through a spot interruption and the death of a host', async () => {
      const loaded = await folder.run('load_queue', '--config', 'job.yml', '--task-file', 'tasks.json')
      assert.equal(loaded.exitCode, 0, loaded.stderr)
      const monitor = folder.start('monitor_event_queue', '--config', 'job.yml', '--json')
      const schedule = new AbortController()
      const failures: string[] = []
      const managing = callOnSchedule(moto, { everyMs: SCHEDULE_MS, signal: schedule.signal, failures })
      try {
        const [first] = await until('a VM works', async () =>
          folder.count("status = 'completed'") > 0 ? lab.instances : [],
        )
        assert.ok(first !== undefined)
        const other = await until('another VM was started', async () => lab.instances[1])
        await lab.interrupt(first, NOTICE_MS)
        assert.match(first.machine.console(), /taken away/)
        await lab.kill(other)
        const { exitCode, stdout, stderr } = await monitor.ended
        assert.equal(exitCode, 0, stderr)
        assert.equal(JSON.parse(stdout).counts.completed, TASK_COUNT + 1)
        await until('all VMs have ended by themselves', async () => ((await alive()) === 0 ? true : undefined))
      } finally {
        schedule.abort()
        await managing
        monitor.child.kill('SIGINT')
      }
      assert.deepEqual(failures, [])
      assert.ok(lab.instances.length >= 3, 'what was lost was replaced')
      assert.ok(lab.instances.every(({ machine }) => machine.isOff && machine.pids().length === 0))
    })

    it('has every result once, and the cost of every VM', () => {
      const right = "result = json_extract(task_data, '$.a') + json_extract(task_data, '$.b')"
      assert.equal(folder.count(`status = 'completed' AND ${right}`), TASK_COUNT)
      const doubled = folder.query(
        "SELECT task_id FROM events WHERE event_type = 'task_completed' GROUP BY task_id HAVING count(DISTINCT attempt) > 1",
      )
      assert.deepEqual(doubled, [])
      const vms = folder.query('SELECT id, price_per_hour FROM instances WHERE state IS NOT NULL')
      assert.equal(vms.length, lab.instances.length)
      assert.ok(vms.every(vm => Number(vm.price_per_hour) > 0))
      // Moto's spot price is a constant of next to nothing: the time that is billed tells more than the money.
      const [billed] = folder.query('SELECT sum(total_ms) AS total, sum(useful_ms) AS useful FROM ledger')
      assert.ok(Number(billed?.total) > Number(billed?.useful) && Number(billed?.useful) > 0)
    })

    it('brings variables and secrets to tasks byte for byte, and shows no secret anywhere', () => {
      const [row] = folder.query("SELECT result FROM tasks WHERE task_id = 'environment'")
      assert.deepEqual(JSON.parse(String(row?.result)), { ...AWKWARD, API_KEY: SECRET })
      const assembly = globSync('**/*.json', { cwd: join(disk, 'cdk.out') })
      assert.ok(assembly.length > 0)
      for (const file of assembly) assert.doesNotMatch(readFileSync(join(disk, 'cdk.out', file), 'utf8'), /s3cr3t/)
      for (const { machine } of lab.instances) assert.doesNotMatch(machine.console(), /s3cr3t/)
    })

    it('leaves nothing behind when it is destroyed', async () => {
      await cdk('destroy', ...deployed(), '--force', '--output', join(disk, 'cdk.out'))
      for (const name of [JOB_ID, `${JOB_ID}-events`, `${JOB_ID}-dead`]) {
        assert.equal(await provider.openQueue(name, { leaseSeconds: 60 }).admin.depth(), undefined, name)
      }
      assert.equal(await alive(), 0)
    })
  })
})

/** What a shell could make something else of. */
const AWKWARD = {
  SPACES: '  two  spaces ',
  QUOTES: `'single' "double" \`back\``,
  DOLLARS: '$HOME $(echo run) \\$',
  JSON_TEXT: '{"a":[1,"ü",{"b":null}]}',
  LINES: 'one\ntwo\n\n',
}
const SECRET = 's3cr3t \'$(x)\' "y"\n'

const TASK = `export default async (id, { a, b, names }) => {
  if (names) return Object.fromEntries(names.map(name => [name, process.env[name]]))
  await new Promise(resolve => setTimeout(resolve, ${TASK_MS}))
  return a + b
}
`

function makeTasks(): object[] {
  const asking = { task_id: 'environment', data: { names: [...Object.keys(AWKWARD), 'API_KEY'] } }
  const sums = Array.from({ length: TASK_COUNT }, (_, index) => ({
    task_id: `sum-${index}`,
    data: { a: index, b: 7 * index },
  }))
  return [asking, ...sums]
}

interface JobFileFacts {
  readonly endpoint: string
  readonly nodeUrl: string
  readonly sha512: string
}

function jobFile({ endpoint, nodeUrl, sha512 }: JobFileFacts): string {
  return `provider: aws
run:
  task: ./task.ts
  bundle: ./bundle
  use_spot: true
  max_instances: 3
  instance_types: c5\\.large$
  lease_seconds: 10
  idle_shutdown: 6
  scaling_check_interval: 2
  environment: ${JSON.stringify({ ...AWKWARD, AWS_ENDPOINT_URL: endpoint })}
  secrets:
    API_KEY: /lab/api-key
aws:
  job_id: ${JOB_ID}
  region: ${REGION}
  node_url: ${nodeUrl}
  node_sha512: ${sha512}
`
}

/** A program that is Node, in the place of a hundred megabytes. */
async function packNode(disk: string): Promise<{ readonly path: string; readonly sha512: string }> {
  mkdirSync(join(disk, 'node/v24/bin'), { recursive: true })
  writeFileSync(join(disk, 'node/v24/bin/node'), `#!/bin/sh\nexec '${process.execPath}' "$@"\n`, { mode: 0o755 })
  return packArchive({ root: join(disk, 'node'), paths: ['v24/bin/node'] }, { folder: disk, name: 'node' })
}

async function serveFile(path: string): Promise<Server> {
  const server = createServer((_, response) => createReadStream(path).pipe(response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function portOf(server: Server): number {
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return address.port
}
