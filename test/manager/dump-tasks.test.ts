import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { taskId } from '../../core/ids.ts'
import { readTaskFile } from '../../infra/task-file/read-task-file.ts'
import { dumpTasks } from '../../manager/dump-tasks.ts'
import { openJobDb } from '../../manager/job-db.ts'

it('dumps the tasks of each status as a task file that loads again, with exact numbers', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-dump-'))
  const db = openJobDb(join(folder, 'job.db'), { mode: 'create' })
  t.after(() => {
    db.close()
    rmSync(folder, { recursive: true })
  })
  db.insertPending([
    { taskId: taskId('a "b"'), data: { x: 1 }, priority: 'high', type: 'ü' },
    ...Array.from({ length: 2500 }, (_, index) => ({ taskId: taskId(`t-${index}`), data: { index } })),
  ])
  db.sqlite.exec(`UPDATE tasks SET task_data = '{"long":12345678901234567890}' WHERE task_id = 't-0'`)
  const [batch] = db.pendingBatches({ maxCount: 1 })
  db.markQueued(batch ?? assert.fail(), new Date())
  const files = dumpTasks(db, { folder, jobId: 'job' })
  assert.deepEqual(files, [
    { path: join(folder, 'job_pending.json'), taskCount: 2500 },
    { path: join(folder, 'job_in_queue_original.json'), taskCount: 1 },
  ])
  assert.equal(
    readFileSync(join(folder, 'job_in_queue_original.json'), 'utf8'),
    '[\n  {\n    "task_id": "a \\"b\\"",\n    "data": {"x":1},\n    "type": "ü",\n    "priority": "high"\n  }\n]\n',
  )
  let count = 0
  for await (const tasks of readTaskFile(join(folder, 'job_pending.json'))) count += tasks.length
  assert.equal(count, 2500)
  assert.match(readFileSync(join(folder, 'job_pending.json'), 'utf8'), /"data": \{"long":12345678901234567890\}/)
})
