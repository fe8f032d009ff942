// Tasks a second: the agent alone, the collector alone, the loader alone, and all of them at once.
import { eventQueueName } from '../../core/names.ts'
import { startAgent } from './agent-process.ts'
import type { Context } from './context.ts'
import { bare } from './limits.ts'
import { alternate } from './measure.ts'
import { JOB_ID, LEASE_SECONDS, openLocalCloud } from './place.ts'
import { numberOf, runProgram, startProgram } from './program.ts'
import { namedPeers, type Row } from './row.ts'
import { copyOf, makeTemplate, program, RUN, rateOf, type Template } from './template.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

const AGENT_TARGET = 100_000
const PYTHON_TARGET = 20_000
const ALL_TARGET = 60_000
const LOAD_TARGET = 150_000
const COLLECT_TARGET = 100_000

export async function measureAgent(context: Context): Promise<readonly Row[]> {
  context.say('the agent alone')
  await using folder = await openTemporaryFolder()
  const template = await makeTemplate(folder.path, context.sizes.tasks)
  const { ours, python, limit } = await alternate(
    {
      ours: () => drain(template),
      python: () => drain(template, 'trivial.py'),
      limit: () => bareAgent(template),
    },
    { repeats: context.repeats },
  )
  return [
    {
      what: 'agent alone, 2 slots',
      unit: 'tasks/s',
      ours,
      limit: { name: 'without safety', value: limit },
      target: { atLeast: AGENT_TARGET },
    },
    { what: 'the same with a Python function', unit: 'tasks/s', ours: python, target: { atLeast: PYTHON_TARGET } },
  ]
}

export async function measureCollector({ sizes, repeats, say }: Context): Promise<readonly Row[]> {
  say('the collector')
  await using folder = await openTemporaryFolder()
  const template = await makeTemplate(folder.path, sizes.tasks)
  await runProgram([program('fill-events.ts'), template.ours, String(sizes.tasks)], RUN)
  await runProgram([bare('agent.ts'), template.bare], RUN)
  const { ours, limit } = await alternate(
    {
      ours: async () => {
        await using copy = await copyOf(template.ours)
        return collected(await runProgram([program('collect.ts'), copy.path], RUN))
      },
      limit: async () => {
        await using copy = await copyOf(template.bare)
        return await rateOf([bare('collect.ts'), copy.path, String(sizes.tasks)])
      },
    },
    { repeats },
  )
  return [
    {
      what: 'collector: events into the job DB',
      unit: 'events/s',
      ours,
      limit: { name: 'without safety', value: limit },
      target: { atLeast: COLLECT_TARGET },
    },
  ]
}

export async function measureAll({ sizes, repeats, peers, say }: Context): Promise<readonly Row[]> {
  say('everything at once')
  await using folder = await openTemporaryFolder()
  const template = await makeTemplate(folder.path, sizes.tasks)
  const { drained, limit, withLoad } = await alternate(
    {
      drained: () => drainAndCollect(template),
      limit: () => bareDrainAndCollect(template),
      withLoad: () => loadDrainAndCollect(template),
    },
    { repeats },
  )
  return [
    {
      what: 'agent, collector and job DB at once',
      unit: 'tasks/s',
      ours: drained,
      limit: { name: 'without safety', value: limit },
      peers: namedPeers(peers.run),
      target: { atLeast: ALL_TARGET },
    },
    { what: 'the same from the task file on, start of processes included', unit: 'tasks/s', ours: withLoad },
  ]
}

export async function measureLoader({ sizes, repeats, peers, say }: Context): Promise<readonly Row[]> {
  say('the loader')
  await using folder = await openTemporaryFolder()
  const template = await makeTemplate(folder.path, sizes.tasks)
  const { ours, limit } = await alternate(
    {
      ours: async () => {
        await using empty = await openTemporaryFolder()
        return await rateOf([program('load.ts'), empty.path, template.taskFile])
      },
      limit: async () => {
        await using empty = await openTemporaryFolder()
        return await rateOf([bare('load.ts'), template.taskFile, empty.path])
      },
    },
    { repeats },
  )
  return [
    {
      what: 'loader: JSON task file into job DB and queue',
      unit: 'tasks/s',
      ours,
      limit: { name: 'without safety', value: limit },
      peers: namedPeers(peers.load),
      target: { atLeast: LOAD_TARGET },
    },
  ]
}

async function drain(template: Template, task = 'trivial.mjs'): Promise<number> {
  await using copy = await copyOf(template.ours)
  return await rateOf([program('drain.ts'), copy.path, String(template.count), task])
}

async function bareAgent(template: Template): Promise<number> {
  await using copy = await copyOf(template.bare)
  return await rateOf([bare('agent.ts'), copy.path])
}

async function drainAndCollect(template: Template): Promise<number> {
  await using copy = await copyOf(template.ours)
  await using collector = startProgram([program('collect.ts'), copy.path], RUN)
  await using _agent = startAgent({ folder: copy.path, task: 'trivial.mjs' })
  return collected(await collector.answer)
}

async function bareDrainAndCollect(template: Template): Promise<number> {
  await using copy = await copyOf(template.bare)
  await using collector = startProgram([bare('collect.ts'), copy.path, String(template.count)], RUN)
  await using agent = startProgram([bare('agent.ts'), copy.path], RUN)
  await agent.answer
  return numberOf(await collector.answer, 'perSecond')
}

/** From nothing but a task file to all results in the job DB. */
async function loadDrainAndCollect({ taskFile, count }: Template): Promise<number> {
  await using folder = await openTemporaryFolder()
  const startedAt = performance.now()
  await using loader = startProgram([program('load.ts'), folder.path, taskFile], RUN)
  await using _agent = startAgent({ folder: folder.path, task: 'trivial.mjs' })
  await firstEvent(folder.path, loader.answer)
  await using collector = startProgram([program('collect.ts'), folder.path], RUN)
  await loader.answer
  collected(await collector.answer)
  return count / ((performance.now() - startedAt) / 1000)
}

/** By then the job DB knows all tasks. */
async function firstEvent(folder: string, loaded: Promise<unknown>): Promise<void> {
  const provider = await openLocalCloud(folder)
  const events = provider.openQueue(eventQueueName(JOB_ID), { leaseSeconds: LEASE_SECONDS })
  let failed = false
  loaded.catch(() => {
    failed = true
  })
  while (!failed && ((await events.admin.depth())?.ready ?? 0) < 2)
    await new Promise(resolve => setTimeout(resolve, 10))
  await provider.close()
}

/** The collector's rate, once it is sure that it did all of its work. */
function collected(answer: Readonly<Record<string, number>>): number {
  const unfinished = numberOf(answer, 'unfinishedCount')
  if (unfinished !== 0) throw new Error(`The collector ended with ${unfinished} tasks unfinished.`)
  return numberOf(answer, 'perSecond')
}
