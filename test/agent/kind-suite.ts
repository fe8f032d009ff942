// One behaviour for every kind of task program. A kind is a program of test/fixtures/kinds, or one like them, and a way to
// start it on the queue of a bench; what it cannot do at all it says with a reason.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '../../core/task.ts'
import { type AgentBench, type Fields, openBench, type RunningAgent, tasks } from './agent-run.ts'

/** What a test asks for beside the task program; times in seconds. */
export interface Situation {
  readonly retryOnException?: boolean
  readonly retryOnExit?: boolean
  readonly maxRuntimeSeconds?: number
  readonly maxMemoryGb?: number
  readonly graceSeconds?: number
  /** A notice comes after so long, and the end five seconds later. */
  readonly noticeAfterSeconds?: number
  /** It ends by itself when so many attempts have ended. */
  readonly attempts?: number
}

const BEHAVIOURS = [
  'success',
  'many',
  'unicode',
  'retry',
  'exception',
  'exit',
  'kill',
  'time-out',
  'memory',
  'shutdown',
  'notice',
  'checkpoint',
  'rubbish',
  'long result',
] as const
export type Behaviour = (typeof BEHAVIOURS)[number]

export interface TaskKind {
  readonly name: string
  /** Starts it on the queue `job` of the bench. SIGTERM asks it to stop; what tasks print can be seen. */
  start(bench: AgentBench, situation: Situation): RunningAgent | Promise<RunningAgent>
  /** How a failure is reported. Default: as an exception with its text. */
  readonly failure?: 'task_exception' | 'task_exited'
  /** Whether what a task prints is kept for its event. Default: true. */
  readonly keepsOutput?: boolean
  /** Tasks that are many for it. Default 30; fewer where each is slow to start. */
  readonly manyCount?: number
  /** Behaviours that this kind cannot have, and why. */
  readonly lacks?: Partial<Readonly<Record<Behaviour, string>>>
}

/** A kind that `cloud-tasks-agent` runs. */
export function agentKind(name: string, words: readonly string[], more: Partial<TaskKind> = {}): TaskKind {
  return { name, start: (bench, situation) => bench.start(...optionsFor(situation), ...words), ...more }
}

export function optionsFor(given: Situation): string[] {
  const number = (flag: string, value: number | undefined) => (value === undefined ? [] : [flag, String(value)])
  return [
    ...(given.retryOnException ? ['--retry-on-exception'] : []),
    ...(given.retryOnExit ? ['--retry-on-exit'] : []),
    ...number('--max-runtime', given.maxRuntimeSeconds),
    ...number('--max-memory-allowed-per-task', given.maxMemoryGb),
    ...number('--shutdown-grace-period', given.graceSeconds),
    ...number('--simulate-spot-termination-after', given.noticeAfterSeconds),
    ...(given.noticeAfterSeconds === undefined ? [] : ['--simulate-spot-termination-delay', '5']),
    ...number('--max-num-tasks', given.attempts),
  ]
}

const TEXT = 'é "\\ \u2028 \n 🚀 𝒳'
const TEN_MB = 10 * 1000 ** 2

export function describeKind(kind: TaskKind): void {
  const { failure = 'task_exception', manyCount = 30, lacks = {} } = kind
  const behaves = (behaviour: Behaviour, what: string, test: () => Promise<void>) => {
    if (lacks[behaviour] === undefined) it(what, test)
  }
  const printed = (event: Fields | undefined, pattern: RegExp) => {
    if (kind.keepsOutput ?? true) assert.match(String(event?.log_tail), pattern)
  }

  // What harms nobody is one run: rubbish and 10 MB come amid the others.
  const PEACEFUL: readonly JsonObject[] = [
    { how: 'succeed', text: 'plain' },
    { how: 'rubbish' },
    { how: 'unicode', text: TEXT },
    { how: 'fail' },
    { how: 'long', bytes: TEN_MB },
  ]
  let peace: ReturnType<typeof runPeaceful> | undefined

  async function runPeaceful() {
    await using bench = await openBench()
    await bench.load(PEACEFUL.map(data => ({ task_id: String(data.how), data })))
    const { code, stderr } = await (await kind.start(bench, { attempts: PEACEFUL.length })).exit
    assert.equal(code, 0, stderr)
    const events = await bench.events()
    assert.deepEqual(await bench.left(), [], 'the queue is empty')
    const { result_url: url } = (events.find(event => event.task_id === 'long')?.result ?? {}) as Fields
    const chunks: Uint8Array[] = []
    for await (const chunk of bench.provider.openObjects().read(String(url))) chunks.push(chunk)
    return { events, long: Buffer.concat(chunks).toString() }
  }

  /** The events of one task of that run. */
  async function peaceful(how: string): Promise<readonly Fields[]> {
    peace ??= runPeaceful()
    return (await peace).events.filter(event => event.task_id === how)
  }

  /** Runs one task to its end and returns the events. */
  async function eventsOf(data: JsonObject, situation: Situation = {}): Promise<readonly Fields[]> {
    await using bench = await openBench()
    await bench.load([{ task_id: 'one', data }])
    const { code, stderr } = await (await kind.start(bench, { attempts: 1, ...situation })).exit
    assert.equal(code, 0, stderr)
    const events = await bench.events()
    assert.deepEqual(await bench.left(), [], 'the queue is empty')
    return events
  }
  const kinds = (events: readonly Fields[]) => events.map(event => event.event_type)

  describe(`a task as ${kind.name}`, { timeout: 120_000, concurrency: 2 }, () => {
    behaves('success', 'is completed with its result', async () => {
      const [event, ...others] = await peaceful('succeed')
      assert.deepEqual([event?.event_type, event?.retry, event?.attempt], ['task_completed', false, 1])
      assert.deepEqual([event?.result, others], [{ taskId: 'succeed', text: 'plain' }, []])
    })

    behaves('many', 'is one of many, each of which is completed once', async () => {
      await using bench = await openBench()
      await bench.load(tasks(manyCount, { how: 'succeed' }))
      await (await kind.start(bench, { attempts: manyCount })).exit
      const events = await bench.events()
      assert.deepEqual(new Set(kinds(events)), new Set(['task_completed']))
      assert.equal(events.length, manyCount)
      assert.equal(new Set(events.map(event => event.task_id)).size, manyCount)
    })

    behaves('unicode', 'keeps any text', async () => {
      const [event] = await peaceful('unicode')
      assert.deepEqual(event?.result, { taskId: 'unicode', text: TEXT })
    })

    behaves('retry', 'is tried again when it asks for it', async () => {
      const events = await eventsOf({ how: 'retry' }, { attempts: 2, retryOnExit: true })
      assert.deepEqual(
        events.map(event => [event.attempt, event.retry]),
        [
          [1, true],
          [2, false],
        ],
      )
      assert.equal(events[1]?.result, 2)
    })

    behaves('exception', 'reports a failure with what was printed, once', async () => {
      const [event, ...others] = await peaceful('fail')
      assert.deepEqual([event?.event_type, event?.retry, others.length], [failure, null, 0])
      const told = `${event?.exception ?? ''}${event?.log_tail ?? ''}`
      assert.match(told, /no such galaxy/)
      printed(event, /^printed by fail$/m)
    })

    behaves('exception', 'is tried again after a failure where that is the policy', async () => {
      const events = await eventsOf({ how: 'fail' }, { retryOnException: true, retryOnExit: true, attempts: 2 })
      assert.deepEqual(
        events.map(event => [event.event_type, event.attempt, event.retry]),
        [
          [failure, 1, true],
          [failure, 2, true],
        ],
      )
    })

    behaves('exit', 'reports the exit code of a process that ends, and its last words', async () => {
      const [event] = await eventsOf({ how: 'exit' })
      assert.deepEqual([event?.event_type, event?.exit_code, event?.retry], ['task_exited', 3, null])
      printed(event, /leaving/)
    })

    behaves('kill', 'reports a kill -9 as a negative exit code, and the last words', async () => {
      const [event] = await eventsOf({ how: 'kill' })
      assert.deepEqual([event?.event_type, event?.exit_code], ['task_exited', -9])
      printed(event, /dying/)
    })

    behaves('time-out', 'is killed when it takes too long', async () => {
      const [event] = await eventsOf({ how: 'endless' }, { maxRuntimeSeconds: 0.7 })
      assert.deepEqual([event?.event_type, event?.retry], ['task_timed_out', null])
      printed(event, /for ever/)
    })

    behaves('memory', 'ends in a memory error over the limit, and is never tried again', async () => {
      const policy = { retryOnException: true, retryOnExit: true }
      const [event] = await eventsOf({ how: 'memory' }, { ...policy, maxMemoryGb: 0.3 })
      assert.deepEqual([event?.event_type, event?.retry], ['task_exception', false])
      assert.match(String(event?.exception), /MemoryError/)
    })

    behaves('shutdown', 'can see that its agent was asked to stop', async () => {
      await using bench = await openBench()
      await bench.load([{ task_id: 'one', data: { how: 'poll' } }])
      const agent = await kind.start(bench, {})
      await agent.saw('polling')
      agent.process.kill('SIGTERM')
      assert.equal((await agent.exit).code, 0)
      assert.deepEqual(
        (await bench.events()).map(event => event.result),
        ['saw the request'],
      )
    })

    behaves('notice', 'can see that its VM is going to be taken away', async () => {
      await using bench = await openBench()
      await bench.load([{ task_id: 'one', data: { how: 'poll' } }])
      assert.equal((await (await kind.start(bench, { noticeAfterSeconds: 2 })).exit).code, 0)
      const results = (await bench.events()).map(event => event.result ?? event.event_type)
      assert.deepEqual(new Set(results), new Set(['spot_termination', 'saw the notice']))
    })

    behaves('checkpoint', 'goes on from its checkpoint after an interruption', async () => {
      await using bench = await openBench()
      await bench.load([{ task_id: 'one', data: { how: 'checkpoint', text: TEXT } }])
      const agent = await kind.start(bench, { graceSeconds: 0.3 })
      await agent.saw('saved')
      agent.process.kill('SIGTERM')
      assert.equal((await agent.exit).code, 0)
      const [interrupted] = await bench.events()
      assert.deepEqual([interrupted?.event_type, interrupted?.retry], ['task_interrupted', true])
      await (await kind.start(bench, { attempts: 1 })).exit
      const [event] = await bench.events()
      assert.deepEqual([event?.attempt, event?.result], [2, { resumed: { row: 1, text: TEXT } }])
    })

    behaves('rubbish', 'is not harmed by rubbish in its output', async () => {
      const events = await peaceful('rubbish')
      assert.deepEqual(
        events.map(event => [event.event_type, event.result]),
        [['task_completed', 'fine']],
      )
    })

    behaves('long result', 'has a result of 10 MB stored', async () => {
      const [event] = await peaceful('long')
      assert.equal(event?.event_type, 'task_completed')
      assert.equal(JSON.parse((await peace)?.long ?? '').length, TEN_MB)
    })
  })
}
