// npm run bench [-- OPTIONS]: measures the numbers that docs/performance.md promises. Options are explained there.
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { type Context, FULL, type PeerNumbers, QUICK } from './context.ts'
import { measureDashboard } from './dashboard.ts'
import { updateDocs } from './docs.ts'
import { measureIdleAgent, measureStart } from './footprint.ts'
import { measureHttp } from './http.ts'
import { measureLimits } from './limits.ts'
import { describeMachine, loadAverage } from './machine.ts'
import { measureMemory } from './memory.ts'
import { measurePeers } from './peers.ts'
import { measureReconciler } from './reconciler.ts'
import { judge, type Row } from './row.ts'
import { measureSqsRequests } from './sqs-requests.ts'
import { measureSynth } from './synth.ts'
import { renderTable } from './table.ts'
import { measureAgent, measureAll, measureCollector, measureLoader } from './throughput.ts'
import { measureKill, measureNotice } from './vanishing-vms.ts'

const MEASUREMENTS: Readonly<Record<string, (context: Context) => Promise<readonly Row[]>>> = {
  limits: measureLimits,
  agent: measureAgent,
  all: measureAll,
  loader: measureLoader,
  collector: measureCollector,
  http: measureHttp,
  sqs: measureSqsRequests,
  memory: measureMemory,
  dashboard: measureDashboard,
  notice: measureNotice,
  kill: measureKill,
  reconciler: measureReconciler,
  start: measureStart,
  idle: measureIdleAgent,
  synth: measureSynth,
}

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    json: { type: 'string' },
    only: { type: 'string', multiple: true },
    peers: { type: 'boolean', default: true },
    repeats: { type: 'string' },
    'update-docs': { type: 'boolean', default: false },
  },
  allowNegative: true,
})

const say = (sentence: string) => process.stderr.write(`bench: ${sentence}\n`)
const unknown = options.only?.filter(name => !(name in MEASUREMENTS)) ?? []
if (unknown.length > 0) {
  say(`--only ${unknown.join(', ')} is not known. Known: ${Object.keys(MEASUREMENTS).join(', ')}.`)
  process.exit(2)
}

const sizes = options.quick ? QUICK : options.full ? { ...FULL, bigJobs: [...FULL.bigJobs, 10_000_000] } : FULL
const repeats = Number(options.repeats ?? (options.quick ? 1 : 5))
const noPeers: PeerNumbers = { run: new Map(), load: new Map() }
const loadBefore = loadAverage()
const peers = options.peers ? await measurePeers({ sizes, repeats, say }) : noPeers

const rows: Row[] = []
for (const [name, measure] of Object.entries(MEASUREMENTS)) {
  if (options.only !== undefined && !options.only.includes(name)) continue
  rows.push(...(await measure({ sizes, repeats, peers, say })))
}

const machine = await describeMachine(loadBefore)
const report = `${renderTable(rows)}\n\n${machine}\n`
process.stdout.write(report)
if (options['update-docs']) await updateDocs(report)
if (options.json !== undefined) {
  const json = {
    machine,
    measuredAt: new Date().toISOString(),
    rows: rows.map(row => ({ ...row, verdict: judge(row) })),
  }
  await writeFile(options.json, `${JSON.stringify(json, null, 2)}\n`)
}
// A quick run is too short to hold the numbers to: it shows that everything can be measured.
process.exitCode = !options.quick && rows.some(row => judge(row) === 'FAIL') ? 1 : 0
