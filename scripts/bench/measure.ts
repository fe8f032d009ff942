// How the bench measures: subjects in turn, so that a noisy moment hits all of them, and the median of what they did.

/** Runs every subject once a round and returns the median of each. The first round warms up and is not counted. */
export async function alternate<Name extends string>(
  subjects: Readonly<Record<Name, () => Promise<number>>>,
  { repeats }: { readonly repeats: number },
): Promise<Record<Name, number>> {
  const names = Object.keys(subjects) as Name[]
  const samples = new Map<Name, number[]>(names.map(name => [name, []]))
  for (let round = 0; round <= repeats; round++) {
    // Every other round in reverse, so that nobody always runs right after the same neighbour.
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const sample = await subjects[name]()
      if (round > 0) samples.get(name)?.push(sample)
    }
  }
  return Object.fromEntries(names.map(name => [name, median(samples.get(name) ?? [])])) as Record<Name, number>
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5)
}

/** Linear between the two nearest samples; NaN of none. */
export function quantile(samples: readonly number[], fraction: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * fraction
  const low = sorted[Math.floor(at)] ?? Number.NaN
  const high = sorted[Math.ceil(at)] ?? Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}
