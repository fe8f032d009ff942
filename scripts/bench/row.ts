// One line of the bench's table: what was measured, beside what, and whether it holds.

export interface Row {
  readonly what: string
  readonly unit: Unit
  /** undefined = could not be measured; `note` says why. */
  readonly ours: number | undefined
  /** The same work without any safety, or the raw medium, measured in the same run. */
  readonly limit?: Named
  readonly peers?: readonly Named[]
  readonly target?: Target
  readonly note?: string
}

export type Unit = 'tasks/s' | 'events/s' | 'rows/s' | 's' | 'ms' | 'MB' | 'requests'

interface Named {
  readonly name: string
  readonly value: number
}

export type Target = { readonly atLeast: number } | { readonly below: number }

export type Verdict = 'pass' | 'FAIL' | '-'

export function judge({ ours, target }: Row): Verdict {
  if (target === undefined) return '-'
  if (ours === undefined) return 'FAIL'
  return ('atLeast' in target ? ours >= target.atLeast : ours < target.below) ? 'pass' : 'FAIL'
}

export function namedPeers(peers: ReadonlyMap<string, number>): readonly Named[] {
  return [...peers].map(([name, value]) => ({ name, value }))
}
