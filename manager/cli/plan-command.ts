// plan: what a job would do and cost, before anything is touched. Makes no VM, no queue and no database.
import { UserError } from '../../core/errors.ts'
import type { JobConfig } from '../../core/job-config.ts'
import { openProvider } from '../../infra/open-provider.ts'
import type { Offer, Provider } from '../../infra/provider.ts'
import { planJob, type SampleFacts, type TaskFacts } from '../plan.ts'
import { planAsJson, renderPlan } from '../plan-text.ts'
import { EXIT_CODES, watchInterrupts } from './interrupts.ts'
import type { Invocation } from './invocation.ts'
import { loadOffers, readCatalogFile } from './load-catalog.ts'
import { loadConfig } from './load-config.ts'
import { providerSettings } from './open-job.ts'
import { runSample } from './run-sample.ts'
import { surveyTasks } from './survey-tasks.ts'
import { objectsFor } from './task-file-objects.ts'

export async function planCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  const { config } = await loadConfig(invocation)
  const provider = await openIfThere(config, invocation)
  using interrupts = watchInterrupts()
  const stop = new AbortController()
  try {
    const planning = makePlan({ config, provider, invocation, signal: stop.signal })
    planning.catch(() => {}) // reported through the race, unless an interrupt won it
    const plan = await Promise.race([planning, interrupts.next()])
    terminal.showBlock([])
    if (typeof plan === 'string') {
      stop.abort()
      await planning.catch(() => {})
      return EXIT_CODES[plan]
    }
    terminal.print(options.has('json') ? JSON.stringify(planAsJson(plan), undefined, 2) : renderPlan(plan))
    return 0
  } finally {
    await provider?.close()
  }
}

interface PlanParts {
  readonly config: JobConfig
  readonly provider: Provider | undefined
  readonly invocation: Invocation
  readonly signal: AbortSignal
}

async function makePlan({ config, provider, invocation, signal }: PlanParts) {
  const offers = await offersOf(config, provider, invocation)
  const { tasks, sample, taskSeconds } = await learnTasks({ config, provider, invocation, signal })
  return planJob({ config, offers, limits: provider?.limits, tasks, sample, taskSeconds })
}

async function offersOf(
  config: JobConfig,
  provider: Provider | undefined,
  { options }: Invocation,
): Promise<readonly Offer[]> {
  const file = options.text('catalog')
  if (file !== undefined) return readCatalogFile(file)
  if (provider === undefined) throw new Error('A plan without a catalog has a provider.')
  const { region, pool, bootDisk } = config
  return loadOffers(provider.openCatalog(), undefined, { region, spot: pool.spot, bootDiskTypes: bootDisk.types })
}

interface Learned {
  readonly tasks: TaskFacts
  readonly sample: SampleFacts | undefined
  readonly taskSeconds: readonly number[]
}

async function learnTasks({ config, provider, invocation, signal }: PlanParts): Promise<Learned> {
  const { options, terminal } = invocation
  const [taskFile, sampleCount] = [options.text('task-file'), options.count('sample') ?? 0]
  const given = givenSeconds(options.text('seconds-per-task'))
  if (sampleCount > 0 && taskFile === undefined)
    throw new UserError('--sample takes its tasks from --task-file: give it.')
  if (taskFile === undefined) {
    return { tasks: { count: options.count('tasks'), largest: undefined }, sample: undefined, taskSeconds: given }
  }
  const objects = await objectsFor(taskFile, { provider, config, invocation })
  try {
    const survey = await surveyTasks(invocation, { taskFile, objects: objects.reader, sampleCount })
    const tasks = { count: options.count('tasks') ?? survey.count, largest: survey.largest }
    if (survey.sample.length === 0) return { tasks, sample: undefined, taskSeconds: given }
    terminal.showBlock([`Running ${survey.sample.length} tasks here …`])
    const sample = await runSample(survey.sample, config, signal)
    return { tasks, sample, taskSeconds: given.length > 0 ? given : sample.taskSeconds }
  } finally {
    await objects.close()
  }
}

/** `2.5`, or several as a sample: `1,2,9`. */
function givenSeconds(text: string | undefined): readonly number[] {
  if (text === undefined) return []
  const values = text.split(',').map(part => Number(part.trim() || Number.NaN))
  if (values.every(value => Number.isFinite(value) && value >= 0)) return values
  throw new UserError(`--seconds-per-task must be a number of seconds, or several with commas, not "${text}".`, {
    exitCode: 2,
  })
}

/** With a catalog file a plan needs no cloud, so that of a cloud that is not at hand can be made too. */
async function openIfThere(config: JobConfig, invocation: Invocation): Promise<Provider | undefined> {
  try {
    return await openProvider(config.provider, providerSettings(config, invocation))
  } catch (error) {
    if (invocation.options.text('catalog') === undefined || !(error instanceof UserError)) throw error
    return undefined
  }
}
