// Opens a dashboard beside a manager that has other things to do: in a process of its own, so that neither can hold up or
// break the other.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../core/clock.ts'
import { UserError } from '../../core/errors.ts'
import type { Dashboard, DashboardOptions } from './server.ts'

export type BesideMessage = { readonly url: string } | { readonly error: string }

const CLOSE_MS = 2000
const FLAGS = ['--max-semi-space-size=2', '--disable-warning=ExperimentalWarning'] // as main.ts has it for itself

/** `warn` hears of its end, if it ends by itself: the job goes on. */
export async function openDashboardBeside(
  options: DashboardOptions,
  warn: (sentence: string) => void,
): Promise<Dashboard> {
  const program = fileURLToPath(new URL(`./beside${extname(import.meta.url)}`, import.meta.url))
  const child = fork(program, { execArgv: FLAGS, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = once(child, 'exit')
  child.send(options)
  const message = await Promise.race([once(child, 'message'), ended.then(() => [])])
  const [said]: (BesideMessage | undefined)[] = message
  if (said === undefined || 'error' in said) {
    if (child.connected) child.disconnect()
    throw new UserError(said?.error ?? 'The dashboard could not be started.')
  }
  let closing = false
  child.once('exit', code => {
    if (!closing) warn(`The dashboard has ended with exit code ${code}. The job goes on.`)
  })
  // Neither keeps the manager from ending.
  child.unref()
  child.channel?.unref()
  return {
    url: said.url,
    close: async () => {
      if (closing) return
      closing = true
      if (child.connected) child.disconnect()
      await Promise.race([ended, systemClock.sleep(CLOSE_MS)])
      child.kill('SIGKILL')
    },
  }
}
