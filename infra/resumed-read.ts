// Reads a long answer over connections that may break: from the next byte on, as often as some bytes come. Knows no service.
import { type Clock, systemClock } from '../core/clock.ts'

/** An answer from some byte on. */
export interface OpenedAnswer {
  readonly bytes: AsyncIterable<Uint8Array>
  /** Where the whole ends, counted from its first byte; undefined = wherever the bytes end. */
  readonly endByte: number | undefined
}

interface ResumedReadOptions {
  /** Asks again from a byte on, for the same content. Rejects for good if that cannot be. */
  readonly open: (fromByte: number) => Promise<OpenedAnswer>
  /** What to throw when it breaks again and again without a byte in between. */
  readonly failure: (error: unknown, atByte: number) => Error
  readonly clock?: Clock
}

const MAX_BREAKS = 5
const FIRST_PAUSE_MS = 200 // then twice as long each time

export async function* readResumed({
  open,
  failure,
  clock = systemClock,
}: ResumedReadOptions): AsyncGenerator<Uint8Array> {
  let atByte = 0
  for (let breaks = 0; ; breaks++) {
    const { bytes, endByte } = await open(atByte)
    let broken: unknown = new Error('the connection ended too early')
    try {
      for await (const chunk of bytes) {
        atByte += chunk.length
        if (chunk.length > 0) breaks = 0
        yield chunk
      }
      if (endByte === undefined) return
    } catch (error) {
      broken = error
    }
    if (endByte !== undefined && atByte >= endByte) return
    if (breaks >= MAX_BREAKS) throw failure(broken, atByte)
    await clock.sleep(FIRST_PAUSE_MS * 2 ** breaks * (0.5 + Math.random()))
  }
}
