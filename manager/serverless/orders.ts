// What people want of a manager in the cloud: to see what it remembers, to stop, to go on.
import type { Provider } from '../../infra/provider.ts'
import { microUsdOf } from '../ledger.ts'
import {
  begunAnew,
  nothingRemembered,
  parseRemembered,
  type Remembered,
  renderRemembered,
  type Stopped,
} from './remembered.ts'

export interface ServerlessState {
  /** Nothing is launched any more. */
  readonly stopped: Stopped | undefined
  readonly spentUsd: number
  /** VMs at the last look at which something changed. */
  readonly vmCount: number
  /** Launches without an answer: each may have made VMs that are not counted yet. */
  readonly unansweredCount: number
  /** Messages in the task queue then. */
  readonly backlog: number | undefined
  /** Why there are as many VMs as there are. */
  readonly reason: string | undefined
}

/** undefined = no manager in the cloud has looked at the job yet. */
export async function readServerlessState(
  provider: Provider,
  jobId: string,
  now: Date,
): Promise<ServerlessState | undefined> {
  const note = await provider.openNotebook({ jobId }).read()
  if (note === undefined) return undefined
  const { stopped, backlog, reason, vms, intents, keeper } = parseRemembered(jobId, note.text)
  const written = intents.reduce((sum, { writtenOffUsd = 0 }) => sum + writtenOffUsd, 0)
  const spentUsd = keeper.earlierUsd + written + vms.reduce((sum, vm) => sum + microUsdOf(vm, now), 0) / 1e6
  return {
    stopped,
    backlog,
    reason,
    spentUsd,
    vmCount: vms.filter(vm => vm.state !== 'terminated').length,
    unansweredCount: intents.filter(({ writtenOffUsd }) => writtenOffUsd === undefined).length,
  }
}

/**
 * Nothing is launched any more once this resolves, and the next look ends the VMs unless they are handed over. Resolves to
 * the time until which a look that began before may still act.
 */
export async function orderStop(provider: Provider, jobId: string, stopped: Stopped): Promise<Date | undefined> {
  const { busy } = await change(provider, jobId, stopped.at, remembered => ({ ...remembered, stopped }))
  return busy?.until
}

const HANDING_OVER_MS = 3_600_000 // a stack loses its manager within minutes; one that never does may be deleted later

/** Whether the job's VMs have just been given to another manager: what ends with this one must leave them alone. */
export async function isBeingHandedOver(provider: Provider, jobId: string, now: Date): Promise<boolean> {
  const note = await provider.openNotebook({ jobId }).read()
  const stopped = note && parseRemembered(jobId, note.text).stopped
  return stopped?.handedOver === true && now.getTime() - stopped.at.getTime() < HANDING_OVER_MS
}

/** After a stop, whoever ordered it. The VMs have to show anew that they can work. */
export async function orderResume(provider: Provider, jobId: string, now: Date): Promise<void> {
  await change(provider, jobId, now, remembered => begunAnew(remembered, now))
}

const TRIES = 20 // each lost one means that a look has just begun or ended: at most some in a minute

async function change(
  provider: Provider,
  jobId: string,
  now: Date,
  edit: (remembered: Remembered) => Remembered,
): Promise<Remembered> {
  const notebook = provider.openNotebook({ jobId })
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const note = await notebook.read()
    const before = note === undefined ? nothingRemembered(undefined, now) : parseRemembered(jobId, note.text)
    const after = edit(before)
    if (await notebook.write(renderRemembered(after), note?.version)) return after
  }
  throw new Error(`What the manager of job "${jobId}" remembers changes all the time; try again.`)
}
