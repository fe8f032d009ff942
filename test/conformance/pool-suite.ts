// What every pool promises, written against the seam alone.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '../../core/clock.ts'
import { type VmId, vmId } from '../../core/ids.ts'
import type { LaunchPlan, Pool, Provider, Vm } from '../../infra/provider.ts'

export interface PoolSubject {
  /** A new handle on the same cloud, as another process would have. */
  open(): Provider
  /** Never used before. */
  jobId(): string
  /** VMs that the cloud has room for at once; undefined = more than a test can use up. */
  readonly capacity: number | undefined
  /** The slowest that a VM may be to start, to stop, or to be listed. */
  readonly settleSeconds: number
  /** Absent where the emulator boots nothing. */
  readonly boot?: BootedVms
  close(): Promise<void>
}

interface BootedVms {
  /** A script that makes `path` with one word in it, and then stays, with children in sessions of their own. */
  scriptThatStays(path: string): string
  /** A path that VMs can write and this process can read. */
  newPath(): string
  read(path: string): string | undefined
  /** Gives the VM its notice now. */
  preempt(id: VmId): Promise<void>
  /** Processes of the VM that are alive. */
  processCount(id: VmId): number
}

const LIMIT_MS = 120_000

export function poolConformance(name: string, openSubject: () => Promise<PoolSubject>): void {
  describe(`${name}: pool`, { timeout: LIMIT_MS }, () => {
    let subject: PoolSubject
    let provider: Provider
    const launched: { pool: Pool; ids: VmId[] }[] = []
    let tokenCount = 0
    before(async () => {
      subject = await openSubject()
      provider = subject.open()
    })
    after(async () => {
      for (const { pool, ids } of launched) await pool.terminate(ids)
      await provider.close()
      await subject.close()
    })

    const openJob = (jobId = subject.jobId()) => ({ jobId, pool: provider.openPool({ jobId }) })
    const planOf = async (vmCount: number, startupScript = '#!/bin/bash\nsleep 600\n'): Promise<LaunchPlan> => {
      const [offer] = await provider.openCatalog().offers({ spot: true })
      assert.ok(offer !== undefined)
      return {
        token: `token-${++tokenCount}`,
        vmCount,
        spot: true,
        choices: [{ offer, startupScript, bootDiskGib: 10, tasksPerVm: 1 }],
      }
    }
    const launch = async (pool: Pool, plan: LaunchPlan) => {
      const report = await pool.launch(plan)
      launched.push({ pool, ids: report.launched.map(vm => vm.id) })
      return report
    }
    const listed = async (pool: Pool, what: string, holds: (vms: readonly Vm[]) => boolean): Promise<readonly Vm[]> => {
      const deadlineMs = systemClock.now() + subject.settleSeconds * 1000
      for (;;) {
        const vms = await pool.list()
        if (holds(vms)) return vms
        assert.ok(systemClock.now() < deadlineMs, `waited in vain for ${what}: ${JSON.stringify(vms)}`)
        await systemClock.sleep(20)
      }
    }
    const ended = (vm: Vm) => vm.state === 'terminated'

    it('launches as many VMs as asked and lists them with their facts', async () => {
      const { jobId, pool } = openJob()
      const startedAtMs = systemClock.now()
      const plan = await planOf(2)
      const { launched: vms, failures } = await launch(pool, plan)
      assert.deepEqual(failures, [])
      assert.equal(new Set(vms.map(vm => vm.id)).size, 2)
      const offer = plan.choices[0]?.offer
      const both = await listed(pool, 'two running VMs', list => list.filter(vm => vm.state === 'running').length === 2)
      for (const vm of both) {
        assert.equal(vm.jobId, jobId)
        assert.equal(vm.instanceType, offer?.instanceType)
        assert.equal(vm.zone, offer?.zone)
        assert.equal(vm.spot, true)
        assert.equal(vm.vcpuCount, offer?.vcpuCount)
        assert.equal(vm.priceUsdPerHour, offer?.priceUsdPerHour)
        assert.ok(Math.abs(vm.launchedAt.getTime() - startedAtMs) < 60_000)
        assert.equal(vm.endedAt, undefined)
      }
      assert.deepEqual(new Set(both.map(vm => vm.id)), new Set(vms.map(vm => vm.id)))
      await pool.terminate(vms.map(vm => vm.id))
    })

    it('launches once for one token, repeated or at the same time, from any handle', async () => {
      const { jobId, pool } = openJob()
      const other = subject.open()
      const plan = await planOf(1)
      const reports = await Promise.all([launch(pool, plan), launch(other.openPool({ jobId }), plan)])
      const again = await launch(pool, plan)
      const ids = new Set([...reports, again].flatMap(report => report.launched.map(vm => vm.id)))
      assert.equal(ids.size, 1)
      assert.equal((await listed(pool, 'one VM', list => list.length >= 1)).length, 1)
      await pool.terminate([...ids])
      await other.close()
    })

    it('launches nothing when nothing is asked', async () => {
      const { pool } = openJob()
      assert.deepEqual(await pool.launch(await planOf(0)), { launched: [], failures: [] })
      assert.deepEqual(await pool.list(), [])
    })

    it('reports missing capacity as a value, and keeps what it got', async context => {
      if (subject.capacity === undefined) return context.diagnostic(`${name} has no end in a test`)
      const { pool } = openJob()
      const { launched: vms, failures } = await launch(pool, await planOf(subject.capacity + 2))
      assert.equal(vms.length, subject.capacity)
      assert.deepEqual(
        failures.map(failure => failure.reason),
        ['capacity', 'capacity'],
      )
      await pool.terminate(vms.map(vm => vm.id))
      const later = await launch(pool, await planOf(1))
      assert.equal(later.launched.length, 1)
      await pool.terminate(later.launched.map(vm => vm.id))
    })

    it("lists the job's own VMs only, unless asked for those of every job", async () => {
      const one = openJob()
      const other = openJob()
      const { launched: vms } = await launch(one.pool, await planOf(1))
      assert.deepEqual(await other.pool.list(), [])
      const all = await other.pool.list({ everyJob: true })
      const found = all.find(vm => vm.id === vms[0]?.id)
      assert.equal(found?.jobId, one.jobId)
      await one.pool.terminate(vms.map(vm => vm.id))
    })

    it('terminates, again and again, lists the end, and ignores ids that it does not know', async () => {
      const { pool } = openJob()
      const { launched: vms } = await launch(pool, await planOf(2))
      const [first, second] = vms.map(vm => vm.id)
      assert.ok(first !== undefined && second !== undefined)
      await pool.terminate([first, vmId('no-vm-of-ours')])
      await pool.terminate([first, first])
      const list = await listed(pool, 'the end of one', all => all.some(vm => vm.id === first && ended(vm)))
      const gone = list.find(vm => vm.id === first)
      assert.ok(gone?.endedAt !== undefined && gone.endReason === 'terminated')
      assert.notEqual(list.find(vm => vm.id === second)?.state, 'terminated')
      await pool.terminate([second])
      await listed(pool, 'the end of both', all => all.filter(ended).length === 2)
      await pool.terminate([])
    })

    it('boots a VM with its startup script', async context => {
      const { boot } = subject
      if (boot === undefined) return context.diagnostic(`${name} boots nothing in this test`)
      const { pool } = openJob()
      const path = boot.newPath()
      const { launched: vms } = await launch(pool, await planOf(1, boot.scriptThatStays(path)))
      await listed(pool, 'the script', () => boot.read(path) !== undefined)
      await pool.terminate(vms.map(vm => vm.id))
      for (const vm of vms) assert.equal(boot.processCount(vm.id), 0)
    })

    it('preempts with a notice first, and leaves no process of the VM alive', async context => {
      const { boot } = subject
      if (boot === undefined) return context.diagnostic(`${name} boots nothing in this test`)
      const { pool } = openJob()
      const path = boot.newPath()
      const { launched: vms } = await launch(pool, await planOf(1, boot.scriptThatStays(path)))
      const id = vms[0]?.id
      assert.ok(id !== undefined)
      await listed(pool, 'the script', () => boot.read(path) !== undefined)
      await boot.preempt(id)
      await listed(pool, 'the notice', all => all.some(vm => vm.state === 'stopping'))
      assert.ok(boot.processCount(id) > 0)
      const [vm] = await listed(pool, 'the end', all => all.every(ended))
      assert.equal(vm?.endReason, 'preempted')
      assert.equal(boot.processCount(id), 0)
    })
  })
}
