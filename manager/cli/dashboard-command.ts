// dashboard: a web page about a job, from its database alone; and the same page beside a manager, for run and monitor_event_queue.
import { UserError } from '../../core/errors.ts'
import { giveWay } from '../dashboard/give-way.ts'
import { watchInterrupts } from './interrupts.ts'
import type { Invocation } from './invocation.ts'

export async function dashboardCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  const file = await databaseOf(invocation)
  using interrupts = watchInterrupts()
  const { openDashboard } = await import('../dashboard/server.ts')
  giveWay()
  const dashboard = await openDashboard({
    file,
    allowControl: options.has('allow-control'),
    ...portOption(options.count('port')),
  })
  try {
    terminal.print(`Dashboard of ${file}: ${dashboard.url}`)
    if (!options.has('quiet')) terminal.print('Ctrl-C ends it; the job goes on.')
    await interrupts.next()
    return 0
  } finally {
    await dashboard.close()
  }
}

/** With --dashboard: one beside what the command does. undefined without. */
export async function openDashboardOption(
  file: string,
  { options, terminal }: Invocation,
): Promise<AsyncDisposable | undefined> {
  if (!options.has('dashboard')) return undefined
  const { openDashboardBeside } = await import('../dashboard/open-beside.ts')
  const dashboard = await openDashboardBeside(
    { file, allowControl: options.has('allow-control'), ...portOption(options.count('dashboard-port')) },
    sentence => terminal.log('WARNING', sentence),
  )
  terminal.log(options.has('quiet') ? 'WARNING' : 'INFO', `Dashboard: ${dashboard.url}`)
  return { [Symbol.asyncDispose]: () => dashboard.close() }
}

function portOption(port: number | undefined): { readonly port?: number } {
  if (port === undefined) return {}
  if (port >= 0 && port < 65_536) return { port }
  throw new UserError(`Port ${port} is none: give a number from 1 to 65535.`)
}

async function databaseOf(invocation: Invocation): Promise<string> {
  const { options } = invocation
  const given = options.text('db-file')
  if (given !== undefined) return given
  const jobId = options.text('job-id')
  if (options.text('config') === undefined && jobId !== undefined) return `${jobId}.db`
  const { loadConfig } = await import('./load-config.ts') // brings the whole schema of job files
  const { config } = await loadConfig(invocation)
  if (config.dbFile === undefined) throw new UserError('Which job? Give --config, --job-id or --db-file.')
  return config.dbFile
}
