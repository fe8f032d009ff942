// Launching local VMs in tests, and waiting for what becomes of them.
import assert from 'node:assert/strict'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../core/clock.ts'
import type { VmId } from '../../../core/ids.ts'
import type { LaunchReport, Provider, Vm } from '../../../infra/provider.ts'

export async function makeRoot(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'local-vm-'))
}

interface Launch {
  readonly script: string
  readonly vmCount?: number
  readonly spot?: boolean
  readonly token?: string
}

export async function launchVms(provider: Provider, jobId: string, launch: Launch): Promise<LaunchReport> {
  const { script, vmCount = 1, spot = true, token = 'token' } = launch
  const [offer] = await provider.openCatalog().offers({ spot })
  assert.ok(offer !== undefined)
  const choices = [{ offer, startupScript: script, bootDiskGib: 10, tasksPerVm: 1 }]
  return provider.openPool({ jobId }).launch({ token, vmCount, spot, choices })
}

export function firstId(vms: readonly Vm[]): VmId {
  const id = vms[0]?.id
  assert.ok(id !== undefined)
  return id
}

export async function ended(provider: Provider, jobId: string, id: VmId): Promise<Vm> {
  const vms = await listUntil(provider, jobId, all => all.some(vm => vm.id === id && vm.state === 'terminated'))
  const vm = vms.find(one => one.id === id)
  assert.ok(vm?.endedAt !== undefined)
  return vm
}

export async function listUntil(
  provider: Provider,
  jobId: string,
  holds: (vms: readonly Vm[]) => boolean,
): Promise<readonly Vm[]> {
  const pool = provider.openPool({ jobId })
  const deadlineMs = systemClock.now() + 30_000
  for (;;) {
    const vms = await pool.list()
    if (holds(vms)) return vms
    assert.ok(systemClock.now() < deadlineMs, JSON.stringify(vms))
    await systemClock.sleep(20)
  }
}

export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadlineMs = systemClock.now() + 30_000
  while (!holds()) {
    assert.ok(systemClock.now() < deadlineMs, `waited in vain for ${what}`)
    await systemClock.sleep(20)
  }
}
