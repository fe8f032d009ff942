// The raw medium of queue and job DB: rows inserted or updated in transactions of 1000, WAL, synchronous=NORMAL.
import { DatabaseSync } from 'node:sqlite'

const [kind = 'insert', countText = '1000', file = ''] = process.argv.slice(2)
const count = Number(countText)
const transactionRows = 1000
const body = JSON.stringify({ task_id: 'task-0000001', data: { number: 1 } })

const db = new DatabaseSync(file)
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
db.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL, state TEXT)')
const insert = db.prepare('INSERT INTO rows (id, body) VALUES (?, ?)')
const update = db.prepare('UPDATE rows SET state = ? WHERE id = ?')

const insertSeconds = inTransactions(id => insert.run(id, body))
const seconds = kind === 'insert' ? insertSeconds : inTransactions(id => update.run('done', id))
db.close()
process.stdout.write(`${JSON.stringify({ perSecond: count / seconds })}\n`)

function inTransactions(write: (id: number) => unknown): number {
  const startedAt = performance.now()
  for (let id = 1; id <= count; id++) {
    if (id % transactionRows === 1) db.exec('BEGIN IMMEDIATE')
    write(id)
    if (id % transactionRows === 0 || id === count) db.exec('COMMIT')
  }
  return (performance.now() - startedAt) / 1000
}
