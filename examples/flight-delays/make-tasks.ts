// Writes the task file: one task per origin airport and one per distance band. `node make-tasks.ts [--out tasks.json]`
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Group, loadFlights } from './flights.ts'

const BAND_MILES = 250
const FIRST_SEED = 2001 // the year of the flights; any number does, as long as it stays

const { values } = parseArgs({ options: { out: { type: 'string', default: 'tasks.json' } } })

const airports = [...new Set(loadFlights('origin').map(({ origin }) => origin ?? '?'))].toSorted()
const bands = [...new Set(loadFlights('distance').map(({ distance }) => Math.floor(distance / BAND_MILES)))]
const groups: [string, Group][] = [
  ...airports.map((airport): [string, Group] => [`origin-${airport}`, { by: 'origin', airport }]),
  ...bands
    .toSorted((a, b) => a - b)
    .map(band => ({ fromMiles: band * BAND_MILES, belowMiles: (band + 1) * BAND_MILES }))
    .map((range): [string, Group] => [
      `distance-${String(range.fromMiles).padStart(4, '0')}`,
      { by: 'distance', ...range },
    ]),
]
const tasks = groups.map(([task_id, group], index) => ({ task_id, data: { group, seed: FIRST_SEED + index } }))

writeFileSync(values.out, `[\n${tasks.map(task => JSON.stringify(task)).join(',\n')}\n]\n`)
console.log(`${values.out}: ${tasks.length} tasks (${airports.length} airports, ${bands.length} distance bands)`)
