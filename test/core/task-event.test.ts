import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { taskId, vmId } from '../../core/ids.ts'
import {
  completedEventRenderer,
  eventTimestamp,
  parseEvent,
  renderEvent,
  type TaskEvent,
} from '../../core/task-event.ts'

const ORIGIN = {
  timestamp: eventTimestamp(1_700_000_000_123),
  hostname: 'host-1',
  instanceId: vmId('vm-1'),
  eventId: 's-1',
}

describe('events', () => {
  it('are rendered the same on the fast path as on the slow one', () => {
    for (const result of [null, 1, 'x', { a: ['ü', '🚀', '"\\\n'] }, [false, 1.5e-7]]) {
      for (const instanceId of [vmId('vm-"1"'), undefined]) {
        for (const [id, attempt, elapsedSeconds] of [
          ['plain', 1, 0.000012],
          ['weird "id" \u2028 é', 3, 12.5],
        ] as const) {
          const slow = renderEvent({
            kind: 'attempt',
            timestamp: ORIGIN.timestamp,
            hostname: 'höst',
            ...(instanceId === undefined ? undefined : { instanceId }),
            eventId: 's-1000000001',
            taskId: taskId(id),
            attempt,
            retry: false,
            elapsedSeconds,
            outcome: { kind: 'completed', retry: false, result },
          })
          const answer = JSON.stringify({ task_id: id, retry: false, elapsed_time: elapsedSeconds, result })
          const fast = completedEventRenderer('höst', instanceId)(1_700_000_000_123, answer, attempt, 's-1000000001')
          assert.equal(fast, slow)
        }
      }
    }
  })

  const attempt = {
    kind: 'attempt',
    taskId: taskId('t'),
    attempt: 2,
    retry: null,
    elapsedSeconds: 1.5,
    ...ORIGIN,
  } as const
  const events: readonly TaskEvent[] = [
    {
      ...attempt,
      retry: false,
      outcome: { kind: 'completed', retry: false, result: { a: 1 } },
      cpuSeconds: 1,
      maxRssBytes: 2,
    },
    { ...attempt, outcome: { kind: 'exception', exception: 'Error: x\n    at y' } },
    { ...attempt, outcome: { kind: 'timed_out' } },
    { ...attempt, outcome: { kind: 'exited', exitCode: -9 } },
    { ...attempt, outcome: { kind: 'exited', exitCode: undefined }, retry: false, deadLetter: 'why' },
    { ...attempt, retry: true, outcome: { kind: 'interrupted', reason: 'shutdown' } },
    { ...ORIGIN, kind: 'spot_termination' },
    { ...ORIGIN, kind: 'fatal_exception', exception: 'sentence' },
    { ...ORIGIN, kind: 'non_fatal_exception', exception: 'sentence' },
  ]
  for (const event of events) {
    it(`come back as they were sent: ${event.kind === 'attempt' ? event.outcome.kind : event.kind}`, () => {
      assert.deepEqual(parseEvent(renderEvent(event)), event)
      assert.deepEqual(parseEvent(JSON.stringify(renderEvent(event))), event, 'also when a writer encoded twice')
    })
  }

  it('that are odd are undefined, never an exception', () => {
    for (const raw of [
      '',
      'x',
      '[]',
      '{}',
      'null',
      '{"timestamp":"t","hostname":"h","event_type":"new_kind","task_id":"t"}',
    ]) {
      assert.equal(parseEvent(raw), undefined)
    }
  })

  it('carry the time as Python writes it', () => {
    assert.equal(eventTimestamp(0), '1970-01-01T00:00:00.000000+00:00')
  })
})
