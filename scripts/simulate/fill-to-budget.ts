// What the Python system does: every minute, start as many VMs of the one chosen type as the budget allows, until the end.
import { randomUUID } from 'node:crypto'
import type { JobConfig } from '../../core/job-config.ts'
import { timesWithin } from '../../manager/exact-division.ts'
import type { Choice } from '../../manager/select-offers.ts'
import type { SimulatedCloud } from './simulated-cloud.ts'

const CHECK_SECONDS = 60
const MAX_CHECKS = 20_000

export interface FillRun {
  readonly finished: boolean
  readonly simulatedSeconds: number
}

export async function fillToBudget(cloud: SimulatedCloud, config: JobConfig, choice: Choice): Promise<FillRun> {
  const { maxInstances, maxTotalUsdPerHour } = config.pool
  const startedMs = cloud.nowMs
  for (let check = 0; cloud.unfinishedCount > 0 && check < MAX_CHECKS; check++) {
    const active = (await cloud.list()).filter(vm => vm.state === 'starting' || vm.state === 'running')
    const usdPerHour = active.reduce((sum, vm) => sum + (vm.priceUsdPerHour ?? 0), 0)
    const vmCount = Math.min(
      maxInstances - active.length,
      timesWithin(maxTotalUsdPerHour - usdPerHour, choice.offer.priceUsdPerHour),
    )
    if (vmCount > 0) {
      const choices = [
        { offer: choice.offer, bootDiskGib: choice.bootDiskGib, tasksPerVm: choice.tasksPerVm, startupScript: '' },
      ]
      await cloud.launch({ token: randomUUID(), vmCount, spot: choice.spot, choices })
    }
    cloud.advance(cloud.nowMs + CHECK_SECONDS * 1000)
  }
  const simulatedSeconds = (cloud.nowMs - startedMs) / 1000
  await cloud.terminate((await cloud.list()).filter(vm => vm.state !== 'terminated').map(vm => vm.id))
  return { finished: cloud.unfinishedCount === 0, simulatedSeconds }
}
