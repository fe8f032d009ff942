import assert from 'node:assert/strict'
import { it } from 'node:test'
import { preemptVm } from '../../infra/local/pool.ts'
import { openProvider } from '../../infra/open-provider.ts'
import { renderStartupScript } from '../../infra/startup-script.ts'
import { eventually, fixture, openBench, tasks } from './agent-run.ts'

const NOTICE_SECONDS = 3

it('hands back unstarted work within a second of the notice of a spot VM, and the rest before the VM is gone', {
  timeout: 40_000,
}, async () => {
  await using bench = await openBench()
  const provider = await openProvider('local', {
    local: { root: bench.folder, noticeSeconds: NOTICE_SECONDS, bootSeconds: 0 },
    env: {},
  })
  const pool = provider.openPool({ jobId: 'job' })
  const [offer] = await provider.openCatalog().offers({ spot: true })
  assert.ok(offer)
  // Short ones first teach the agent to take many ahead.
  await bench.load(tasks(500, { short: true }))
  await bench.load(tasks(5, { stubborn: true }))
  const startupScript = renderStartupScript({
    environment: {
      provider: 'local',
      jobId: 'job',
      queueName: 'job',
      vm: {
        kind: 'known',
        instanceType: offer.instanceType,
        vcpuCount: offer.vcpuCount,
        memoryGib: offer.memoryGib,
        localSsdGib: 0,
        bootDiskGib: 10,
        spot: true,
        priceUsdPerHour: offer.priceUsdPerHour,
        tasksPerInstance: 1,
      },
      maxRuntimeSeconds: 60,
      retryOnExit: undefined,
      retryOnException: undefined,
      retryOnTimeout: undefined,
      exactlyOnceQueue: false,
      leaseSeconds: 30,
      maxAttempts: 10,
      extra: { RMS_CLOUD_TASKS_LOCAL_ROOT: bench.folder },
    },
    userScript: `exec cloud-tasks-agent ${fixture('polls-for-the-end.mjs')}`,
  })
  const { launched } = await pool.launch({
    token: 'one',
    vmCount: 1,
    spot: true,
    choices: [{ offer, startupScript, bootDiskGib: 10, tasksPerVm: 1 }],
  })
  const [vm] = launched
  assert.ok(vm)
  try {
    await eventually(
      'only the long ones are left, held by the VM',
      async () => {
        const depth = await bench.tasks.admin.depth()
        return depth?.leased === 5 && depth.ready === 0
      },
      15_000,
    )
    const noticedMs = Date.now()
    await preemptVm(bench.folder, vm.id)
    await eventually(
      'the unstarted tasks are visible',
      async () => (await bench.tasks.admin.depth())?.leased === 1,
      2000,
    )
    const handedBackMs = Date.now() - noticedMs
    assert.ok(handedBackMs < 1000, `${handedBackMs} ms`)
    await eventually(
      'the running one is sent on',
      async () => (await bench.tasks.admin.depth())?.leased === 0,
      NOTICE_SECONDS * 1000,
    )
    await eventually(
      'the VM has ended',
      async () => (await pool.list()).every(({ state }) => state === 'terminated'),
      8000,
    )
    const events = await bench.events()
    assert.deepEqual(
      new Set(events.map(event => event.event_type)),
      new Set(['task_completed', 'spot_termination', 'task_interrupted']),
    )
    assert.ok(events.every(event => event.instance_id === vm.id))
    const left = await bench.left()
    assert.equal(left.length, 5)
    assert.deepEqual(
      left.filter(message => message.attempt === 2).map(message => message.checkpoint),
      [{ count: 1 }],
    )
  } finally {
    await pool.terminate([vm.id])
    await provider.close()
  }
})
