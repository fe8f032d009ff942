// One request to Pub/Sub, tried again while what is wrong passes alone.
import { systemClock } from '../../core/clock.ts'
import type { AdaptiveLimit } from '../adaptive-limit.ts'
import { gcpFailureKind, passesAlone } from './failure.ts'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000
const GIVE_UP_MS = 60_000
const ALREADY_EXISTS = 6
const ABORTED = 10
const UNIMPLEMENTED = 12

interface Persistence {
  readonly limit?: AdaptiveLimit
  /** False: it is not worth another attempt. */
  readonly hopeful?: () => boolean
  readonly giveUpMs?: number
}

/** Rejects with the SDK's error, which has not passed for a minute, or will not. */
export async function persist<Answer>(
  request: () => Promise<Answer>,
  { limit, hopeful = () => true, giveUpMs = GIVE_UP_MS }: Persistence = {},
): Promise<Answer> {
  const endMs = systemClock.now() + giveUpMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    const startedMs = performance.now()
    try {
      const answer = await request()
      limit?.learn(performance.now() - startedMs, false)
      return answer
    } catch (error) {
      limit?.learn(performance.now() - startedMs, gcpFailureKind(error) === 'throttled')
      if (!passes(error) || !hopeful() || systemClock.now() > endMs) throw error
      await systemClock.sleep(jittered(pauseMs))
    }
  }
}

export function passes(error: unknown): boolean {
  return passesAlone(error) || grpcCode(error) === ABORTED
}

export function jittered(pauseMs: number): number {
  return pauseMs * (0.5 + Math.random())
}

export function isMissing(error: unknown): boolean {
  return gcpFailureKind(error) === 'not_found'
}

export function isDenied(error: unknown): boolean {
  return gcpFailureKind(error) === 'denied'
}

export function isThereAlready(error: unknown): boolean {
  return grpcCode(error) === ALREADY_EXISTS
}

export function isUnknownToServer(error: unknown): boolean {
  return grpcCode(error) === UNIMPLEMENTED
}

function grpcCode(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined
}
