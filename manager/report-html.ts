// Writes the report of a job as one HTML file, with the charts and tables of the dashboard, from the job DB alone.
import { rename, rm, writeFile } from 'node:fs/promises'
import { systemClock } from '../core/clock.ts'
import { codeOf, messageOf, UserError } from '../core/errors.ts'
import { JobFollower } from './dashboard/job-follower.ts'
import { collectReport } from './report-html-data.ts'
import { renderReportPage } from './report-html-page.ts'

const LOOK_MS = 20

export interface HtmlReportOptions {
  /** Where it goes; what was there is replaced. */
  readonly file: string
  readonly signal?: AbortSignal
}

/** Resolves to the size in bytes. */
export async function writeHtmlReport(dbFile: string, { file, signal }: HtmlReportOptions): Promise<number> {
  const html = renderReportPage(await readJob(dbFile, signal))
  const unfinished = `${file}.${process.pid}.tmp`
  try {
    // Whole or not at all: a report of an earlier hour stays until the new one is complete.
    await writeFile(unfinished, html)
    await rename(unfinished, file)
  } catch (error) {
    await rm(unfinished, { force: true })
    const why = codeOf(error) === 'ENOENT' ? 'its folder does not exist' : messageOf(error)
    throw new UserError(`The report cannot be written to ${file}: ${why}. Name another file with --html.`, {
      cause: error,
    })
  }
  return Buffer.byteLength(html)
}

async function readJob(dbFile: string, given: AbortSignal | undefined) {
  const follower = new JobFollower({ file: dbFile, control: false, load: 1 })
  const stop = new AbortController()
  const reading = follower.run(stop.signal)
  try {
    while (!follower.index.complete) {
      given?.throwIfAborted()
      if (follower.watched.trouble !== undefined) throw new UserError(follower.watched.trouble)
      await systemClock.sleep(LOOK_MS, stop.signal)
    }
    return collectReport(follower, new Date())
  } finally {
    stop.abort()
    await reading
    follower.close()
  }
}
