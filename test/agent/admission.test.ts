// What an agent does with a message before it is a task: where the cloud counts a message that was given back as handed out.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openAdmission } from '../../agent/admission.ts'
import type { HeldTask } from '../../agent/held-task.ts'
import { openLog } from '../../agent/log.ts'
import { openOrigin } from '../../agent/origin.ts'
import type { Report } from '../../agent/reporter.ts'
import { type Receipt, receipt } from '../../core/ids.ts'

const POLICY = {
  retryOnExit: false,
  retryOnException: false,
  retryOnTimeout: false,
  maxAttempts: 3,
  maxPreemptions: undefined,
}

interface Seen {
  readonly admitted: readonly HeldTask[]
  readonly reports: readonly Report[]
  readonly released: readonly { readonly receipt: Receipt | undefined; readonly delaySeconds: number }[]
}

function admit(delivery: { notBefore?: Date; deliveryCount: number }, limits: { releasesCount: boolean }): Seen {
  const reports: Report[] = []
  const released: { receipt: Receipt | undefined; delaySeconds: number }[] = []
  const admission = openAdmission({
    queueName: 'job',
    context: {
      origin: openOrigin(undefined, 'session'),
      policy: POLICY,
      maxBodyBytes: 1_000_000,
      maxDelaySeconds: 900,
      objects: undefined,
      ...limits,
    },
    maxAttempts: POLICY.maxAttempts,
    tasksToSkip: 0,
    reporter: { add: report => void reports.push(report), backlog: () => 0, full: () => false, drain: async () => {} },
    log: openLog({ verbose: false }),
    keepLeases: () => {},
    release: (tasks, delaySeconds) => void released.push({ receipt: tasks[0]?.receipt, delaySeconds }),
    track: () => {},
    ready: () => {},
  })
  const message = {
    task_id: 'one',
    data: {},
    ...(delivery.notBefore && { not_before: delivery.notBefore.toISOString() }),
  }
  const { deliveryCount } = delivery
  const admitted = admission.admit([{ body: JSON.stringify(message), receipt: receipt('r'), deliveryCount }])
  return { admitted, reports, released }
}

const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000)

describe('admission', () => {
  it('takes a task out of the queue that was handed out more often than it may be tried', () => {
    assert.equal(admit({ deliveryCount: 3 }, { releasesCount: false }).admitted.length, 1)
    const { admitted, reports } = admit({ deliveryCount: 4 }, { releasesCount: false })
    assert.deepEqual(admitted, [])
    assert.ok(reports[0]?.letter !== undefined)
  })

  it('bears with ten times as many where giving back counts, too', () => {
    assert.equal(admit({ deliveryCount: 30 }, { releasesCount: true }).admitted.length, 1)
    assert.ok(admit({ deliveryCount: 31 }, { releasesCount: true }).reports[0]?.letter !== undefined)
  })

  it('gives a task back until its time has come', () => {
    const { released, reports } = admit({ notBefore: inHours(0.1), deliveryCount: 1 }, { releasesCount: true })
    assert.deepEqual(reports, [])
    assert.ok(Math.abs((released[0]?.delaySeconds ?? 0) - 360) < 5)
    assert.equal(
      admit({ notBefore: inHours(9), deliveryCount: 1 }, { releasesCount: false }).released[0]?.delaySeconds,
      900,
    )
  })

  it('sends a copy of a task whose time is far off where giving back would count', () => {
    const { released, reports } = admit({ notBefore: inHours(9), deliveryCount: 2 }, { releasesCount: true })
    assert.deepEqual(released, [])
    assert.equal(reports[0]?.successor?.delaySeconds, 900)
    assert.match(reports[0]?.successor?.body ?? '', /"not_before"/)
    assert.equal(reports[0]?.event, undefined)
  })
})
