// report: how a job stands or ended, from its database alone.
import { existsSync } from 'node:fs'
import { UserError } from '../../core/errors.ts'
import { openJobDb } from '../job-db.ts'
import { buildReport } from '../report.ts'
import { csvOfTasks } from '../report-csv.ts'
import type { Invocation } from './invocation.ts'
import { loadConfig } from './load-config.ts'
import { printReport } from './print-report.ts'

export async function reportCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  const file = await dbFile(invocation)
  if (!existsSync(file)) throw new UserError(`Job database ${file} does not exist; give --db-file.`)
  const html = options.text('html')
  if (html !== undefined) await writeHtml(invocation, { file, html })
  if (html !== undefined && !options.has('json')) return 0
  const db = openJobDb(file, { mode: 'readonly' })
  try {
    if (options.has('csv')) for (const lines of csvOfTasks(db.sqlite)) terminal.print(lines)
    else printReport(buildReport(db, { now: new Date() }), db, invocation)
    return 0
  } finally {
    db.close()
  }
}

async function writeHtml({ options, terminal }: Invocation, { file, html }: { file: string; html: string }) {
  const { writeHtmlReport } = await import('../report-html.ts')
  const bytes = await writeHtmlReport(file, { file: html })
  if (options.has('json') || options.has('quiet')) return // stdout is the other report's, or wanted empty
  terminal.print(`Report of ${file}: ${html} (${(bytes / 1e6).toFixed(1)} MB), one file for any browser.`)
}

/** A database needs no provider and no job file. */
async function dbFile(invocation: Invocation): Promise<string> {
  const { options } = invocation
  const given = options.text('db-file')
  if (given !== undefined) return given
  const jobId = options.text('job-id')
  if (options.text('config') === undefined && jobId !== undefined) return `${jobId}.db`
  const { config } = await loadConfig(invocation)
  if (config.dbFile === undefined) throw new UserError('Which job? Give --config, --job-id or --db-file.')
  return config.dbFile
}
