// This VM, seen from inside: who it is, whether it is about to be taken away, and its end.
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { systemClock } from '../../core/clock.ts'
import { vmId } from '../../core/ids.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { Instance, InstanceInfo, Notice } from '../provider.ts'
import { VM_FOLDER_VARIABLE, VM_ID_VARIABLE, VmFolder } from './vm-folder.ts'
import { kill, killVmProcesses, processRuns } from './vm-processes.ts'
import { VmRegistry } from './vm-registry.ts'

const NOTICE_POLL_MS = 50
const POWER_OFF_WAIT_MS = 10_000

export class LocalInstance implements Instance {
  readonly #root: string
  /** undefined: this process runs on no local VM, but right on the machine. */
  readonly #id: string | undefined

  constructor(root: string, env: ProviderSettings['env']) {
    this.#root = root
    const folderIsThere = existsSync(env[VM_FOLDER_VARIABLE] ?? '')
    this.#id = folderIsThere ? env[VM_ID_VARIABLE] : undefined
  }

  async describe(): Promise<InstanceInfo> {
    if (this.#id === undefined) return { id: vmId(hostname()) }
    const { id, instanceType, region, zone, spot } = new VmFolder(this.#root, this.#id).readFacts()
    return { id, instanceType, region, zone, spot }
  }

  async *notices(signal: AbortSignal): AsyncIterable<Notice> {
    const folder = this.#id === undefined ? undefined : new VmFolder(this.#root, this.#id)
    let deadlineAt: Date | undefined
    while (!signal.aborted) {
      const latest = folder?.readNotice()
      if (latest !== undefined && latest.getTime() !== deadlineAt?.getTime()) {
        deadlineAt = latest
        yield { kind: 'preemption', deadlineAt }
      }
      await systemClock.sleep(NOTICE_POLL_MS, signal)
    }
  }

  /** Off a VM there is nothing to power off, and nothing happens. */
  async powerOff(): Promise<void> {
    if (this.#id === undefined) return
    const registry = new VmRegistry(this.#root)
    const row = await registry.find(this.#id)
    if (row?.host !== undefined && processRuns(row.host)) {
      new VmFolder(this.#root, this.#id).request('power-off')
      await systemClock.sleep(POWER_OFF_WAIT_MS) // the host kills us long before
    }
    // The host is dead or stuck: we are the last who can end this VM, ourselves at the very end.
    if (row?.host !== undefined && processRuns(row.host)) kill(row.host.pid)
    await killVmProcesses(this.#id, [process.pid])
    await registry.markEnded(this.#id, systemClock.now(), 'powered off')
    kill(process.pid)
  }
}
