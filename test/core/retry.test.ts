import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { taskId } from '../../core/ids.ts'
import type { Outcome } from '../../core/outcome.ts'
import { type AttemptEnd, type Decision, decideRetry, type RetryPolicy } from '../../core/retry.ts'
import type { TaskMessage } from '../../core/task.ts'

const NEVER: RetryPolicy = {
  retryOnExit: undefined,
  retryOnException: undefined,
  retryOnTimeout: undefined,
  maxAttempts: 3,
  maxPreemptions: undefined,
}
const ALWAYS: RetryPolicy = { ...NEVER, retryOnExit: true, retryOnException: true, retryOnTimeout: true }
const MESSAGE: TaskMessage = { task_id: taskId('t'), data: { n: 1 }, priority: 'low' }

function decide(outcome: Outcome, policy: RetryPolicy, message = MESSAGE, more: Partial<AttemptEnd> = {}): Decision {
  return decideRetry({ message, outcome, at: 'now', ...more }, policy)
}

describe('what follows an attempt', () => {
  const completed: Outcome = { kind: 'completed', retry: false, result: 1 }
  const exception: Outcome = { kind: 'exception', exception: 'Traceback\n  File "x"\nValueError: bad' }

  it('is nothing when the task completed', () => {
    assert.deepEqual(decide(completed, ALWAYS), { kind: 'final', retry: false })
  })

  it('is nothing after a failure without a policy, and the event says null', () => {
    for (const outcome of [exception, { kind: 'timed_out' }, { kind: 'exited', exitCode: 1 }] satisfies Outcome[]) {
      assert.deepEqual(decide(outcome, NEVER), { kind: 'final', retry: null })
      assert.deepEqual(
        decide(outcome, { ...NEVER, retryOnExit: false, retryOnException: false, retryOnTimeout: false }),
        {
          kind: 'final',
          retry: false,
        },
      )
      assert.equal(decide(outcome, ALWAYS).kind, 'again')
    }
  })

  it('is what the thrower says, whatever the policy', () => {
    assert.equal(decide({ ...exception, retryable: true }, NEVER).kind, 'again')
    assert.deepEqual(decide({ ...exception, retryable: false }, ALWAYS), { kind: 'final', retry: false })
  })

  it('is a successor that counts, explains and keeps everything else', () => {
    const decision = decide(exception, ALWAYS, MESSAGE, { checkpoint: { at: 5 }, instance: 'vm-1' })
    assert.deepEqual(decision, {
      kind: 'again',
      delaySeconds: 0,
      successor: {
        ...MESSAGE,
        attempt: 2,
        failures: 1,
        checkpoint: { at: 5 },
        history: [{ attempt: 1, reason: 'ValueError: bad', at: 'now', instance: 'vm-1' }],
      },
    })
  })

  it('names the telling line of a JavaScript stack', () => {
    const decision = decide({ kind: 'exception', exception: 'Error: no such galaxy\n    at f (x.ts:1:1)' }, ALWAYS)
    assert.equal(decision.kind === 'again' && decision.successor.history?.[0]?.reason, 'Error: no such galaxy')
  })

  it('waits longer after each failure and ends among the dead letters', () => {
    const second = decide(exception, { ...ALWAYS, maxAttempts: 20 }, { ...MESSAGE, failures: 4 })
    assert.equal(second.kind === 'again' && second.delaySeconds, 8)
    const last = decide(exception, ALWAYS, { ...MESSAGE, attempt: 3, failures: 2 })
    assert.equal(last.kind, 'dead')
  })

  it('burns no retry when the VM was taken away, but its own budget where there is one', () => {
    const interrupted: Outcome = { kind: 'interrupted', reason: 'preempted' }
    const decision = decide(interrupted, NEVER, { ...MESSAGE, failures: 2, preemptions: 50 })
    assert.equal(decision.kind === 'again' && decision.successor.failures, 2)
    assert.equal(decision.kind === 'again' && decision.successor.preemptions, 51)
    assert.equal(decide(interrupted, { ...NEVER, maxPreemptions: 1 }, { ...MESSAGE, preemptions: 1 }).kind, 'dead')
  })

  it('keeps the history short', () => {
    let message = MESSAGE
    for (let i = 0; i < 30; i++) {
      const decision = decide({ kind: 'interrupted', reason: 'preempted' }, NEVER, message)
      assert.ok(decision.kind === 'again')
      message = decision.successor
    }
    assert.equal(message.history?.length, 20)
    assert.equal(message.history?.at(-1)?.attempt, 30)
  })
})
