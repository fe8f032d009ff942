// Claims that wait for a task: each leaves with a claim, or with nothing when its time is over or its client has gone.
// One receive serves all of them.
import { systemClock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { Log } from '../log.ts'
import type { Wish } from './claim-desk.ts'
import type { Claim } from './claims.ts'

export interface WaitingRoom {
  wait(wish: Wish): Promise<Claim | undefined>
  close(): Promise<void>
}

export interface WaitingRoomOptions {
  /**
   * Receives for up to `maxMessages` wishes. When messages come, asks who is here now; whoever it matches it calls with
   * `leave` first and answers with the claim once that is recorded. Answers how many messages came.
   */
  readonly receive: (options: {
    readonly maxMessages: number
    readonly waitSeconds: number
    readonly signal: AbortSignal
    readonly here: () => readonly Wish[]
    readonly leave: (wish: Wish) => (claim: Claim | undefined) => void
  }) => Promise<number>
  readonly log: Log
}

const LONGEST_WAIT_SECONDS = 20 // of one receive
const NO_MATCH_PAUSE_MS = 500 // only messages of other types came
const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 5000

interface Waiting {
  readonly untilMs: number
  readonly resolve: (claim: Claim | undefined) => void
  /** Ends the waiting, whoever it was that ended it. */
  readonly forget: () => void
}

export function openWaitingRoom({ receive, log }: WaitingRoomOptions): WaitingRoom {
  const waiting = new Map<Wish, Waiting>()
  let empty = new AbortController()
  let loop: Promise<void> | undefined
  let closed = false

  return {
    wait(wish) {
      if (closed || wish.gone.aborted) return Promise.resolve(undefined)
      return new Promise(resolve => {
        const giveUp = () => leave(wish)(undefined)
        const timer = setTimeout(giveUp, wish.waitSeconds * 1000)
        wish.gone.addEventListener('abort', giveUp, { once: true })
        waiting.set(wish, {
          untilMs: performance.now() + wish.waitSeconds * 1000,
          resolve,
          forget() {
            clearTimeout(timer)
            wish.gone.removeEventListener('abort', giveUp)
          },
        })
        loop ??= run()
      })
    },
    async close() {
      closed = true
      for (const wish of [...waiting.keys()]) leave(wish)(undefined)
      await loop
    },
  }

  function leave(wish: Wish): (claim: Claim | undefined) => void {
    const found = waiting.get(wish)
    if (found === undefined) return () => {}
    waiting.delete(wish)
    found.forget()
    if (waiting.size === 0) empty.abort()
    return found.resolve
  }

  async function run(): Promise<void> {
    await serve()
    loop = waiting.size > 0 ? run() : undefined // somebody may have come in at the last moment
  }

  async function serve(): Promise<void> {
    let backoffMs = FIRST_BACKOFF_MS
    while (waiting.size > 0) {
      empty = new AbortController()
      const { signal } = empty
      const leftMs = Math.max(...[...waiting.values()].map(({ untilMs }) => untilMs)) - performance.now()
      const before = waiting.size
      try {
        const waitSeconds = Math.min(LONGEST_WAIT_SECONDS, Math.max(0, leftMs / 1000))
        const came = await receive({ maxMessages: before, waitSeconds, signal, here: () => [...waiting.keys()], leave })
        if (came > 0 && waiting.size >= before) await systemClock.sleep(NO_MATCH_PAUSE_MS, signal)
        backoffMs = FIRST_BACKOFF_MS
      } catch (error) {
        log.warning(`Tasks could not be received, trying again: ${messageOf(error)}`)
        await systemClock.sleep(backoffMs, signal)
        backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS)
      }
    }
  }
}
