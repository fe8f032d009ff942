import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { additionTask } from '../../examples/parallel-addition/addition-task.ts'
import addNumbers from '../../examples/parallel-addition/task.ts'
import { commandsOf, ReaderFolder } from '../support/shell-blocks.ts'

const makeTasks = join(import.meta.dirname, '../../examples/parallel-addition/make-tasks.ts')

describe('parallel addition', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'parallel-addition-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('makes 10,000 tasks in the form that the Python system uses', () => {
    const file = join(folder, 'tasks.json')
    execFileSync(process.execPath, [makeTasks, '--out', file])
    const tasks = JSON.parse(readFileSync(file, 'utf8'))
    assert.equal(tasks.length, 10_000)
    assert.deepEqual(Object.keys(tasks[0]), ['task_id', 'data'])
    assert.deepEqual(Object.keys(tasks[0].data), ['num1', 'num2'])
    assert.equal(tasks[0].task_id, 'addition-task-000001')
    assert.equal(new Set(tasks.map(({ task_id: id }: { task_id: string }) => id)).size, 10_000)
    for (const { data } of tasks) assert.equal(addNumbers('any', data) - data.num2, data.num1)
  })

  it('makes any number of tasks, as a valid file', () => {
    for (const count of [1, 1000, 1001, 2500]) {
      const file = join(folder, `${count}.json`)
      execFileSync(process.execPath, [makeTasks, '--tasks', String(count), '--out', file])
      assert.equal(JSON.parse(readFileSync(file, 'utf8')).length, count)
    }
  })

  it('runs by the commands of its README: every task completed, every sum right', { timeout: 90_000 }, async () => {
    const document = 'examples/parallel-addition/README.md'
    const reader = new ReaderFolder(document)
    try {
      for (const command of commandsOf(document)) {
        const { exitCode, stdout, stderr } = await reader.run(command)
        assert.equal(exitCode, 0, `${command}\n${stdout}\n${stderr}`)
      }
      const db = new DatabaseSync(reader.file('parallel-addition.db'), { readOnly: true })
      const rows = db.prepare('SELECT task_id, status, result FROM tasks ORDER BY task_id').all()
      db.close()
      assert.equal(rows.length, 10_000)
      for (const [index, row] of rows.entries()) {
        const { task_id, data } = additionTask(index + 1)
        assert.deepEqual({ ...row }, { task_id, status: 'completed', result: String(data.num1 + data.num2) })
      }
    } finally {
      assert.equal(reader.remove(), 0, 'nothing runs on')
    }
  })

  it('refuses a number of tasks that is none', () => {
    const { status, stderr } = spawnSync(process.execPath, [makeTasks, '--tasks', 'many'], { encoding: 'utf8' })
    assert.equal(status, 2)
    assert.match(stderr, /--tasks must be a whole number/)
  })
})
