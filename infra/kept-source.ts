// Sources of a catalogue, each asked no more often than it changes. One that cannot be asked is answered from what was kept,
// with a warning, or is given to the caller as missing. Knows no cloud and no prices.
import type { z } from 'zod'
import { type Clock, systemClock } from '../core/clock.ts'
import type { PriceCache } from './price-cache.ts'

const REPEAT_AFTER_MS = 60_000 // nobody waits twice in a row for what does not answer

export type Answer<T> =
  | { readonly kind: 'had'; readonly value: T }
  | { readonly kind: 'missing'; readonly error: Error }

/** Rejects only if nothing that follows could work either. */
export type Ask<T> = () => Promise<Answer<T>>

export interface KeptSource<T extends object> {
  readonly name: string
  /** In a sentence. */
  readonly what: string
  readonly schema: z.ZodType<T>
  readonly freshSeconds: number
  /** So long it is better than nothing. */
  readonly usableSeconds: number
  /** Besides its name: whose answer it is. */
  readonly from: () => readonly string[] | Promise<readonly string[]>
  /** Rejects rather than answer with nothing: that could be a fault of the moment. */
  readonly load: () => Promise<T>
}

interface KeptSourcesOptions {
  readonly cache: PriceCache
  readonly warn: (text: string) => void
  /** What went wrong while `reading ${what}`, in a sentence. */
  readonly failure: (error: unknown, doing: string) => Error | Promise<Error>
  /** True if nothing that follows could work either. */
  readonly fatal: (error: unknown) => boolean
  readonly clock?: Clock | undefined
}

export class KeptSources {
  readonly #options: KeptSourcesOptions

  constructor(options: KeptSourcesOptions) {
    this.#options = options
  }

  /** One answer for all who ask at the same time or soon after. */
  source<T extends object>(source: KeptSource<T>): Ask<T> {
    const { clock = systemClock } = this.#options
    let last: { readonly answer: Promise<Answer<T>>; readonly askedAtMs: number } | undefined
    return () => {
      if (last === undefined || clock.now() - last.askedAtMs >= REPEAT_AFTER_MS) {
        last = { answer: this.#ask(source), askedAtMs: clock.now() }
      }
      return last.answer
    }
  }

  async #ask<T extends object>(source: KeptSource<T>): Promise<Answer<T>> {
    const { name, what, schema, from, load, freshSeconds, usableSeconds } = source
    const { cache, warn, failure, fatal } = this.#options
    const kept = { key: [name, ...(await from())] as const, schema }
    try {
      return { kind: 'had', value: (await cache.load({ ...kept, freshSeconds, load })).value }
    } catch (cause) {
      const error = await failure(cause, `reading ${what}`)
      const old = await cache.kept({ ...kept, usableSeconds })
      if (old === undefined && fatal(cause)) throw error
      if (old === undefined) return { kind: 'missing', error }
      warn(`${error.message} Using those of ${old.savedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC.`)
      return { kind: 'had', value: old.value }
    }
  }
}
