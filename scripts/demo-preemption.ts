// Takes one spot VM away in the middle of the demo, as a cloud does: a notice first, then the end of every process on it.
import { systemClock } from '../core/clock.ts'
import { preemptVm } from '../infra/local/pool.ts'
import { openProvider } from '../infra/open-provider.ts'

const LOOK_MS = 100

interface PreemptionOptions {
  readonly vmRoot: string
  readonly jobId: string
  readonly completedCount: () => number
  readonly afterCompleted: number
  readonly signal: AbortSignal
}

/** Resolves when the VM is asked to go, or when `signal` aborts. */
export async function preemptOne({
  vmRoot,
  jobId,
  completedCount,
  afterCompleted,
  signal,
}: PreemptionOptions): Promise<void> {
  const provider = await openProvider('local', { local: { root: vmRoot }, env: process.env })
  try {
    const pool = provider.openPool({ jobId })
    while (!signal.aborted) {
      await systemClock.sleep(LOOK_MS, signal)
      if (completedCount() < afterCompleted) continue
      const vm = (await pool.list()).find(({ state }) => state === 'running')
      if (vm === undefined) continue
      await preemptVm(vmRoot, vm.id)
      return
    }
  } finally {
    await provider.close()
  }
}
