// What the job DB remembers of the job itself, so that later commands can go on without the original command line.
import type { DatabaseSync } from 'node:sqlite'

export interface JobFacts {
  readonly jobId?: string
  readonly queueName?: string
  readonly provider?: string
  readonly taskFile?: string
  /** Tasks of the file passed over and taken, as given to the load. */
  readonly skip?: number
  readonly limit?: number
  /** `inserting`: the file is not wholly in the DB. `sending`: it is, and some tasks may still be pending. */
  /** The job's queues and what else its stack holds were not there before: they go when the job ends. */
  readonly madeStack?: boolean
  readonly loadState?: 'inserting' | 'sending' | 'loaded'
}

const KEYS = {
  jobId: 'job_id',
  queueName: 'queue_name',
  provider: 'provider',
  taskFile: 'task_file',
  skip: 'skip',
  limit: 'limit',
  madeStack: 'made_stack',
  loadState: 'load_state',
} as const satisfies Record<keyof JobFacts, string>

export function writeJobFacts(sqlite: DatabaseSync, facts: JobFacts): void {
  const upsert = sqlite.prepare('INSERT INTO job VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2')
  for (const [field, value] of Object.entries(facts)) {
    if (value !== undefined) upsert.run(KEYS[field as keyof JobFacts], JSON.stringify(value))
  }
}

export function readJobFacts(sqlite: DatabaseSync): JobFacts {
  const rows = sqlite.prepare('SELECT key, value FROM job').all()
  const values = new Map(rows.map(row => [row.key, row.value]))
  const facts = Object.entries(KEYS).flatMap(([field, key]) => {
    const value = values.get(key)
    return typeof value === 'string' ? [[field, JSON.parse(value)]] : []
  })
  return Object.fromEntries(facts)
}
