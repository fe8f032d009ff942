// A whole job on AWS as a person has it, with nothing faked but the cloud's own servers: the CDK deploys the real app, its
// function looks after the VMs on its schedule, every instance boots its user data on this host in a network of its own, one
// is taken by spot and one dies, and what is left at the end is nothing but the results.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { globSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { JobFolder } from '../../support/job-folder.ts'
import { commandsOf } from '../../support/shell-blocks.ts'
import { withTools } from '../../support/test-tools.ts'
import { type AwsLab, NOTICE_MS, openAwsLab, REGION } from './lab-job.ts'
import { callOnSchedule, putSecret } from './moto-requests.ts'

const JOB_ID = 'lab-job'
const TASK_COUNT = 400
const TASK_MS = 250
const CDK_FOLDER = join(import.meta.dirname, '../../../infra/aws')
const SCHEDULE_MS = 1000 // a minute on AWS
const LIMIT_MS = 420_000
const run = promisify(execFile)

withTools(() => {
  describe('aws: a job from cdk deploy to cdk destroy', { timeout: LIMIT_MS }, () => {
    let lab: AwsLab
    let folder: JobFolder
    before(async () => {
      lab = await openAwsLab()
      await putSecret(lab.moto, '/lab/api-key', SECRET)
      folder = new JobFolder({ jobId: JOB_ID, env: lab.env })
      folder.write('tasks.json', JSON.stringify(makeTasks()))
      mkdirSync(folder.file('bundle'))
      folder.write('bundle/task.ts', TASK)
      folder.write('job.yml', jobFile(lab))
    })
    after(async () => {
      await lab.close()
      assert.equal(await folder.remove(), 0, 'no process is left')
    })

    const cdk = (...args: string[]) =>
      run(process.execPath, [join(CDK_FOLDER, 'node_modules/aws-cdk/bin/cdk'), ...args], {
        cwd: CDK_FOLDER,
        env: { ...process.env, ...lab.env, CDK_DISABLE_CLI_TELEMETRY: 'true' },
        timeout: 120_000,
      })
    const deployed = () => ['-c', `config=${folder.file('job.yml')}`]

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
      const outputs = join(lab.disk, 'outputs.json')
      const place = ['--output', join(lab.disk, 'cdk.out'), '--outputs-file', outputs]
      await cdk('deploy', ...deployed(), '--require-approval', 'never', '--method', 'direct', ...place)
    })

    it('is drained by VMs that its function starts, through a spot interruption and the death of a host', async () => {
      const loaded = await folder.run('load_queue', '--config', 'job.yml', '--task-file', 'tasks.json')
      assert.equal(loaded.exitCode, 0, loaded.stderr)
      const monitor = folder.start('monitor_event_queue', '--config', 'job.yml', '--json')
      const schedule = new AbortController()
      const failures: string[] = []
      const managing = callOnSchedule(lab.moto, { everyMs: SCHEDULE_MS, signal: schedule.signal, failures })
      try {
        const [first] = await lab.until('a VM works', async () =>
          folder.count("status = 'completed'") > 0 ? lab.ec2.instances : [],
        )
        assert.ok(first !== undefined)
        const other = await lab.until('another VM was started', async () => lab.ec2.instances[1])
        await lab.ec2.interrupt(first, NOTICE_MS)
        assert.match(first.machine.console(), /taken away/)
        await lab.ec2.kill(other)
        const { exitCode, stdout, stderr } = await monitor.ended
        assert.equal(exitCode, 0, stderr)
        assert.equal(JSON.parse(stdout).counts.completed, TASK_COUNT + 1)
        await lab.until('all VMs have ended by themselves', async () =>
          (await lab.aliveCount(JOB_ID)) === 0 ? true : undefined,
        )
      } finally {
        schedule.abort()
        await managing
        monitor.child.kill('SIGINT')
      }
      assert.deepEqual(failures, [])
      assert.ok(lab.ec2.instances.length >= 3, 'what was lost was replaced')
      assert.ok(lab.ec2.instances.every(({ machine }) => machine.isOff && machine.pids().length === 0))
    })

    it('has every result once, and the cost of every VM', () => {
      const right = "result = json_extract(task_data, '$.a') + json_extract(task_data, '$.b')"
      assert.equal(folder.count(`status = 'completed' AND ${right}`), TASK_COUNT)
      const doubled = folder.query(
        "SELECT task_id FROM events WHERE event_type = 'task_completed' GROUP BY task_id HAVING count(DISTINCT attempt) > 1",
      )
      assert.deepEqual(doubled, [])
      const vms = folder.query('SELECT id, price_per_hour FROM instances WHERE state IS NOT NULL')
      assert.equal(vms.length, lab.ec2.instances.length)
      assert.ok(vms.every(vm => Number(vm.price_per_hour) > 0))
      // Moto's spot price is a constant of next to nothing: the time that is billed tells more than the money.
      const [billed] = folder.query('SELECT sum(total_ms) AS total, sum(useful_ms) AS useful FROM ledger')
      assert.ok(Number(billed?.total) > Number(billed?.useful) && Number(billed?.useful) > 0)
    })

    it('brings variables and secrets to tasks byte for byte, and shows no secret anywhere', () => {
      const [row] = folder.query("SELECT result FROM tasks WHERE task_id = 'environment'")
      assert.deepEqual(JSON.parse(String(row?.result)), { ...AWKWARD, API_KEY: SECRET })
      const assembly = globSync('**/*.json', { cwd: join(lab.disk, 'cdk.out') })
      assert.ok(assembly.length > 0)
      for (const file of assembly) assert.doesNotMatch(readFileSync(join(lab.disk, 'cdk.out', file), 'utf8'), /s3cr3t/)
      for (const { machine } of lab.ec2.instances) assert.doesNotMatch(machine.console(), /s3cr3t/)
    })

    it('leaves nothing behind when it is destroyed', async () => {
      await cdk('destroy', ...deployed(), '--force', '--output', join(lab.disk, 'cdk.out'))
      for (const name of [JOB_ID, `${JOB_ID}-events`, `${JOB_ID}-dead`]) {
        assert.equal(await lab.provider.openQueue(name, { leaseSeconds: 60 }).admin.depth(), undefined, name)
      }
      assert.equal(await lab.aliveCount(JOB_ID), 0)
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

function jobFile({ env, section }: AwsLab): string {
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
  environment: ${JSON.stringify({ ...AWKWARD, AWS_ENDPOINT_URL: env.AWS_ENDPOINT_URL })}
  secrets:
    API_KEY: /lab/api-key
aws:
  job_id: ${JOB_ID}
${section.map(line => `  ${line}`).join('\n')}
`
}
