// Keeps what catalogues answered in files of the user's cache folder, so that a second command need not ask again. Knows no
// prices. Every trouble with a file means "not kept": the answer is asked for again.
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { type Clock, systemClock } from '../core/clock.ts'

const KEEP_MS = 40 * 86_400_000 // longer than anything is of use

interface CacheEntry<T> {
  readonly value: T
  readonly savedAt: Date
}

interface Kept<T> {
  /** Says what it is and all that it depends on: `['types', region, endpoint]`. */
  readonly key: readonly [string, ...string[]]
  readonly schema: z.ZodType<T>
}

interface KeptRules<T> extends Kept<T> {
  readonly usableSeconds: number
}

interface CacheRules<T> extends Kept<T> {
  /** So long the kept answer is as good as a new one. */
  readonly freshSeconds: number
  readonly load: () => Promise<T>
}

const envelopeSchema = z.object({ format: z.literal(1), savedAt: z.iso.datetime(), value: z.unknown() })

export class PriceCache {
  readonly #folder: string
  readonly #clock: Clock
  /** Also for machines where nothing can be written. */
  readonly #memory = new Map<string, CacheEntry<unknown>>()

  constructor(folder: string, clock: Clock = systemClock) {
    this.#folder = folder
    this.#clock = clock
  }

  /** Rejects as `load` does. */
  async load<T>({ key, schema, freshSeconds, load }: CacheRules<T>): Promise<CacheEntry<T>> {
    const kept = await this.kept({ key, schema, usableSeconds: freshSeconds })
    if (kept !== undefined) return kept
    const entry = { value: await load(), savedAt: new Date(this.#clock.now()) }
    this.#memory.set(key.join(' '), entry)
    await this.#save(this.#pathOf(key), entry)
    return entry
  }

  /** What was kept within the last `usableSeconds`. */
  async kept<T>({ key, schema, usableSeconds }: KeptRules<T>): Promise<CacheEntry<T> | undefined> {
    const entry = this.#memory.get(key.join(' ')) ?? (await readEntry(this.#pathOf(key)))
    if (entry === undefined) return undefined
    const ageSeconds = (this.#clock.now() - entry.savedAt.getTime()) / 1000
    // Saved in the future: a clock was wrong, so the age is not known.
    if (ageSeconds < 0 || ageSeconds >= usableSeconds) return undefined
    const value = schema.safeParse(entry.value)
    return value.success ? { value: value.data, savedAt: entry.savedAt } : undefined
  }

  async #save(path: string, { value, savedAt }: CacheEntry<unknown>): Promise<void> {
    // Written aside, then renamed: whoever is killed, other programs read a whole file or the one before.
    const temporary = `${path}.${randomUUID()}.part`
    try {
      await mkdir(dirname(path), { recursive: true })
      await writeFile(temporary, JSON.stringify({ format: 1, savedAt: savedAt.toISOString(), value }), { mode: 0o600 })
      await rename(temporary, path)
      await this.#removeOld()
    } catch {
      // A full or read-only disk costs a repeated question next time, nothing else.
      await rm(temporary, { force: true }).catch(() => {})
    }
  }

  /** Answers for credentials that are long gone, and what was left by killed programs. */
  async #removeOld(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name)
      if (this.#clock.now() - (await stat(path)).mtimeMs > KEEP_MS) await rm(path, { force: true })
    }
  }

  #pathOf([name, ...rest]: Kept<unknown>['key']): string {
    const hash = createHash('sha256').update(JSON.stringify(rest)).digest('hex').slice(0, 16)
    return join(this.#folder, `${name}-${hash}.json`)
  }
}

/** As https://specifications.freedesktop.org/basedir-spec/latest/ has it. */
export function cacheFolder(cloud: string, env: Readonly<Record<string, string | undefined>>): string {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'cloud-tasks', cloud)
}

async function readEntry(path: string): Promise<CacheEntry<unknown> | undefined> {
  try {
    const { savedAt, value } = envelopeSchema.parse(JSON.parse(await readFile(path, 'utf8')))
    return { savedAt: new Date(savedAt), value }
  } catch {
    return undefined // absent, unreadable, cut short or of another version: all the same as never saved
  }
}
