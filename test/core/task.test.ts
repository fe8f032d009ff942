import assert from 'node:assert/strict'
import { it } from 'node:test'
import { taskId } from '../../core/ids.ts'
import { fittedBody, type TaskMessage } from '../../core/task.ts'

const data = { text: 'ü'.repeat(400) } // two bytes each
const notes = Array.from({ length: 5 }, (_, i) => ({ attempt: i + 1, reason: 'r'.repeat(100), at: 'then' }))
const message: TaskMessage = { task_id: taskId('a'), data, attempt: 6, history: notes, checkpoint: 'c'.repeat(100) }

it('sends a message that fits as it is', () => {
  assert.equal(fittedBody(message, 10_000), JSON.stringify(message))
})

it('gives up the oldest notes of a message that outgrew the queue, no more than it must', () => {
  const fitted: TaskMessage = JSON.parse(fittedBody(message, 1400))
  assert.ok(Buffer.byteLength(JSON.stringify(fitted)) <= 1400)
  assert.deepEqual(fitted.history, notes.slice(-(fitted.history?.length ?? 0)))
  assert.ok((fitted.history?.length ?? 0) > 0)
  assert.equal(fitted.checkpoint, message.checkpoint)
})

it('gives up the checkpoint after the notes, and never the data or the counts', () => {
  const fitted: TaskMessage = JSON.parse(fittedBody(message, 850))
  assert.deepEqual(fitted, { task_id: 'a', data, attempt: 6 })
})
