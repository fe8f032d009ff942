// Gathers what many requests ask for at once into one batch: whatever came while the last batch was on its way goes with the
// next. Knows nothing of what a batch does.

export interface Gatherer<Item, Result> {
  /** Rejects if the whole batch failed. */
  add(item: Item): Promise<Result>
  /** Resolves when nothing is on its way any more. */
  idle(): Promise<void>
}

interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (reason: unknown) => void
}

/** `run` answers one result an item, in their order. */
export function openGatherer<Item, Result>(
  run: (items: readonly Item[]) => Promise<readonly Result[]>,
  { maxBatch }: { readonly maxBatch: number },
): Gatherer<Item, Result> {
  let waiting: Waiting<Item, Result>[] = []
  let working: Promise<void> | undefined

  return {
    add(item) {
      return new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject })
        working ??= work()
      })
    },
    async idle() {
      while (working !== undefined) await working
    },
  }

  async function work(): Promise<void> {
    // All requests that the event loop has read already come along.
    await new Promise(resolve => setImmediate(resolve))
    while (waiting.length > 0) {
      const batch = waiting.slice(0, maxBatch)
      waiting = waiting.slice(maxBatch)
      try {
        const results = await run(batch.map(({ item }) => item))
        for (const [index, { resolve, reject }] of batch.entries()) {
          const result = results[index]
          if (result === undefined) reject(new Error('A batch left a request without an answer.'))
          else resolve(result)
        }
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    working = undefined
  }
}
