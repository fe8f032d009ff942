// What a person gets wrong: one sentence that says what, where and what to do; the right exit code; nothing deleted and
// nothing half loaded.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { type Ended, JobFolder, type JobFolderOptions } from '../support/job-folder.ts'

const LOAD = ['load_queue', '--config', 'job.yml', '--task-file', 'tasks.json', '--force'] as const
const RUN = ['run', '--config', 'job.yml', '--task-file', 'tasks.json', '--force'] as const

interface Case {
  readonly name: string
  readonly options?: JobFolderOptions
  readonly prepare: (job: JobFolder) => void
  readonly command: readonly string[]
  readonly says: readonly RegExp[]
  readonly exitCode: 1 | 2
}

const CASES: readonly Case[] = [
  {
    name: 'a missing task file',
    prepare: () => {},
    command: ['load_queue', '--config', 'job.yml', '--task-file', 'nowhere.json', '--force'],
    says: [/nowhere\.json/],
    exitCode: 1,
  },
  {
    name: 'a truncated task file',
    prepare: job => job.write('tasks.json', readFileSync(job.file('tasks.json')).subarray(0, 500)),
    command: LOAD,
    says: [/tasks\.json/, /line \d+/],
    exitCode: 1,
  },
  {
    name: 'a task id that comes twice',
    prepare: job =>
      job.write(
        'tasks.json',
        '[\n{"task_id":"one","data":{}},\n{"task_id":"two","data":{}},\n{"task_id":"one","data":{}}\n]',
      ),
    command: LOAD,
    says: [/"one"/, /tasks\.json/],
    exitCode: 1,
  },
  {
    name: 'data over the body limit',
    prepare: job =>
      job.write('tasks.json', JSON.stringify([{ task_id: 'big', data: { text: 'x'.repeat(1_100_000) } }])),
    command: LOAD,
    says: [/"big"/, /1048576|1,048,576|1 MiB/],
    exitCode: 1,
  },
  {
    name: 'an unknown key in the job file',
    prepare: job => job.write('job.yml', 'provider: local\nrun:\n  max_instnces: 3\n'),
    command: ['check_config', '--config', 'job.yml'],
    says: [/Invalid configuration: .*max_instnces/, /max_instances/],
    exitCode: 1,
  },
  {
    name: 'a minimum above its maximum',
    prepare: () => {},
    command: ['check_config', '--config', 'job.yml', '--min-instances', '5', '--max-instances', '3'],
    says: [/Invalid configuration: .*min_instances.*max_instances/],
    exitCode: 1,
  },
  {
    name: 'an unknown option',
    prepare: () => {},
    command: ['load_queue', '--config', 'job.yml', '--tsak-file', 'x.json'],
    says: [/--tsak-file/],
    exitCode: 2,
  },
  {
    name: 'a module without a function',
    prepare: job => job.write('task.ts', 'export const nothing = 1\n'),
    command: RUN,
    says: [/task\.ts/, /processTask|default/],
    exitCode: 1,
  },
  {
    name: 'a file that is no database',
    prepare: job => job.write('job.db', 'this is not a database, but somebody needs it'.repeat(50)),
    command: ['monitor_event_queue', '--config', 'job.yml'],
    says: [/job\.db/],
    exitCode: 1,
  },
  {
    name: 'a database of a newer version',
    prepare: job => {
      const db = new DatabaseSync(job.dbFile)
      db.exec('CREATE TABLE tasks(task_id TEXT PRIMARY KEY); PRAGMA user_version = 999')
      db.close()
    },
    command: ['report', '--config', 'job.yml'],
    says: [/job\.db/, /newer/],
    exitCode: 1,
  },
  {
    name: 'a missing database',
    prepare: () => {},
    command: ['report', '--config', 'job.yml'],
    says: [/job\.db/],
    exitCode: 1,
  },
]

describe('bad input', { concurrency: false }, () => {
  for (const wrong of CASES) {
    it(`${wrong.name}: one sentence, exit code ${wrong.exitCode}, nothing deleted`, { timeout: 60_000 }, async () => {
      const job = new JobFolder(wrong.options)
      try {
        wrong.prepare(job)
        const dbBefore = existsSync(job.dbFile) ? readFileSync(job.dbFile) : undefined
        const ended = await job.run(...wrong.command)
        expectSentence(ended, wrong.says, wrong.exitCode)
        const dbAfter = existsSync(job.dbFile) ? readFileSync(job.dbFile) : undefined
        if (wrong.command !== RUN) assert.deepEqual(dbAfter, dbBefore, 'the database file is as it was')
        const depth = await job.run('show_queue', '--config', 'job.yml')
        if (wrong.command === LOAD) assert.doesNotMatch(depth.stdout, /Queue depth: [1-9]/, 'nothing is half loaded')
      } finally {
        await job.remove()
      }
    })
  }

  it('a loaded database is not overwritten without the word of its owner', { timeout: 60_000 }, async () => {
    const job = new JobFolder({ taskCount: 10 })
    try {
      assert.equal((await job.run(...LOAD)).exitCode, 0)
      const ended = await job.run('load_queue', '--config', 'job.yml', '--task-file', 'tasks.json')
      assert.equal(job.count('1'), 10, 'the old database is there')
      expectSentence(ended, [/job\.db|queue/i, /--force|--continue/], undefined)
    } finally {
      await job.remove()
    }
  })

  it('a task that prints rubbish on stdout ends as it should, and the rubbish is kept', {
    timeout: 60_000,
  }, async () => {
    const job = new JobFolder({
      taskCount: 20,
      taskModule: `export default (id, { a, b }) => {\n  console.log('{"task_id": rubbish')\n  process.stdout.write('\\u0000\\n\\n{}\\n')\n  return [false, a + b]\n}\n`,
    })
    try {
      const { exitCode, stdout, stderr } = await job.run(...RUN)
      assert.equal(exitCode, 0, `${stdout}\n${stderr}`)
      assert.equal(job.count("status = 'completed'"), 20)
    } finally {
      await job.remove()
    }
  })

  it('a full disk is named, and no task is half loaded', { timeout: 60_000 }, async () => {
    const job = new JobFolder({ taskCount: 20_000 })
    try {
      const setup = 'mkdir -p small; mount -t tmpfs -o size=1m tmpfs small'
      expectSentence(await job.runBehind(setup, ...LOAD, '--db-file', 'small/job.db'), [/small\/job\.db/, /full/], 1)
      const depth = await job.run('show_queue', '--config', 'job.yml')
      assert.doesNotMatch(depth.stdout, /Queue depth: [1-9]/)
    } finally {
      await job.remove()
    }
  })

  it('a read-only database is named when it must be written, and still reported on', { timeout: 60_000 }, async () => {
    const job = new JobFolder({ taskCount: 10 })
    try {
      assert.equal((await job.run(...LOAD)).exitCode, 0)
      const setup = `mount --bind '${job.path}' '${job.path}'; mount -o remount,ro,bind '${job.path}'`
      expectSentence(
        await job.runBehind(setup, 'run', '--config', 'job.yml', '--continue'),
        [/job\.db/, /read-only/],
        1,
      )
      const report = await job.runBehind(setup, 'report', '--config', 'job.yml')
      assert.equal(report.exitCode, 0, report.stderr)
      assert.match(report.stdout, /Total tasks +10/)
      assert.equal(job.count('1'), 10)
    } finally {
      await job.remove()
    }
  })

  it('a database that another program keeps locked is named, and not harmed', { timeout: 90_000 }, async () => {
    const job = new JobFolder({ taskCount: 10 })
    let db: DatabaseSync | undefined
    try {
      assert.equal((await job.run(...LOAD)).exitCode, 0)
      db = new DatabaseSync(job.dbFile)
      db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
      const ended = await job.run('run', '--config', 'job.yml', '--continue')
      expectSentence(ended, [/job\.db/, /locked/], 1)
      db.exec('ROLLBACK')
      db.close()
      db = undefined
      assert.equal(job.count('1'), 10)
    } finally {
      db?.close()
      await job.remove()
    }
  })
})

function expectSentence(ended: Ended, says: readonly RegExp[], exitCode: 1 | 2 | undefined): void {
  const text = `${ended.stdout}\n${ended.stderr}`
  for (const pattern of says) assert.match(text, pattern)
  assert.doesNotMatch(text, /^\s+at .+:\d+:\d+\)?$/m, 'no stack trace')
  assert.doesNotMatch(text, /SqliteError|ERR_SQLITE|ERR_[A-Z_]+|ENOENT:/, 'no words of the runtime')
  if (exitCode === undefined) assert.notEqual(ended.exitCode, 0)
  else assert.equal(ended.exitCode, exitCode, text)
}
