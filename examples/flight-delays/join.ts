// Joins the results in the job database into delays.md, delays.csv and delays.svg: `node join.ts [JOB.db] [--out FOLDER]`
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { renderChart } from './chart.ts'
import { readResults } from './results.ts'
import { renderCsv, renderMarkdown } from './table.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { out: { type: 'string', default: '.' } },
})
const { rows, unfinished } = readResults(positionals[0] ?? 'flight-delays.db')

mkdirSync(values.out, { recursive: true })
const outputs = {
  'delays.md': renderMarkdown(rows),
  'delays.csv': renderCsv(rows),
  'delays.svg': await renderChart(rows),
}
for (const [name, text] of Object.entries(outputs)) writeFileSync(join(values.out, name), text)
console.log(`${rows.length} groups → ${Object.keys(outputs).join(', ')} in ${values.out}`)

if (unfinished.length > 0) {
  console.error(
    `${unfinished.length} groups have no result yet: ${unfinished.slice(0, 5).join(', ')}${unfinished.length > 5 ? ' …' : ''}.`,
  )
  process.exitCode = 1
}
