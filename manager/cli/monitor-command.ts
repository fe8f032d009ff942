// monitor_event_queue: collects results into the database, wherever the VMs came from.
import { collectEvents } from '../collector.ts'
import { totalCount } from '../job-db-status.ts'
import { observeVms } from '../observe-vms.ts'
import { buildReport } from '../report.ts'
import { takeSamples } from '../samples.ts'
import { calmLog } from './calm-log.ts'
import { openDashboardOption } from './dashboard-command.ts'
import { EXIT_CODES, watchInterrupts } from './interrupts.ts'
import type { Invocation } from './invocation.ts'
import { openJob } from './open-job.ts'
import { openExistingDb, openPool } from './prepare-job.ts'
import { printReport } from './print-report.ts'
import { openProgress } from './progress-parts.ts'
import { tellOfEnding } from './tell-of-ending.ts'

const PROGRESS_MS = 500

export async function monitorCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  await using job = await openJob(invocation)
  const db = openExistingDb(job, invocation)
  using interrupts = watchInterrupts()
  const stop = new AbortController()
  const outputFile = options.text('output-file')
  const quiet = options.has('json') || options.has('quiet') || options.has('print-events')
  try {
    if (!quiet) {
      terminal.print(`Monitoring event queue '${job.queues.events.name}'`)
      terminal.print(`Database: ${db.file} (${totalCount(db.counts()).toLocaleString('en-US')} tasks)`)
    }
    if (!options.has('quiet') && options.count('verbose') === undefined) terminal.setLogLevel('INFO')
    await using _dashboard = await openDashboardOption(db.file, invocation)
    await using progress = await openProgress({ job, db, invocation })
    const ticking = setInterval(progress.update, PROGRESS_MS)
    const log = calmLog(terminal)
    const warn = (sentence: string) => log('WARNING', sentence)
    const observing = observeVms({
      pool: openPool(job),
      db,
      config: job.config,
      warn,
      signal: stop.signal,
    })
    const sampling = takeSamples({
      sqlite: db.sqlite,
      taskQueue: job.queues.tasks,
      pool: () => undefined,
      signal: stop.signal,
    })
    const collecting = collectEvents({
      queue: job.queues.events,
      db,
      signal: stop.signal,
      untilFinished: !options.has('no-auto-complete'),
      onBatch: progress.hear,
      warn,
      ...(outputFile === undefined ? undefined : { outputFile }),
      ...(options.has('print-events') ? { printEvent: (json: string) => terminal.print(json) } : undefined),
    })
    let interrupt: Awaited<ReturnType<typeof interrupts.next>> | undefined
    try {
      const first = await Promise.race([collecting, interrupts.next()])
      if (typeof first === 'string') interrupt = first
    } finally {
      clearInterval(ticking)
      stop.abort()
      await Promise.all([collecting, observing, sampling])
      terminal.showBlock([])
    }
    if (interrupt !== undefined)
      terminal.log('WARNING', 'Interrupted. What has been collected is in the database; run again to go on.')
    const report = buildReport(db, { now: new Date() })
    if (!options.has('print-events')) {
      printReport(report, db, invocation)
    }
    if (interrupt === undefined && report.unfinishedCount === 0) {
      await tellOfEnding({ kind: 'finished' }, { job, db, report, interrupts, log })
    }
    return interrupt === undefined ? 0 : EXIT_CODES[interrupt]
  } finally {
    db.close()
  }
}
