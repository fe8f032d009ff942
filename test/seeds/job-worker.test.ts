// Seeds 000, 001 and 002: workers of a job, as programs on the local cloud.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { eventually, jsonLines, openBench, tasks } from '../agent/agent-run.ts'

const program = (name: string) => join(import.meta.dirname, 'programs', name)

describe('seed 002: a function with a command line', { timeout: 60_000 }, () => {
  it('processes the tasks of a queue in processes that run the same script again', async () => {
    await using bench = await openBench()
    await bench.load(tasks(5))
    const { code, stdout, stderr } = await bench.startScript(program('function-style.ts'), '--max-num-tasks', '5').exit
    assert.equal(code, 0, stderr)
    const events = await bench.events()
    assert.deepEqual(
      events.map(({ event_type, retry, result }) => [event_type, retry, result]),
      Array.from({ length: 5 }, () => ['task_completed', false, 'Task completed successfully']),
    )
    assert.match(stdout, /^Processing task task-1$/m)
    assert.match(stdout, /^Task data: {"number":5}$/m)
    assert.deepEqual(await bench.left(), [])
  })

  it('takes every option of the seed, from a file of tasks too', async () => {
    await using bench = await openBench()
    await writeFile(join(bench.folder, 'tasks.json'), JSON.stringify(tasks(3)))
    const words = [
      '--tasks tasks.json --instance-type n1 --num-cpus 2 --memory 4 --local-ssd 1 --boot-disk 10 --is-spot --price 0.1',
      '--num-simultaneous-tasks 2 --max-runtime 10 --shutdown-grace-period 5 --use-new-process --queue-name q',
    ]
    const { code, stderr } = await bench.startScript(program('function-style.ts'), ...words.join(' ').split(' ')).exit
    assert.equal(code, 0, stderr)
    const events = await jsonLines(join(bench.folder, 'events.log'))
    assert.equal(events.filter(event => event.event_type === 'task_completed').length, 3)
  })

  it('says in one sentence what is wrong with its options, and exits with a code', async () => {
    await using bench = await openBench()
    const { code, stderr } = await bench.startScript(program('function-style.ts'), '--max-runtime', 'soon').exit
    assert.equal(code, 1)
    assert.equal(stderr, '--max-runtime must be a number (s), got "soon".\n')
  })

  it('finishes running tasks when it is asked to stop', async () => {
    await using bench = await openBench()
    const worker = bench.startScript(program('function-style.ts'))
    await worker.saw('Running')
    worker.process.kill('SIGTERM')
    assert.equal((await worker.exit).code, 0)
  })
})

describe('seed 001: a function that returns success', { timeout: 60_000 }, () => {
  it('is configured by the environment, and takes [false, message] for a failure', async () => {
    await using bench = await openBench()
    await bench.load([
      { task_id: 'good', data: {} },
      { task_id: 'bad', data: { fail: 'no disk' } },
    ])
    const env = {
      RMS_CLOUD_TASKS_PROVIDER: 'LOCAL',
      RMS_CLOUD_TASKS_LOCAL_ROOT: bench.folder,
      RMS_CLOUD_TASKS_JOB_ID: 'job',
      RMS_CLOUD_TASKS_QUEUE_NAME: 'job',
      RMS_CLOUD_TASKS_PROJECT_ID: 'project',
      RMS_CLOUD_TASKS_NUM_TASKS_PER_INSTANCE: '1',
      RMS_CLOUD_TASKS_INSTANCE_NUM_VCPUS: '2',
      RMS_CLOUD_TASKS_VISIBILITY_TIMEOUT_SECONDS: '30',
      RMS_CLOUD_TASKS_SHUTDOWN_GRACE_PERIOD: '120',
      RMS_CLOUD_WORKER_USE_NEW_PROCESS: 'False',
      RMS_CLOUD_TASKS_INSTANCE_TYPE: 'n1',
      RMS_CLOUD_TASKS_INSTANCE_MEM_GB: '4',
      RMS_CLOUD_TASKS_INSTANCE_SSD_GB: '0',
      RMS_CLOUD_TASKS_INSTANCE_BOOT_DISK_GB: '10',
      RMS_CLOUD_TASKS_INSTANCE_IS_SPOT: 'False',
      RMS_CLOUD_TASKS_INSTANCE_PRICE: '0.1',
      RMS_CLOUD_TASKS_MAX_NUM_TASKS: '2',
    }
    const { code, stderr } = await bench.startAlone(program('success-style.ts'), [], env).exit
    assert.equal(code, 0, stderr)
    const events = new Map((await bench.events()).map(event => [event.task_id, event]))
    assert.equal(events.get('good')?.result, 'Task completed successfully')
    assert.equal(events.get('bad')?.event_type, 'task_exception')
    assert.match(String(events.get('bad')?.exception), /no disk/)
    assert.deepEqual(await bench.left(), [], 'failed tasks are properly acknowledged')
  })
})

describe('seed 000: a subclass', { timeout: 60_000 }, () => {
  it('processes tasks, reads its job file, and cleans up', async () => {
    await using bench = await openBench()
    const config = `provider: local\nlocal:\n  root: ${bench.folder}\nrun:\n  max_runtime: 60\n`
    await writeFile(join(bench.folder, 'cloud_tasks_config.yaml'), config)
    const queue = bench.provider.openQueue('my-task-queue', { leaseSeconds: 30 })
    await queue.send([{ body: '{"task_id":"one","data":{"a":1}}' }])
    const worker = bench.startAlone(program('class-style.ts'), [], {})
    await worker.saw('Task data: {"a":1}')
    const events = bench.provider.openQueue('my-task-queue-events', { leaseSeconds: 30 })
    await eventually('the result is there', async () => ((await events.admin.depth())?.ready ?? 0) > 1)
    worker.process.kill('SIGTERM')
    const { code, stdout } = await worker.exit
    assert.equal(code, 0)
    assert.match(stdout, /Worker shutting down\.\.\. {"status":"healthy","queue_name":"my-task-queue"}/)
    const said = await events.receive({ maxMessages: 10, waitSeconds: 0 })
    const results = said.map(({ body }) => JSON.parse(body)).filter(event => event.event_type === 'task_completed')
    assert.deepEqual(
      results.map(event => event.result),
      [{ status: 'success', processed_at: '2023-01-01T12:00:00Z' }],
    )
    assert.equal((await queue.admin.depth())?.ready, 0, 'acknowledged after success')
  })

  it('routes tasks by type through middleware', async () => {
    await using bench = await openBench()
    await bench.load([
      { task_id: 'picture', type: 'resize', data: { width: 20 } },
      { task_id: 'twice', type: 'again', data: {} },
      { task_id: 'odd', type: 'paint', data: {} },
    ])
    await bench.startScript(program('class-extras.ts'), 'route', '--max-num-tasks', '3').exit
    const events = new Map((await bench.events()).map(event => [event.task_id, event]))
    assert.deepEqual(events.get('picture')?.result, { type: 'resize', answer: 'picture is 20 wide' })
    assert.deepEqual(events.get('twice')?.result, { type: 'again', answer: [true, 'once more'] })
    assert.match(String(events.get('odd')?.exception), /No route for tasks of type "paint"; this worker knows resize/)
  })

  it('processes waiting tasks in batches, of which one may fail alone', async () => {
    await using bench = await openBench()
    await bench.load(tasks(8))
    await bench.startScript(program('class-extras.ts'), 'batch', '--max-num-tasks', '8').exit
    const events = await bench.events()
    assert.equal(events.length, 8)
    const failed = events.filter(event => event.event_type === 'task_exception')
    assert.deepEqual(
      failed.map(event => event.task_id),
      ['task-3'],
    )
    assert.ok(events.some(event => Number(event.result) > 1))
    assert.ok(events.every(event => event.task_id === 'task-3' || Number(event.result) <= 4))
  })
})
