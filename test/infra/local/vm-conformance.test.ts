// Local VMs pass the suites of all pools and instances.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openProvider } from '../../../infra/local/index.ts'
import { preemptVm } from '../../../infra/local/pool.ts'
import { VM_FOLDER_VARIABLE, VM_ID_VARIABLE, VmFolder } from '../../../infra/local/vm-folder.ts'
import { vmProcesses } from '../../../infra/local/vm-processes.ts'
import { instanceConformance } from '../../conformance/instance-suite.ts'
import { poolConformance } from '../../conformance/pool-suite.ts'

import { ended, firstId, launchVms, makeRoot } from './vm-launch.ts'

const NOTICE_SECONDS = 0.5
const POWER_OFF_PROGRAM = fileURLToPath(new URL('./powers-off.ts', import.meta.url))

poolConformance('local', async () => {
  const root = await makeRoot()
  let count = 0
  const capacity = 3
  return {
    open: () => openProvider({ local: { root, capacity, noticeSeconds: NOTICE_SECONDS }, env: {} }),
    jobId: () => `job-${++count}`,
    capacity,
    settleSeconds: 20,
    boot: {
      // A child in its own session, one with an empty environment, and one whose parent has gone.
      scriptThatStays: path =>
        `setsid sleep 600 & env -i sleep 600 & (setsid sleep 600 &)\necho up > '${path}'\nsleep 600\n`,
      newPath: () => join(root, `path-${++count}`),
      read: path => (existsSync(path) ? readFileSync(path, 'utf8') : undefined),
      preempt: id => preemptVm(root, id),
      processCount: id => vmProcesses(id).length,
    },
    close: () => rm(root, { recursive: true, force: true }),
  }
})

instanceConformance('local', async () => {
  const root = await makeRoot()
  const provider = openProvider({ local: { root, noticeSeconds: 600 }, env: {} })
  const pool = provider.openPool({ jobId: 'instance' })
  const { launched } = await launchVms(provider, 'instance', { script: 'sleep 600' })
  const [vm] = launched
  assert.ok(vm !== undefined)
  const { id, instanceType, zone } = vm
  const env = { [VM_ID_VARIABLE]: id, [VM_FOLDER_VARIABLE]: new VmFolder(root, id).path }
  const inside = openProvider({ local: { root }, env })
  return {
    instance: inside.openInstance(),
    expected: { id, instanceType, region: 'local', zone, spot: true },
    noticeWithinSeconds: 5,
    giveNotice: () => preemptVm(root, id),
    powerOffFromInside: async () => {
      const report = await launchVms(provider, 'power-off', { script: `node '${POWER_OFF_PROGRAM}'; sleep 600` })
      const vm = await ended(provider, 'power-off', firstId(report.launched))
      assert.equal(vm.endReason, 'powered off')
    },
    close: async () => {
      await pool.terminate([id])
      await inside.close()
      await provider.close()
      await rm(root, { recursive: true, force: true })
    },
  }
})
