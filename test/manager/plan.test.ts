import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import type { SectionValues } from '../../core/config-keys.ts'
import type { Offer, ProviderLimits } from '../../infra/provider.ts'
import { type PlanInputs, planJob } from '../../manager/plan.ts'
import { planAsJson, renderPlan } from '../../manager/plan-text.ts'
import { JobFolder } from '../support/job-folder.ts'
import { configWith, offer } from './offers.ts'

const LIMITS: ProviderLimits = {
  maxBodyBytes: 1000,
  maxLeaseSeconds: 600,
  maxTotalLeaseSeconds: 3600,
  maxDelaySeconds: 900,
  maxBatch: 10,
}

interface Given extends Partial<Omit<PlanInputs, 'config' | 'tasks'>> {
  readonly config?: SectionValues
  readonly count?: number
  readonly offers?: readonly Offer[]
  readonly largest?: PlanInputs['tasks']['largest']
}

function plan({ config = {}, count, largest, ...rest }: Given) {
  return planJob({
    config: configWith(config),
    offers: [offer()],
    limits: LIMITS,
    tasks: { count, largest },
    taskSeconds: [],
    sample: undefined,
    ...rest,
  })
}

describe('a plan', () => {
  it('starts what the work needs, of what is cheapest for it', () => {
    const offers = [offer(), offer({ instanceType: 'm-4', vcpuCount: 4, priceUsdPerHour: 0.12 })]
    const made = plan({ offers, count: 10, config: { max_instances: 20 } })
    assert.deepEqual(planAsJson(made), {
      task_count: 10,
      choice: {
        instance_type: 'm-4',
        boot_disk_type: null,
        price_per_hour: 0.12,
        zone: 'z-a',
        spot: true,
        boot_disk_gb: 10,
      },
      tasks_per_instance: 4,
      instances_to_start: 3,
      reason: '3 more VMs, as many as the work left needs',
      forecast: null,
      warnings: [],
    })
  })

  it('forecasts exactly what is certain', () => {
    const { forecast } = plan({ count: 400, taskSeconds: [36], config: { max_instances: 10 } })
    assert.ok(forecast)
    // 400 tasks of 36 s in 20 slots, no boot time and no preemption on this machine; only the end of the last wave is open.
    const { p10, p50, p90 } = forecast.durationSeconds
    assert.ok(p10 >= 720 && p90 <= 720 + 36, `${p10} ${p90}`)
    assert.ok(p10 <= p50 && p50 <= p90)
    assert.ok(forecast.costUsd.p10 >= 0.2 && forecast.costUsd.p90 <= 0.205, JSON.stringify(forecast.costUsd))
  })

  it('is wider the less is known of the tasks, and dearer with preemptions', () => {
    const spread = (taskSeconds: readonly number[], config: SectionValues = {}) => {
      const { forecast } = plan({ count: 10_000, taskSeconds, config })
      return forecast ?? assert.fail()
    }
    const width = ({ costUsd }: { costUsd: { p10: number; p90: number } }) => costUsd.p90 - costUsd.p10
    const few = spread([1, 10, 100])
    const many = spread(Array.from({ length: 300 }, (_, index) => [1, 10, 100][index % 3] ?? 0))
    assert.ok(width(few) > 3 * width(many), `${width(few)} ${width(many)}`)
    const calm = spread([600])
    const stormy = spread([600], { preemptions_per_hour: 2, boot_seconds: 120 })
    assert.ok(stormy.costUsd.p50 > calm.costUsd.p50 * 1.1, `${stormy.costUsd.p50} ${calm.costUsd.p50}`)
  })

  it('is the same every time', () => {
    const made = () => plan({ count: 1000, taskSeconds: [1, 2, 30], config: { preemptions_per_hour: 1 } }).forecast
    assert.deepEqual(made(), made())
  })

  for (const [what, given, warning] of [
    [
      'a pool that no VM fits into',
      { count: 5, config: { max_total_price_per_hour: 0.05 } },
      /No VM can be started: max_total_price_per_hour allows no more/,
    ],
    [
      'minima that cannot be reached',
      { config: { min_total_cpus: 100 } },
      /No VM is started: min_total_cpus 100 cannot be reached: max_instances allows 20/,
    ],
    [
      'tasks longer than the queue lets one hold them',
      { config: { max_runtime: 7200 } },
      /may run 2 h \(max_runtime\), but local takes a task back after 1 h: .*checkpoints/,
    ],
    [
      'a lease that the queue does not know',
      { config: { lease_seconds: 601 } },
      /lease_seconds 601 is more than .*600/,
    ],
    [
      'data over the body limit',
      { largest: { taskId: 'big', bodyBytes: 1001 } },
      /Task "big" is 1,001 bytes as a message, but local takes 1,000\./,
    ],
    [
      'tasks that will be killed',
      { taskSeconds: [9], config: { max_runtime: 8 } },
      /up to 9 s, but are killed after max_runtime 8 s/,
    ],
    [
      'VMs that end before their tasks',
      { taskSeconds: [90], config: { max_instance_lifetime: 60 } },
      /up to 90 s, but a VM ends after max_instance_lifetime 60 s/,
    ],
    [
      'tasks that could outlive every VM',
      { config: { max_instance_lifetime: 60 } },
      /max_runtime 3600 s is more than max_instance_lifetime 60 s/,
    ],
    [
      'a limit of memory that the VM has not',
      { config: { max_memory_allowed_per_task: 6 } },
      /6 GB × 2 tasks at once is more than m-2 has \(8 GB\)/,
    ],
    [
      'tasks that need more memory than there is',
      { sample: { taskCount: 3, failedCount: 0, failure: undefined, maxRssBytes: 5 * 2 ** 30 } },
      /2 tasks at once need about 10 GB \(5 GB each in the sample\), but m-2 has 8 GB/,
    ],
    [
      'a job that costs more than it may',
      { count: 4000, taskSeconds: [3600], config: { max_total_cost: 100 } },
      /max_total_cost \$100\.00 ends the job after about 49 % of its tasks; all of them cost about \$200/,
    ],
    [
      'sample tasks that failed',
      { sample: { taskCount: 20, failedCount: 3, failure: 'Traceback\nValueError: no', maxRssBytes: undefined } },
      /3 of 20 sample tasks failed, the first so: ValueError: no\./,
    ],
    ['a cloud whose limits are not known', { limits: undefined }, /limits of local are not checked/],
    ['an empty task file', { count: 0 }, /holds no tasks/],
  ] as const satisfies readonly (readonly [string, Given, RegExp])[]) {
    it(`warns of ${what}`, () => {
      const { warnings } = plan(given)
      assert.equal(warnings.filter(text => warning.test(text)).length, 1, warnings.join('\n'))
      for (const text of warnings) assert.doesNotMatch(text, /\n/)
    })
  }

  it('warns of nothing when all fits', () => {
    assert.deepEqual(plan({ count: 100, taskSeconds: [10], config: { max_total_cost: 100 } }).warnings, [])
    assert.doesNotMatch(renderPlan(plan({ count: 100, taskSeconds: [10] })), /Warning/)
  })
})

describe('cloud-tasks plan', () => {
  let folder: JobFolder
  before(() => {
    folder = new JobFolder({ jobId: 'planned', taskCount: 200 })
  })
  after(() => folder.remove())

  it('measures a sample with the real agent, says what the job costs, and touches nothing', async () => {
    const before = readdirSync(folder.path)
    const { exitCode, stdout, stderr } = await folder.run(
      ...['plan', '--config', 'job.yml', '--task-file', 'tasks.json', '--sample', '20', '--json'],
    )
    assert.equal(exitCode, 0, stderr)
    const made = JSON.parse(stdout)
    assert.deepEqual([made.task_count, made.instances_to_start, made.warnings], [200, 2, []])
    assert.equal(made.forecast.assumptions.duration_count, 20)
    assert.ok(made.forecast.seconds_per_task >= 0.002 && made.forecast.seconds_per_task < 1)
    assert.ok(made.forecast.cost_usd.p10 <= made.forecast.cost_usd.p90)
    assert.deepEqual(readdirSync(folder.path), before)
    assert.equal(existsSync(folder.file('.cloud-tasks')), false)
  })

  it('tells of a sample that fails', async () => {
    folder.write('bad.ts', `export default async () => { throw new Error('no such file') }\n`)
    const { stdout } = await folder.run(
      ...['plan', '--config', 'job.yml', '--task-file', 'tasks.json', '--sample', '3', '--task-program', './bad.ts'],
    )
    assert.match(stdout, /^Warning: 3 of 3 sample tasks failed, the first so: .*$/m)
    assert.match(stdout, /^Forecast +not possible/m)
    const missing = await folder.run(
      ...['plan', '--config', 'job.yml', '--task-file', 'tasks.json', '--sample', '3', '--task-program', './none.ts'],
    )
    assert.equal(missing.exitCode, 1)
    assert.match(missing.stderr, /The sample could not be run: .*none\.ts/)
  })

  it('plans for a cloud that is not at hand, from a catalog file', async () => {
    folder.write(
      'offers.json',
      JSON.stringify([
        { instance_type: 'n2-2', vcpus: 2, memory_gb: 8, price_per_hour: 0.02, zone: 'z', boot_disk_type: 'pd-ssd' },
        { instance_type: 'n2-8', vcpus: 8, memory_gb: 32, price_per_hour: 0.07, zone: 'z', boot_disk_type: 'pd-ssd' },
      ]),
    )
    const { exitCode, stdout, stderr } = await folder.run(
      ...['plan', '--provider', 'gcp', '--catalog', 'offers.json', '--tasks', '1000', '--seconds-per-task', '60,90'],
      ...['--max-instances', '5', '--use-spot', '--json'],
    )
    assert.equal(exitCode, 0, stderr)
    const made = JSON.parse(stdout)
    assert.deepEqual(
      [made.choice.instance_type, made.choice.boot_disk_type, made.choice.price_per_hour, made.tasks_per_instance],
      ['n2-8', 'pd-ssd', 0.07, 8],
    )
    assert.equal(made.instances_to_start, 5)
  })

  it('refuses durations that are none, and a sample without tasks', async () => {
    const wrong = await folder.run('plan', '--config', 'job.yml', '--tasks', '5', '--seconds-per-task', '1,two')
    assert.equal(wrong.exitCode, 2)
    const none = await folder.run('plan', '--config', 'job.yml', '--sample', '5')
    assert.match(none.stderr, /--sample takes its tasks from --task-file/)
  })

  it('names what is missing for a task file in another cloud', async () => {
    const url = 'az://container/tasks.json'
    const { exitCode, stderr } = await folder.run('plan', '--config', 'job.yml', '--task-file', url)
    assert.equal(exitCode, 1)
    assert.match(stderr, /Task file az:\/\/container\/tasks\.json is read through the provider azure: /)
  })
})
