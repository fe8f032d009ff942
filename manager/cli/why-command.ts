// why: one sentence on why the pool has, or had, the size it has; from the job's database alone.
import { existsSync } from 'node:fs'
import { UserError } from '../../core/errors.ts'
import { readDecision } from '../decisions.ts'
import { explainDecision } from '../decisions-text.ts'
import { openJobDb } from '../job-db.ts'
import { hasTable } from '../job-db-open.ts'
import type { Invocation } from './invocation.ts'
import { loadConfig } from './load-config.ts'

export async function whyCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  const at = parseInstant(options.text('at'))
  const file = options.text('db-file') ?? (await loadConfig(invocation)).config.dbFile
  if (file === undefined) throw new UserError('Which job? Give --config, --job-id or --db-file.')
  if (!existsSync(file)) throw new UserError(`Job database ${file} does not exist; give --db-file.`)
  const db = openJobDb(file, { mode: 'readonly' })
  try {
    const decision = hasTable(db.sqlite, 'decisions') ? readDecision(db.sqlite, at) : undefined
    if (decision === undefined) {
      throw new UserError(
        `Nothing was decided about VMs ${at === undefined ? 'yet' : 'by then'} in job database ${file}.`,
      )
    }
    const { inputs: _inputs, ...shown } = decision
    const text = explainDecision(decision, at ?? new Date())
    terminal.print(options.has('json') ? JSON.stringify({ ...shown, text }, undefined, 2) : text)
    return 0
  } finally {
    db.close()
  }
}

const TIME_OF_DAY = /^\d\d:\d\d(:\d\d)?$/

/** An ISO-8601 time; without a zone it is UTC, as in the database; `08:15` is today. */
function parseInstant(text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const whole = TIME_OF_DAY.test(text)
    ? `${new Date().toISOString().slice(0, 10)}T${text}`
    : text.trim().replace(' ', 'T')
  const instant = new Date(/T.*(Z|[+-]\d\d:?\d\d)$/i.test(whole) || !whole.includes('T') ? whole : `${whole}Z`)
  if (Number.isNaN(instant.getTime())) {
    throw new UserError(`--at "${text}" is no time; give one such as 2026-11-22T08:15:00 or 08:15 (UTC).`)
  }
  return instant
}
