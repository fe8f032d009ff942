// A program: the host of one local VM. Boots it, preempts it, ends it, and writes down what happened. One process a VM, of
// its own session, so that the VM survives whoever launched it.  node vm-host.ts ROOT VM_ID
//
// claimed ─ boot ─► running ─┬─ startup script ended ──────────────────────┐
//                            ├─ power-off was requested ────────────────────┼─► kill all ─► ended
//                            └─ notice (drawn or requested) ─ deadline ─────┘
import { existsSync, rmSync } from 'node:fs'
import { systemClock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { boundConsole, type RunningScript, startScript, writeConsole } from './vm-boot.ts'
import { type VmFacts, VmFolder } from './vm-folder.ts'
import { killVmProcesses, processIdentity } from './vm-processes.ts'
import { VmRegistry } from './vm-registry.ts'

const POLL_MS = 25

const [root = '', id = ''] = process.argv.slice(2)
const folder = new VmFolder(root, id)
const registry = new VmRegistry(root)

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => folder.request('power-off'))

const identity = processIdentity(process.pid)
if (identity !== undefined && (await registry.claim(id, { pid: process.pid, identity }))) {
  let reason: string
  try {
    reason = await live(folder.readFacts())
  } catch (error) {
    reason = `host failed: ${messageOf(error)}`
    if (existsSync(folder.path)) writeConsole(folder, reason)
  }
  await end(reason)
}
registry.close()

/** Returns why the VM has to end. */
async function live(facts: VmFacts): Promise<string> {
  const bootedAtMs = systemClock.now() + facts.bootSeconds * 1000
  const preemptedAtMs = bootedAtMs + (facts.preemptedAfterSeconds ?? Number.POSITIVE_INFINITY) * 1000
  let script: RunningScript | undefined
  let deadlineMs = Number.POSITIVE_INFINITY
  for (;;) {
    const nowMs = systemClock.now()
    // Without its folder nobody can reach the VM any more.
    if (!existsSync(folder.path)) return 'folder deleted'
    if (script?.endReason() !== undefined) return script.endReason() ?? ''
    if (folder.requested('power-off')) return 'powered off'
    if (nowMs >= deadlineMs) return 'preempted'
    if (deadlineMs === Number.POSITIVE_INFINITY && (nowMs >= preemptedAtMs || folder.requested('preempt'))) {
      // Reason first, notice second: whatever dies in between, the list says why.
      await registry.markStopping(id, 'preempted')
      deadlineMs = systemClock.now() + facts.noticeSeconds * 1000
      folder.writeNotice(new Date(deadlineMs))
    }
    if (script === undefined && nowMs >= bootedAtMs) {
      await registry.markRunning(id, nowMs)
      script = startScript({ root, folder, id })
    }
    boundConsole(folder)
    await systemClock.sleep(POLL_MS)
  }
}

/** Processes first, record second: what is listed as ended has no process left. */
async function end(reason: string): Promise<void> {
  await killVmProcesses(id)
  await registry.markEnded(id, systemClock.now(), reason)
  rmSync(folder.file('tmp'), { recursive: true, force: true })
}
