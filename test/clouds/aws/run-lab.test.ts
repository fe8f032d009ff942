// A job on AWS in one command: `run` brings the stack up, boots VMs, collects, and leaves nothing behind; also when its VMs
// are taken, when it is killed itself, and when a manager in the cloud was there first.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { hostname } from 'node:os'
import { after, before, describe, it } from 'node:test'
import { CloudFormationClient } from '@aws-sdk/client-cloudformation'
import { DescribeLaunchTemplatesCommand, EC2Client } from '@aws-sdk/client-ec2'
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { awsClientConfig } from '../../../infra/aws/connection.ts'
import { stackNameOf } from '../../../infra/aws/stack-name.ts'
import { findStack } from '../../../infra/aws/stack-watch.ts'
import { type Ended, JobFolder, type RunningCli } from '../../support/job-folder.ts'
import { withTools } from '../../support/test-tools.ts'
import { type AwsLab, NOTICE_MS, openAwsLab, REGION } from './lab-job.ts'
import { callOnSchedule, functionNames } from './moto-requests.ts'
import { withCdk } from './template.ts'

const BUCKET = 'lab-bucket'
const BIG_BYTES = 2 * 1024 * 1024 // a message takes one mebibyte
const SCHEDULE_MS = 1000 // a minute on AWS
const LIMIT_MS = 540_000

withTools(() =>
  withCdk(() => {
    describe('aws: a job in one command', { timeout: LIMIT_MS }, () => {
      let lab: AwsLab
      const folders: JobFolder[] = []
      before(async () => {
        lab = await openAwsLab({ bucket: BUCKET })
        await withClient(S3Client, 'S3', s3 => s3.send(new CreateBucketCommand({ Bucket: BUCKET })))
      })
      after(async () => {
        await lab.close()
        for (const folder of folders) assert.equal(await folder.remove(), 0, `no process of ${folder.jobId} is left`)
      })

      const withClient = async <Client extends { destroy(): void }, Answer>(
        Kind: new (config: ReturnType<typeof awsClientConfig> & { forcePathStyle: boolean }) => Client,
        service: Parameters<typeof awsClientConfig>[1],
        ask: (client: Client) => Promise<Answer>,
      ): Promise<Answer> => {
        const config = awsClientConfig({ region: REGION, env: lab.env }, service)
        const client = new Kind({ ...config, forcePathStyle: true })
        try {
          return await ask(client)
        } finally {
          client.destroy()
        }
      }
      const openFolder = (jobId: string, tasks: readonly object[], run: readonly string[] = []): JobFolder => {
        const folder = new JobFolder({ jobId, env: lab.env })
        folders.push(folder)
        folder.write('tasks.json', JSON.stringify(tasks))
        mkdirSync(folder.file('bundle'))
        folder.write('bundle/task.ts', TASK)
        folder.write('job.yml', jobFile(lab, jobId, run))
        return folder
      }
      const stackIsThere = (jobId: string) =>
        withClient(CloudFormationClient, 'CLOUDFORMATION', async client => {
          return (await findStack(client, stackNameOf(jobId))) !== undefined
        })
      const objectsUnder = (prefix: string) =>
        withClient(S3Client, 'S3', async s3 => {
          const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: prefix }))
          return Contents.map(({ Key = '' }) => Key)
        })
      const templates = (jobId: string) =>
        withClient(EC2Client, 'EC2', async ec2 => {
          const { LaunchTemplates = [] } = await ec2.send(new DescribeLaunchTemplatesCommand({}))
          return LaunchTemplates.filter(({ LaunchTemplateName: name }) => name === `rmscr-${jobId}`)
        })
      const instances = async (jobId: string) => {
        const ids = new Set((await lab.provider.openPool({ jobId }).list()).map(({ id }) => String(id)))
        return lab.ec2.instances.filter(({ id }) => ids.has(id))
      }
      const isGone = async (jobId: string) => {
        assert.equal(await lab.aliveCount(jobId), 0)
        assert.equal(await stackIsThere(jobId), false)
        assert.deepEqual(await templates(jobId), [])
        assert.deepEqual(await objectsUnder(`cloud-tasks/programs/${jobId}/`), [])
        for (const name of [jobId, `${jobId}-events`, `${jobId}-dead`]) {
          assert.equal(await lab.provider.openQueue(name, { leaseSeconds: 60 }).admin.depth(), undefined, name)
        }
        for (const { machine } of await instances(jobId)) assert.ok(machine.isOff && machine.pids().length === 0)
      }
      /** As `lab.until`, but a program that has ended early says why. */
      const whileRuns = <Found>({ child, ended }: RunningCli, what: string, look: () => Promise<Found | undefined>) =>
        lab.until(what, async () => {
          if (child.exitCode !== null) assert.fail(`It ended before ${what}: ${shown(await ended)}`)
          return look()
        })

      it('is checked and foretold before anything is made', async () => {
        const folder = openFolder('asked', sums(100))
        const doctor = await folder.run('doctor', '--config', 'job.yml', '--json')
        const findings: readonly { check: string; ok: boolean; detail: string }[] = JSON.parse(doctor.stdout)
        assert.deepEqual(
          findings.filter(({ ok }) => !ok),
          [],
        )
        assert.match(
          findings.find(({ check }) => check === 'offers')?.detail ?? '',
          /best is c5\.large in us-east-1[a-f] /,
        )
        assert.equal(doctor.exitCode, 0, shown(doctor))
        const plan = await folder.run('plan', '--config', 'job.yml', '--task-file', 'tasks.json', '--json')
        assert.equal(plan.exitCode, 0, shown(plan))
        const { choice, instances_to_start: count } = JSON.parse(plan.stdout)
        assert.equal(choice.instance_type, 'c5.large')
        assert.ok(count >= 1 && count <= 2)
        assert.equal(await stackIsThere('asked'), false)
        assert.deepEqual(await objectsUnder(''), [])
      })

      it('runs a job from nothing to nothing: one VM first, the others after it, one taken by spot', async () => {
        const folder = openFolder('whole', [...sums(200), { task_id: 'big', data: { bytes: BIG_BYTES } }])
        const run = folder.start('run', '--config', 'job.yml', '--task-file', 'tasks.json', '--json')
        const first = await whileRuns(run, 'the first result', async () => {
          const count = (await instances('whole')).length
          if (folder.count("status = 'completed'") > 0) return (await instances('whole'))[0]
          assert.ok(count <= 1, 'nothing but one VM has been started')
          return undefined
        })
        await whileRuns(run, 'the others were started', async () => (await instances('whole'))[1])
        await lab.ec2.interrupt(first, NOTICE_MS)
        assert.match(first.machine.console(), /taken away/)
        const ended = await run.ended
        assert.equal(ended.exitCode, 0, shown(ended))
        const report = JSON.parse(ended.stdout)
        assert.equal(report.counts.completed, 201)
        assert.deepEqual(report.spotTerminatedHosts, [hostname()]) // all machines of the lab have this host's name
        assert.equal(report.cost.vmCount, (await instances('whole')).length)
        isRight(folder, 200)
        await isGone('whole')
      })

      it('finds a result that is larger than a message through the database', async () => {
        const folder = folders.find(({ jobId }) => jobId === 'whole')
        assert.ok(folder !== undefined)
        const [row] = folder.query("SELECT result FROM tasks WHERE task_id = 'big'")
        const { result_url: url, bytes } = JSON.parse(String(row?.result))
        assert.match(url, /^s3:\/\/lab-bucket\/cloud-tasks\/whole\/results\/big\//)
        assert.equal(bytes, BIG_BYTES + 2) // quotes
        const hash = createHash('sha256')
        for await (const chunk of lab.provider.openObjects().read(url)) hash.update(chunk)
        const expected = createHash('sha256').update(JSON.stringify('x'.repeat(BIG_BYTES)))
        assert.equal(hash.digest('hex'), expected.digest('hex'))
      })

      it('goes on after its manager was killed, while its VMs went on working', async () => {
        const folder = openFolder('killed', sums(300))
        const run = folder.start('run', '--config', 'job.yml', '--task-file', 'tasks.json')
        await whileRuns(run, 'two VMs work', async () => {
          return folder.count("status = 'completed'") > 20 && (await instances('killed')).length === 2
            ? true
            : undefined
        })
        run.child.kill('SIGKILL')
        await run.ended
        const events = lab.provider.openQueue('killed-events', { leaseSeconds: 10 })
        await lab.until('more results wait', async () => ((await events.admin.depth())?.ready ?? 0) > 10 || undefined)
        const listed = await folder.run('list_running_instances', '--config', 'job.yml', '--json')
        const ids = JSON.parse(listed.stdout).map(({ id }: { id: string }) => id)
        assert.deepEqual(ids.toSorted(), (await instances('killed')).map(({ id }) => id).toSorted(), shown(listed))
        const status = await folder.run('status', '--config', 'job.yml', '--json')
        const { instances: groups, queue } = JSON.parse(status.stdout)
        assert.equal(groups.length, 1, shown(status))
        assert.ok(queue.ready + queue.leased > 0)
        const on = await folder.run('run', '--continue', '--config', 'job.yml', '--json')
        assert.equal(on.exitCode, 0, shown(on))
        assert.equal(JSON.parse(on.stdout).counts.completed, 300)
        isRight(folder, 300)
        assert.equal((await instances('killed')).length, 2, 'no VM is started in the place of one that works')
        await isGone('killed')
      })

      it('stops a manager in the cloud that has not looked yet, and lets it go on', async () => {
        const folder = openFolder('deployed', sums(200))
        const managerAfter = async (command: string): Promise<{ stopped?: { because: string } } | undefined> => {
          const ended = await folder.run(command, '--config', 'job.yml')
          assert.equal(ended.exitCode, 0, shown(ended))
          return JSON.parse((await folder.run('status', '--config', 'job.yml', '--json')).stdout).manager
        }
        assert.equal(await managerAfter('deploy'), undefined)
        assert.equal((await managerAfter('stop'))?.stopped?.because, 'it was stopped by cloud-tasks stop')
        assert.equal((await managerAfter('deploy'))?.stopped, undefined)
      })

      it('takes over from the manager in the cloud, and leaves what was deployed', async () => {
        const folder = folders.find(({ jobId }) => jobId === 'deployed')
        assert.ok(folder !== undefined)
        assert.equal((await functionNames(lab.moto)).length, 2)
        const loaded = await folder.run('load_queue', '--config', 'job.yml', '--task-file', 'tasks.json')
        assert.equal(loaded.exitCode, 0, shown(loaded))
        const schedule = new AbortController()
        const failures: string[] = []
        const managing = callOnSchedule(lab.moto, { everyMs: SCHEDULE_MS, signal: schedule.signal, failures })
        try {
          await lab.until('its VMs work', async () => {
            const depth = await lab.provider.openQueue('deployed-events', { leaseSeconds: 10 }).admin.depth()
            return (depth?.ready ?? 0) > 10 || undefined
          })
          const run = folder.start('run', '--continue', '--config', 'job.yml', '--json')
          await whileRuns(run, 'the functions are gone', async () => {
            assert.ok((await lab.aliveCount('deployed')) <= 2, 'the two managers together keep to the limit')
            return (await functionNames(lab.moto)).length === 0 || undefined
          })
          const ended = await run.ended
          assert.equal(ended.exitCode, 0, shown(ended))
          assert.equal(JSON.parse(ended.stdout).counts.completed, 200)
        } finally {
          schedule.abort()
          await managing
        }
        // The emulator takes the parts of a stack away in any order: the last look may miss the table.
        assert.deepEqual(
          failures.filter(text => !text.includes('table cloud-tasks-deployed does not exist')),
          [],
        )
        isRight(folder, 200)
        assert.equal((await instances('deployed')).length, 2, 'no VM was started twice')
        assert.equal(await lab.aliveCount('deployed'), 0)
        for (const name of ['deployed', 'deployed-events', 'deployed-dead']) {
          const depth = await lab.provider.openQueue(name, { leaseSeconds: 60 }).admin.depth()
          assert.equal((depth?.ready ?? 0) + (depth?.leased ?? 0), 0, name)
          assert.ok(depth !== undefined, name)
        }
        assert.ok(await stackIsThere('deployed'))
        const destroyed = await folder.run('destroy', '--config', 'job.yml', '--force')
        assert.equal(destroyed.exitCode, 0, shown(destroyed))
        await isGone('deployed')
      })

      it('ends VMs that nobody looks after by one command', async () => {
        const folder = openFolder('left', sums(2000), ['idle_shutdown: 600'])
        const run = folder.start('run', '--config', 'job.yml', '--task-file', 'tasks.json')
        await whileRuns(run, 'a VM works', async () => folder.count("status = 'completed'") > 0 || undefined)
        run.child.kill('SIGTERM')
        const left = await run.ended
        assert.equal(left.exitCode, 143, shown(left))
        assert.ok((await lab.aliveCount('left')) > 0)
        const stop = await folder.run('stop', '--config', 'job.yml')
        assert.equal(stop.exitCode, 0, shown(stop))
        assert.match(stop.stdout, /Ended \d VMs\nJob 'left' stopped/)
        assert.equal(await lab.aliveCount('left'), 0)
        const destroyed = await folder.run('destroy', '--config', 'job.yml', '--force')
        assert.equal(destroyed.exitCode, 0, shown(destroyed))
        await isGone('left')
      })
    })
  }),
)

const TASK = `export default async (id, { a, b, bytes }) => {
  if (bytes) return 'x'.repeat(bytes)
  await new Promise(resolve => setTimeout(resolve, 250))
  return a + b
}
`

function sums(count: number): readonly object[] {
  return Array.from({ length: count }, (_, index) => ({ task_id: `sum-${index}`, data: { a: index, b: 7 * index } }))
}

function jobFile({ env, section }: AwsLab, jobId: string, run: readonly string[]): string {
  return `provider: aws
run:
  task: ./task.ts
  bundle: ./bundle
  use_spot: true
  max_instances: 2
  instance_types: c5\\.large$
  lease_seconds: 10
  scaling_check_interval: 2
  environment: { AWS_ENDPOINT_URL: '${env.AWS_ENDPOINT_URL}' }
${run.map(line => `  ${line}\n`).join('')}aws:
  job_id: ${jobId}
${section.map(line => `  ${line}`).join('\n')}
`
}

/** Every sum is there and right, and no task was completed by two attempts. */
function isRight(folder: JobFolder, count: number): void {
  const right = "result = json_extract(task_data, '$.a') + json_extract(task_data, '$.b')"
  assert.equal(folder.count(`status = 'completed' AND ${right}`), count)
  const doubled = folder.query(
    "SELECT task_id FROM events WHERE event_type = 'task_completed' GROUP BY task_id HAVING count(DISTINCT attempt) > 1",
  )
  assert.deepEqual(doubled, [])
}

function shown({ exitCode, stdout, stderr }: Ended): string {
  return `exit ${exitCode}\n${stdout}\n${stderr}`
}
