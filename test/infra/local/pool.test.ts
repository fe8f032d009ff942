// Local VMs tell the truth whoever is killed, and do what the job file's "local" section says.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../../core/clock.ts'
import { type VmId, vmId } from '../../../core/ids.ts'
import { openProvider } from '../../../infra/local/index.ts'
import { VmFolder } from '../../../infra/local/vm-folder.ts'
import { kill, vmProcesses } from '../../../infra/local/vm-processes.ts'
import { VmRegistry } from '../../../infra/local/vm-registry.ts'
import type { LocalSettings } from '../../../infra/open-provider.ts'
import type { Provider } from '../../../infra/provider.ts'

import { ended, firstId, launchVms, listUntil, makeRoot, until } from './vm-launch.ts'

const POWER_OFF_PROGRAM = fileURLToPath(new URL('./powers-off.ts', import.meta.url))

describe('local VM', { timeout: 100_000, concurrency: true }, () => {
  let root: string
  let provider: Provider
  let count = 0
  const jobs: string[] = []
  before(async () => {
    root = await makeRoot()
    provider = open()
  })
  after(async () => {
    for (const jobId of jobs) {
      const pool = provider.openPool({ jobId })
      await pool.terminate((await pool.list()).map(vm => vm.id))
    }
    await provider.close()
    await rm(root, { recursive: true, force: true })
  })
  const open = (settings: LocalSettings = {}) => openProvider({ local: { root, ...settings }, env: {} })
  const job = () => {
    const jobId = `job-${++count}`
    jobs.push(jobId)
    return jobId
  }
  const consoleOf = (id: VmId) => readFileSync(new VmFolder(root, id).console, 'utf8')
  const host = async (id: VmId) => {
    const registry = new VmRegistry(root)
    const row = await registry.find(id)
    registry.close()
    assert.ok(row?.host !== undefined)
    return row.host.pid
  }

  const endings = [
    ['exit 0', 'script ended'],
    ['exit 3', 'startup script failed (exit code 3)'],
    ['kill -9 $$', 'startup script failed (killed by SIGKILL)'],
    ['sleep 600 & exit 0', 'script ended'],
  ] as const
  for (const [script, reason] of endings) {
    it(`ends as "${reason}" after: ${script}`, async () => {
      const jobId = job()
      const { launched } = await launchVms(provider, jobId, { script })
      const vm = await ended(provider, jobId, firstId(launched))
      assert.equal(vm.endReason, reason)
      assert.deepEqual(vmProcesses(vm.id), [])
    })
  }

  it('is ended by whoever lists next when its termination was begun by somebody who was killed', async () => {
    const jobId = job()
    const { launched } = await launchVms(provider, jobId, { script: 'sleep 600' })
    const id = firstId(launched)
    await listUntil(provider, jobId, vms => vms[0]?.state === 'running')
    const registry = new VmRegistry(root)
    await registry.markStopping(id, 'terminated')
    registry.close()
    assert.equal((await ended(provider, jobId, id)).endReason, 'terminated')
    assert.deepEqual(vmProcesses(id), [])
  })

  it('obeys the options in the first line of its script', async () => {
    const jobId = job()
    const { launched } = await launchVms(provider, jobId, {
      script: '#!/usr/bin/env -S bash -e\nfalse\necho not reached',
    })
    const vm = await ended(provider, jobId, firstId(launched))
    assert.equal(vm.endReason, 'startup script failed (exit code 1)')
    assert.equal(consoleOf(vm.id), '')
  })

  it('has a disk, a PATH with our programs and the Node that we run on, and nothing of our environment', async () => {
    const jobId = job()
    process.env.SECRET_OF_THE_LAUNCHER = 'x'
    const script = [
      'pwd; echo "$HOME"; echo "$TMPDIR"; echo "$RMS_CLOUD_TASKS_LOCAL_ROOT"',
      'command -v cloud-tasks-agent; command -v cloud-tasks; node -p process.version',
      'echo "secret:$SECRET_OF_THE_LAUNCHER"; echo to-stderr >&2',
    ]
    const { launched } = await launchVms(provider, jobId, { script: script.join('\n') })
    delete process.env.SECRET_OF_THE_LAUNCHER
    const id = firstId(launched)
    await ended(provider, jobId, id)
    const folder = new VmFolder(root, id)
    assert.deepEqual(consoleOf(id).trim().split('\n'), [
      folder.path,
      folder.path,
      folder.file('tmp'),
      root,
      folder.file('bin/cloud-tasks-agent'),
      folder.file('bin/cloud-tasks'),
      process.version,
      'secret:',
      'to-stderr',
    ])
  })

  it('is listed as ended, and has no process left, after a kill -9 of its host alone', async () => {
    const jobId = job()
    const { launched } = await launchVms(provider, jobId, { script: 'setsid sleep 600 & sleep 600' })
    const id = firstId(launched)
    await until('three processes', () => vmProcesses(id).length >= 3)
    kill(await host(id))
    const vm = await ended(provider, jobId, id)
    assert.equal(vm.endReason, 'host failed')
    assert.deepEqual(vmProcesses(id), [])
  })

  it('can be terminated after a kill -9 of its host, by a process that did not launch it', async () => {
    const jobId = job()
    const { launched } = await launchVms(provider, jobId, { script: 'sleep 600' })
    const id = firstId(launched)
    await until('its script', () => vmProcesses(id).length >= 2)
    kill(await host(id))
    const other = open()
    await other.openPool({ jobId }).terminate([id])
    assert.equal((await ended(other, jobId, id)).endReason, 'terminated')
    assert.deepEqual(vmProcesses(id), [])
    await other.close()
  })

  it('can power itself off after a kill -9 of its host', async () => {
    const jobId = job()
    const script = `until [ -e go ]; do sleep 0.05; done; node '${POWER_OFF_PROGRAM}'; sleep 600`
    const { launched } = await launchVms(provider, jobId, { script })
    const id = firstId(launched)
    await until('its script', () => vmProcesses(id).length >= 1)
    kill(await host(id))
    spawnSync('touch', [join(new VmFolder(root, id).path, 'go')])
    await until('its end', () => vmProcesses(id).length === 0)
    assert.equal((await ended(provider, jobId, id)).endReason, 'powered off')
  })

  it('goes on when a launch that was killed half-way is repeated with the same token', async () => {
    const jobId = job()
    const registry = new VmRegistry(root)
    const id = vmId(`rmscr-${jobId}-half`)
    const row = { id, jobId, token: 'half', instanceType: 'local-1', zone: 'local-a', spot: false, vcpuCount: 1 }
    const rows = [{ ...row, priceUsdPerHour: 1, launchedMs: systemClock.now() }]
    await registry.add(rows, { jobId, token: 'half', capacity: 99 })
    registry.close()
    assert.equal((await provider.openPool({ jobId }).list())[0]?.state, 'starting')
    const { launched } = await launchVms(provider, jobId, { script: 'exit 0', token: 'half' })
    assert.deepEqual(
      launched.map(vm => vm.id),
      [id],
    )
    assert.equal((await ended(provider, jobId, id)).endReason, 'script ended')
  })

  it('is given up when its launcher was killed and nobody repeats the launch', async () => {
    const jobId = job()
    const registry = new VmRegistry(root)
    const id = vmId(`rmscr-${jobId}-lost`)
    const row = { id, jobId, token: 'lost', instanceType: 'local-1', zone: 'local-a', spot: false, vcpuCount: 1 }
    const rows = [{ ...row, priceUsdPerHour: 1, launchedMs: systemClock.now() - 120_000 }]
    await registry.add(rows, { jobId, token: 'lost', capacity: 99 })
    assert.equal((await ended(provider, jobId, id)).endReason, 'launch failed')
    assert.equal(await registry.claim(id, { pid: process.pid, identity: 'late' }), false)
    registry.close()
  })

  it('takes its boot time', async () => {
    const jobId = job()
    const slow = open({ bootSeconds: 1 })
    const { launched } = await launchVms(slow, jobId, { script: 'sleep 600' })
    const id = firstId(launched)
    const [vm] = await listUntil(slow, jobId, vms => vms.some(one => one.state === 'running'))
    assert.ok(vm !== undefined && systemClock.now() - vm.launchedAt.getTime() >= 1000)
    await slow.openPool({ jobId }).terminate([id])
    await slow.close()
  })

  it('meets the fate that the seed decides: the same for the n-th VM of two jobs, another for another seed', async () => {
    const fates = []
    for (const seed of [1, 1, 2]) {
      const unlucky = open({ preemptionsPerHour: 1, seed })
      const jobId = job()
      const { launched } = await launchVms(unlucky, jobId, { script: 'sleep 600', vmCount: 2 })
      fates.push(launched.map(vm => new VmFolder(root, vm.id).readFacts().preemptedAfterSeconds))
      await unlucky.openPool({ jobId }).terminate(launched.map(vm => vm.id))
      await unlucky.close()
    }
    const [one, same, other] = fates
    assert.deepEqual(one, same)
    assert.notDeepEqual(one, other)
    assert.notEqual(one?.[0], one?.[1])
  })

  it('is preempted at the drawn rate, with a notice, only if it is a spot VM', async () => {
    const doomed = open({ preemptionsPerHour: 36_000, noticeSeconds: 0.2 })
    const spot = job()
    const onDemand = job()
    const report = await launchVms(doomed, spot, { script: 'sleep 600' })
    await launchVms(doomed, onDemand, { script: 'sleep 600', spot: false })
    const vm = await ended(doomed, spot, firstId(report.launched))
    assert.equal(vm.endReason, 'preempted')
    assert.ok(new VmFolder(root, vm.id).readNotice() !== undefined)
    assert.notEqual((await doomed.openPool({ jobId: onDemand }).list())[0]?.state, 'terminated')
    await doomed.close()
  })

  it('ends when its folder is deleted', async () => {
    const jobId = job()
    const { launched } = await launchVms(provider, jobId, { script: 'sleep 600' })
    const id = firstId(launched)
    await until('its script', () => vmProcesses(id).length >= 2)
    await rm(new VmFolder(root, id).path, { recursive: true, force: true })
    assert.equal((await ended(provider, jobId, id)).endReason, 'folder deleted')
    assert.deepEqual(vmProcesses(id), [])
  })

  it('finds its processes with ps where there is no /proc', async () => {
    const jobId = job()
    const { launched } = await launchVms(provider, jobId, { script: 'setsid sleep 600 & env -i sleep 600 & sleep 600' })
    const id = firstId(launched)
    await until('four processes', () => vmProcesses(id).length === 4)
    assert.deepEqual(vmProcesses(id, 'ps').toSorted(), vmProcesses(id, 'proc').toSorted())
  })
})
