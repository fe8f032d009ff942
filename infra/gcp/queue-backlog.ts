// How many messages wait in a subscription. Pub/Sub itself does not tell: Cloud Monitoring does, some minutes late, and where it
// cannot be asked a few messages are pulled and put back, which says at least whether there are any.
import { systemClock } from '../../core/clock.ts'
import type { GcpConnection } from './connection.ts'
import { subscriptionId } from './names.ts'
import { GcpRest, listOf, objectOf } from './rest.ts'

const METRIC = 'pubsub.googleapis.com/subscription/num_undelivered_messages'
const WINDOW_MS = 15 * 60_000 // it is written each minute and can be seen up to four minutes later
const KEEP_MS = 10_000 // asked several times a second, it knows nothing newer

export type Undelivered =
  | { readonly kind: 'count'; readonly count: number }
  /** Nothing was measured lately: the subscription is new. */
  | { readonly kind: 'no data' }
  | { readonly kind: 'unavailable'; readonly error: unknown }

export class Backlog {
  readonly #gcp: GcpConnection
  readonly #queueName: string
  #last: { readonly atMs: number; readonly answer: Promise<Undelivered> } | undefined

  constructor(gcp: GcpConnection, queueName: string) {
    this.#gcp = gcp
    this.#queueName = queueName
  }

  /** Never rejects. */
  undelivered(): Promise<Undelivered> {
    const nowMs = systemClock.now()
    if (this.#last === undefined || nowMs - this.#last.atMs > this.#keepMs()) {
      this.#last = { atMs: nowMs, answer: this.#ask(nowMs) }
    }
    return this.#last.answer
  }

  /** The queue was emptied or made anew. */
  forget(): void {
    this.#last = undefined
  }

  async #ask(nowMs: number): Promise<Undelivered> {
    const { env } = this.#gcp.settings
    if (env.PUBSUB_EMULATOR_HOST && !env.CLOUD_TASKS_GCP_MONITORING_URL) {
      return { kind: 'unavailable', error: new Error('an emulator of Pub/Sub is in use, and none of Cloud Monitoring') }
    }
    try {
      const projectId = await this.#gcp.projectId()
      const answer = await new GcpRest(this.#gcp, 'MONITORING').request('GET', `/v3/projects/${projectId}/timeSeries`, {
        query: {
          filter: `metric.type = "${METRIC}" AND resource.labels.subscription_id = "${subscriptionId(this.#queueName)}"`,
          'interval.startTime': new Date(nowMs - WINDOW_MS).toISOString(),
          'interval.endTime': new Date(nowMs).toISOString(),
        },
      })
      const count = newestOf(answer.timeSeries)
      return count === undefined ? { kind: 'no data' } : { kind: 'count', count }
    } catch (error) {
      return { kind: 'unavailable', error }
    }
  }

  #keepMs(): number {
    return this.#gcp.settings.env.PUBSUB_EMULATOR_HOST ? 0 : KEEP_MS
  }
}

/** Points come newest first. A subscription that moved between regions has several series. */
function newestOf(timeSeries: unknown): number | undefined {
  const counts = listOf(timeSeries).flatMap(series => {
    const [newest] = listOf(objectOf(series).points)
    const { int64Value, doubleValue } = objectOf(objectOf(newest).value)
    const count = Number(int64Value ?? doubleValue ?? Number.NaN)
    return Number.isFinite(count) ? [count] : []
  })
  return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count, 0)
}
