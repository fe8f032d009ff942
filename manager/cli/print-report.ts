// Prints a job's report as JSON, as text, and on a terminal with small charts below it.
import type { JobDb } from '../job-db.ts'
import { type Report, renderReport } from '../report.ts'
import { readCharts, renderCharts } from '../report-charts.ts'
import type { Invocation } from './invocation.ts'

export function printReport(report: Report, db: Pick<JobDb, 'sqlite'>, { options, terminal, env }: Invocation): void {
  if (options.has('json')) {
    terminal.print(JSON.stringify(report, undefined, 2))
    return
  }
  terminal.print(renderReport(report))
  const columnCount = terminal.printColumnCount
  if (columnCount === undefined) return
  const charts = renderCharts(readCharts(db.sqlite, report), report, { columnCount, color: !env.NO_COLOR })
  if (charts !== '') terminal.print(`\n${charts}`)
}
