// Reads the flight records of the npm package vega-datasets and picks groups out of them.
import { readFileSync } from 'node:fs'

/** One task's share of the flights. */
export type Group =
  | { readonly by: 'origin'; readonly airport: string }
  | { readonly by: 'distance'; readonly fromMiles: number; readonly belowMiles: number }

interface Flight {
  /** Minutes after schedule; negative = early. */
  readonly delay: number
  /** Miles. */
  readonly distance: number
  /** Absent from the 200,000 flights. */
  readonly origin?: string
}

/** Airports are named only in the smaller sample; distances are known in both. */
const SAMPLE = { origin: 'flights-20k.json', distance: 'flights-200k.json' } as const

const samples = new Map<string, readonly Flight[]>()

/** A warm process reads each sample once and keeps it for all its tasks. */
export function loadFlights(by: Group['by']): readonly Flight[] {
  const known = samples.get(by)
  if (known !== undefined) return known
  // The package exports its code only; the data lie beside the code's folder.
  const file = new URL(`../data/${SAMPLE[by]}`, import.meta.resolve('vega-datasets'))
  const flights: readonly Flight[] = JSON.parse(readFileSync(file, 'utf8'))
  samples.set(by, flights)
  return flights
}

export function delaysOf(group: Group): Float64Array {
  const flights = loadFlights(group.by)
  const mine =
    group.by === 'origin'
      ? flights.filter(({ origin }) => origin === group.airport)
      : flights.filter(({ distance }) => distance >= group.fromMiles && distance < group.belowMiles)
  return Float64Array.from(mine, ({ delay }) => delay)
}
