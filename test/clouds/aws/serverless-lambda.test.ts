// The built file of the serverless manager, run as AWS Lambda would run it: alone in a folder, in a process of its own for
// every invocation, against moto.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '../../../core/clock.ts'
import { packJob } from '../../../core/packed-job.ts'
import { openProvider } from '../../../infra/aws/index.ts'
import type { ProviderSettings } from '../../../infra/open-provider.ts'
import type { Queue, Vm } from '../../../infra/provider.ts'
import { orderResume, orderStop, readServerlessState } from '../../../manager/serverless/orders.ts'
import { jobConfigWith } from '../../support/job-config.ts'
import { type Moto, startMoto } from '../../support/moto.ts'
import { withTools } from '../../support/test-tools.ts'
import { makeLaunchTemplate, motoClient, motoSettings } from './moto-stack.ts'
import { makeNotebookTable } from './notebook-table.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const JOB_ID = 'lambda'
const LIMIT_MS = 180_000
const LAST_VMS = { StackId: 'stack', RequestId: 'request', LogicalResourceId: 'LastVms' }

interface Invocation {
  readonly failed: boolean
  readonly lines: readonly string[]
  /** Metrics of its line in the embedded metric format. */
  readonly metrics: Readonly<Record<string, unknown>> | undefined
}

withTools(() => {
  describe('aws: the serverless manager', { timeout: LIMIT_MS, concurrency: false }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-lambda-'))
    const config = jobConfigWith({
      provider: 'aws',
      aws: { job_id: JOB_ID, region: 'us-east-1', instance_types: ['c5\\.large$'], use_spot: true },
      run: { task: './task.ts', max_instances: 3, max_total_cost: 5, cpus_per_task: 2, lease_seconds: 1 },
    })
    const job = packJob({ jobId: JOB_ID, queueName: JOB_ID, config })
    let moto: Moto
    let settings: ProviderSettings
    let tasks: Queue
    const list = () => openProvider(settings).openPool({ jobId: JOB_ID }).list()
    const alive = async () => (await list()).filter(vm => vm.state === 'running' || vm.state === 'starting')

    before(async () => {
      execFileSync(process.execPath, [join(ROOT, 'scripts/build-serverless.ts')])
      copyFileSync(join(ROOT, 'dist/serverless/aws/manager.mjs'), join(folder, 'manager.mjs'))
      moto = await startMoto()
      const { env, ...rest } = motoSettings(moto)
      settings = { ...rest, env: { ...env, CLOUD_TASKS_SQS_PURGE_SECONDS: '0' } }
      const client = motoClient(moto)
      await makeLaunchTemplate(client, JOB_ID)
      client.destroy()
      await makeNotebookTable(settings, JOB_ID)
      tasks = openProvider(settings).openQueue(JOB_ID, { leaseSeconds: 60 })
      await tasks.admin.ensure()
    })
    after(async () => {
      await moto.close()
      rmSync(folder, { recursive: true, force: true })
    })

    /** One invocation in a process of its own. */
    function invoke(name: 'handler' | 'onDelete', event: object = {}): Promise<Invocation> {
      const program = `import(${JSON.stringify(join(folder, 'manager.mjs'))}).then(async module => {
        const endsAt = Date.now() + 55_000
        await module.${name}(${JSON.stringify(event)}, { getRemainingTimeInMillis: () => endsAt - Date.now() })
      }).catch(error => { process.stderr.write(error.stack); process.exitCode = 7 })`
      const env = {
        PATH: '/usr/bin:/bin',
        CLOUD_TASKS_JOB: job,
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: 'test',
        AWS_SECRET_ACCESS_KEY: 'test',
        AWS_ENDPOINT_URL: moto.endpoint,
        AWS_EC2_METADATA_DISABLED: 'true',
        XDG_CACHE_HOME: folder,
        CLOUD_TASKS_SPOT_ADVISOR_URL: `${moto.endpoint}/nothing-there`,
      }
      return new Promise(resolve => {
        execFile(process.execPath, ['-e', program], { cwd: folder, env, timeout: 60_000 }, (error, stdout, stderr) => {
          const lines = `${stdout}${stderr}`.trim().split('\n')
          const metrics = lines.find(line => line.startsWith('{"_aws"'))
          resolve({ failed: error !== null, lines, metrics: metrics === undefined ? undefined : JSON.parse(metrics) })
        })
      })
    }

    it('is one file under 5 MB that loads by itself in less than half a second of CPU time', () => {
      assert.ok(statSync(join(folder, 'manager.mjs')).size < 5_000_000)
      const program = `const before = process.cpuUsage(); import(${JSON.stringify(join(folder, 'manager.mjs'))}).then(module => {
        const { user, system } = process.cpuUsage(before)
        console.log(JSON.stringify([Object.keys(module), (user + system) / 1000]))
      })`
      const times: number[] = []
      for (let round = 0; round < 3; round++) {
        const [names, ms] = JSON.parse(
          execFileSync(process.execPath, ['-e', program], { cwd: folder, encoding: 'utf8' }),
        )
        assert.deepEqual(names, ['handler', 'onDelete'])
        times.push(ms)
      }
      assert.ok(Math.min(...times) < 500, `loaded in ${times} ms`)
    })

    it('does nothing while there is nothing to do', async () => {
      const { failed, lines, metrics } = await invoke('handler')
      assert.equal(failed, false, lines.join('\n'))
      assert.deepEqual([metrics?.Backlog, metrics?.Vms, metrics?.SpentUsd, metrics?.Stopped], [0, 0, 0, 0])
      assert.deepEqual(await list(), [])
    })

    it('starts one VM for a loaded queue, and the others once it has taken a task', async () => {
      await tasks.send(Array.from({ length: 30 }, (_, index) => ({ body: `{"task_id":"t${index}","data":{}}` })))
      const first = await invoke('handler')
      assert.equal(first.failed, false, first.lines.join('\n'))
      assert.equal((await alive()).length, 1)
      await invoke('handler')
      assert.equal((await alive()).length, 1)
      const [held] = await tasks.receive({ maxMessages: 1, waitSeconds: 1 })
      assert.ok(held !== undefined)
      await systemClock.sleep(1000) // such a lease can only be of this VM
      const third = await invoke('handler')
      assert.equal((await alive()).length, 3, third.lines.join('\n'))
      const state = await readServerlessState(openProvider(settings), JOB_ID, new Date())
      assert.equal(state?.vmCount, 3)
    })

    it('writes its metrics in a form that CloudWatch reads', async () => {
      const { metrics } = await invoke('handler')
      const { _aws: directive, ...values } = metrics ?? {}
      assert.deepEqual(Object.keys(values), ['JobId', 'Backlog', 'Vms', 'SpentUsd', 'UsdPerHour', 'Stopped'])
      assert.equal(values.JobId, JOB_ID)
      assert.equal(values.Vms, 3)
      assert.ok(Number(values.UsdPerHour) > 0)
      assert.match(JSON.stringify(directive), /"Namespace":"CloudTasks","Dimensions":\[\["JobId"\]\]/)
    })

    it('leaves what works alone, and ends nothing because an approximate count is 0', async () => {
      await tasks.admin.purge()
      const { metrics } = await invoke('handler')
      assert.equal(metrics?.Backlog, 0)
      assert.equal((await alive()).length, 3)
    })

    it('fails with one line when AWS denies something, and has not half acted', async () => {
      const before = await list()
      await tasks.admin.remove()
      const { failed, lines } = await invoke('handler')
      assert.equal(failed, true)
      assert.match(lines.join('\n'), /ERROR Queue "lambda" does not exist: deploy job "lambda"\./)
      assert.doesNotMatch(lines.join('\n'), /\n +at /)
      assert.deepEqual(await list(), before)
      await tasks.admin.ensure()
    })

    it('stops the job when its first VM ends by itself, and says so until the order to go on', async () => {
      for (const vm of await alive()) await endBySelf(vm)
      await orderResume(openProvider(settings), JOB_ID, new Date())
      await tasks.send(Array.from({ length: 30 }, (_, index) => ({ body: `{"task_id":"u${index}","data":{}}` })))
      await invoke('handler')
      const [canary, ...others] = await alive()
      assert.ok(canary !== undefined && others.length === 0)
      await endBySelf(canary)
      const { failed, lines, metrics } = await invoke('handler')
      assert.equal(failed, true, 'so that an alarm sees it')
      assert.match(
        lines.join('\n'),
        new RegExp(`ERROR The job stops: VM ${canary.id} ended by itself before it could work`),
      )
      assert.equal(metrics?.Stopped, 1)
      const again = await invoke('handler')
      assert.deepEqual([again.failed, again.metrics?.Stopped], [false, 1])
      assert.equal((await alive()).length, 0)
    })

    it('leaves VMs alone that another manager has taken over, also when it is taken away itself', async () => {
      await orderResume(openProvider(settings), JOB_ID, new Date())
      await invoke('handler')
      assert.equal((await alive()).length, 1)
      const because = 'cloud-tasks run looks after its VMs'
      await orderStop(openProvider(settings), JOB_ID, { because, at: new Date(), handedOver: true })
      const { failed, lines } = await invoke('handler')
      assert.equal(failed, false)
      assert.match(lines.join('\n'), /Nothing was done: cloud-tasks run looks after its VMs\./)
      const answers = await takeAway()
      assert.equal(answers.at(-1)?.Status, 'SUCCESS')
      assert.equal((await alive()).length, 1)
    })

    it('ends all VMs when the stack is deleted, and answers CloudFormation', async () => {
      await orderResume(openProvider(settings), JOB_ID, new Date())
      await invoke('handler')
      assert.equal((await alive()).length, 1)
      const answers = await takeAway()
      assert.equal((await alive()).length, 0)
      const answer = { type: '', Status: 'SUCCESS', PhysicalResourceId: 'cloud-tasks-last-vms', ...LAST_VMS }
      assert.deepEqual(answers, [answer, answer])
    })

    /** As CloudFormation does it. What it is answered, whose first try fails. */
    async function takeAway(): Promise<readonly Readonly<Record<string, unknown>>[]> {
      const answers: Readonly<Record<string, unknown>>[] = []
      const server = createServer(async (request, response) => {
        let body = ''
        for await (const chunk of request) body += chunk
        answers.push({ type: request.headers['content-type'], ...JSON.parse(body) })
        response.writeHead(request.method !== 'PUT' || answers.length === 1 ? 503 : 200).end()
      })
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      const ResponseURL = `http://127.0.0.1:${port}/answer`
      const { failed, lines } = await invoke('onDelete', { ...LAST_VMS, RequestType: 'Delete', ResponseURL })
      server.close()
      assert.equal(failed, false, lines.join('\n'))
      return answers
    }

    function endBySelf({ id }: Vm): Promise<void> {
      const code = 'Client.InstanceInitiatedShutdown'
      return moto.endInstance({ id, code, message: code, transition: 'User initiated' })
    }
  })
})
