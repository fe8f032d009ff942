import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { JobFolder } from '../support/job-folder.ts'

const TIMEOUT = { timeout: 60_000 }

function jobFolder(t: TestContext): JobFolder {
  const folder = new JobFolder({ taskCount: 50 })
  t.after(() => folder.remove())
  return folder
}

async function queueExists(folder: JobFolder): Promise<boolean> {
  const { stdout } = await folder.run('show_queue', '--config', 'job.yml')
  return !stdout.includes('does not exist')
}

describe('the stack of a job', { concurrency: true }, () => {
  it('stays after run if it was deployed before, until it is destroyed', TIMEOUT, async t => {
    const folder = jobFolder(t)
    assert.equal((await folder.run('deploy', '--config', 'job.yml')).exitCode, 0)
    const { exitCode, stderr } = await folder.run('run', '--config', 'job.yml', '--task-file', 'tasks.json')
    assert.equal(exitCode, 0, stderr)
    assert.match(stderr, /cloud-tasks destroy removes them/)
    assert.equal(folder.count("status = 'completed'"), 50)
    assert.equal(await queueExists(folder), true)
    assert.equal((await folder.run('destroy', '--config', 'job.yml', '--force')).exitCode, 0)
    assert.equal(await queueExists(folder), false)
  })

  it('goes after run --continue if load_queue made the queues', TIMEOUT, async t => {
    const folder = jobFolder(t)
    assert.equal((await folder.run('load_queue', '--config', 'job.yml', '--task-file', 'tasks.json')).exitCode, 0)
    assert.equal(await queueExists(folder), true)
    const { exitCode, stderr } = await folder.run('run', '--config', 'job.yml', '--continue')
    assert.equal(exitCode, 0, stderr)
    assert.equal(folder.count("status = 'completed'"), 50)
    assert.equal(await queueExists(folder), false)
  })

  it('gives its VMs to a program that only collects, with what they cost', TIMEOUT, async t => {
    const folder = jobFolder(t)
    const run = folder.start('run', '--config', 'job.yml', '--task-file', 'tasks.json', '--db-file', 'other.db')
    assert.equal((await run.ended).exitCode, 0)
    await folder.run('load_queue', '--config', 'job.yml', '--task-file', 'tasks.json')
    const monitor = folder.start('monitor_event_queue', '--config', 'job.yml')
    const other = folder.start(
      'run',
      '--config',
      'job.yml',
      '--task-file',
      'tasks.json',
      '--db-file',
      'other.db',
      '--force',
    )
    await other.ended
    monitor.child.kill('SIGINT')
    await monitor.ended
    const rows = folder.query('SELECT id, price_per_hour FROM instances WHERE state IS NOT NULL')
    assert.ok(rows.length > 0)
    assert.ok(rows.every(({ price_per_hour: price }) => Number(price) > 0))
  })
})
