// Requests of up to ten entries each, of which SQS may refuse some: those are tried again, as are requests that failed for a
// reason that passes. Knows nothing of what the entries are.
import type { BatchResultErrorEntry } from '@aws-sdk/client-sqs'
import { systemClock } from '../../core/clock.ts'
import type { AdaptiveLimit } from '../adaptive-limit.ts'
import { awsErrorCode, awsFailureKind, passesAlone } from './failure.ts'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000
const GIVE_UP_MS = 60_000 // beyond the SDK's own attempts at each request

export interface BatchAnswer {
  readonly Failed?: readonly BatchResultErrorEntry[] | undefined
  readonly $metadata: { readonly attempts?: number }
}

export interface BatchOutcome<Entry> {
  /** SQS will never take these. */
  readonly refused: readonly Refused<Entry>[]
  /** Not done because of `error`. */
  readonly undone: readonly Entry[]
  readonly error: unknown
}

interface Refused<Entry> {
  readonly entry: Entry
  readonly code: string
  readonly said: string
}

interface Attempt<Entry> {
  readonly open: readonly Entry[]
  readonly passes: boolean
  readonly error: unknown
}

interface BatchOptions<Entry> {
  readonly limit: AdaptiveLimit
  /** One request; entry n of it has the id `n`. */
  readonly request: (entries: readonly Entry[]) => Promise<BatchAnswer>
  /** True if the error is dealt with and the request is worth another attempt. */
  readonly mend?: (error: unknown) => Promise<boolean>
}

/** Never rejects: what went wrong is in the outcome. After an error that does not pass no further batch is begun. */
export async function requestBatches<Entry>(
  batches: readonly (readonly Entry[])[],
  options: BatchOptions<Entry>,
): Promise<BatchOutcome<Entry>> {
  const refused: Refused<Entry>[] = []
  const undone: Entry[] = []
  let error: unknown
  let hopeless = false
  const giveUpMs = systemClock.now() + GIVE_UP_MS

  await Promise.all(batches.map(batch => options.limit.run(() => settle(batch))))
  return { refused, undone, error }

  async function settle(batch: readonly Entry[]): Promise<void> {
    let open = batch
    for (let pauseMs = FIRST_PAUSE_MS; !hopeless; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const failure = await attempt(open)
      open = failure.open
      if (open.length === 0) return
      if (!failure.passes || systemClock.now() > giveUpMs) {
        hopeless = true
        error ??= failure.error
        break
      }
      await systemClock.sleep(pauseMs * (0.5 + Math.random()))
    }
    undone.push(...open)
  }

  async function attempt(open: readonly Entry[]): Promise<Attempt<Entry>> {
    const startedMs = performance.now()
    const learn = (throttled: boolean) => options.limit.learn(performance.now() - startedMs, throttled)
    try {
      const answer = await options.request(open)
      const failed = failures(open, answer)
      refused.push(...failed.filter(({ final }) => final))
      const again = failed.filter(({ final }) => !final)
      learn((answer.$metadata.attempts ?? 1) > 1 || again.length > 0)
      return { open: again.map(({ entry }) => entry), passes: true, error: new Error(again[0]?.said) }
    } catch (cause) {
      learn(awsFailureKind(cause) === 'throttled')
      return { open, passes: passesAlone(cause) || (await mended(cause)), error: cause }
    }
  }

  async function mended(cause: unknown): Promise<boolean> {
    try {
      return (await options.mend?.(cause)) === true
    } catch (worse) {
      error ??= worse
      return false
    }
  }
}

export function isMissingQueue(error: unknown): boolean {
  return ['QueueDoesNotExist', 'NonExistentQueue'].includes(awsErrorCode(error))
}

function failures<Entry>(entries: readonly Entry[], { Failed = [] }: BatchAnswer) {
  return Failed.flatMap(({ Id, Code = '', Message = '', SenderFault }) => {
    const entry = entries[Number(Id)]
    if (entry === undefined) return []
    const said = [Code, Message].filter(part => part !== '').join(': ')
    return [{ entry, code: Code, said, final: SenderFault === true && !/throttl/i.test(Code) }]
  })
}
