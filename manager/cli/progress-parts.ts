// What watches a job while a command runs it: the display, and metrics if a port is given for them.
import { serveMetrics } from '../../infra/metrics-server.ts'
import type { AppliedBatch } from '../applied-batch.ts'
import type { JobDb } from '../job-db.ts'
import { openJobMetrics } from '../metrics.ts'
import type { PoolKeeper } from '../pool-keeper.ts'
import { ProgressWatch } from '../progress-watch.ts'
import type { Invocation } from './invocation.ts'
import type { OpenJob } from './open-job.ts'
import { ProgressDisplay } from './progress-display.ts'

export interface ProgressParts extends AsyncDisposable {
  /** Some times a second. */
  readonly update: () => void
  readonly hear: (batch: AppliedBatch) => void
}

export interface ProgressPartsOptions {
  readonly job: OpenJob
  readonly db: JobDb
  readonly keeper?: PoolKeeper
  /** The limit in force, if it can change while the job runs. */
  readonly capUsd?: () => number | undefined
  readonly invocation: Invocation
}

const LOCAL_HOST = '127.0.0.1'

/** Rejects with a UserError if the metrics' port is taken: asked for at the command line, it is missed. */
export async function openProgress({
  job,
  db,
  keeper,
  capUsd,
  invocation,
}: ProgressPartsOptions): Promise<ProgressParts> {
  const { options, terminal } = invocation
  const { jobId, config, queues, provider } = job
  const progress = new ProgressWatch({
    jobId,
    db,
    config,
    tasks: queues.tasks,
    ...(keeper && { keeper }),
    ...(capUsd && { capUsd }),
  })
  const display = new ProgressDisplay({ progress, db, invocation, ...(keeper && { watch: config.watch }) })
  const port = options.value('metrics-port')
  const metrics =
    port === undefined
      ? undefined
      : openJobMetrics({ jobId, provider: provider.name, db, progress, events: queues.events })
  const server =
    metrics === undefined
      ? undefined
      : await serveMetrics({
          port: Number(port),
          host: options.text('metrics-host') ?? LOCAL_HOST,
          render: () => metrics.render(),
        })
  if (server !== undefined) terminal.log('INFO', `Metrics are served at ${server.url}`)
  return {
    update: () => display.update(),
    hear(batch) {
      progress.hear(batch.stored)
      metrics?.hear(batch)
    },
    [Symbol.asyncDispose]: async () => server?.close(),
  }
}
