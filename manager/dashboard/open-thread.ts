// Opens a dashboard beside a manager that has other things to do: in a thread of its own, with little memory and little haste.
import { once } from 'node:events'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { systemClock } from '../../core/clock.ts'
import { messageOf, UserError } from '../../core/errors.ts'
import type { Dashboard, DashboardOptions } from './server.ts'

export type ThreadMessage = { readonly url: string } | { readonly error: string }

const CLOSE_MS = 2000
const YOUNG_MB = 4

/** `warn` hears of its end, if it ends by itself: the job goes on. */
export async function openDashboardThread(
  options: DashboardOptions,
  warn: (sentence: string) => void,
): Promise<Dashboard> {
  const thread = new Worker(new URL(`./thread${extname(import.meta.url)}`, import.meta.url), {
    workerData: options satisfies DashboardOptions,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  })
  let closing = false
  thread.on('error', error => {
    if (!closing) warn(`The dashboard has ended: ${messageOf(error)}. The job goes on.`)
  })
  const [message]: ThreadMessage[] = await once(thread, 'message')
  if (message === undefined || 'error' in message) {
    closing = true
    await thread.terminate()
    throw new UserError(message?.error ?? 'The dashboard could not be started.')
  }
  thread.unref()
  return {
    url: message.url,
    close: async () => {
      if (closing) return
      closing = true
      const ended = once(thread, 'exit')
      thread.postMessage('close')
      await Promise.race([ended, systemClock.sleep(CLOSE_MS)])
      await thread.terminate()
    },
  }
}
