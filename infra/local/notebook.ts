// The notebook of the local cloud: one row a job in a SQLite file. Only a manager without a disk of its own needs it.
import { join } from 'node:path'
import type { Note, Notebook } from '../notebook.ts'
import { SqliteFile, type SqliteFormat } from './sqlite-file.ts'

const FORMAT: SqliteFormat = {
  title: 'Notebook file',
  version: 1,
  schema:
    'CREATE TABLE IF NOT EXISTS notes (job_id TEXT PRIMARY KEY, version INTEGER NOT NULL, text TEXT NOT NULL) WITHOUT ROWID;',
  ifDamaged: 'Delete it when no manager runs: it holds only what managers remember.',
}

export class LocalNotebook implements Notebook {
  readonly #file: SqliteFile
  readonly #jobId: string

  constructor(root: string, jobId: string) {
    this.#file = new SqliteFile(join(root, 'notebooks.sqlite'), FORMAT)
    this.#jobId = jobId
  }

  async read(): Promise<Note | undefined> {
    const row = await this.#file.read(file =>
      file.prepare('SELECT version, text FROM notes WHERE job_id = ?').get(this.#jobId),
    )
    if (!Array.isArray(row)) return undefined
    return { version: String(row[0]), text: String(row[1]) }
  }

  async write(text: string, version: string | undefined): Promise<boolean> {
    const changed = await this.#file.write(
      file => {
        const { changes } =
          version === undefined
            ? file.prepare('INSERT OR IGNORE INTO notes VALUES (?, 1, ?)').run(this.#jobId, text)
            : file
                .prepare('UPDATE notes SET version = version + 1, text = ? WHERE job_id = ? AND version = ?')
                .run(text, this.#jobId, Number(version))
        return changes
      },
      { create: true },
    )
    return Number(changed) === 1
  }

  async remove(): Promise<void> {
    await this.#file.write(file => file.prepare('DELETE FROM notes WHERE job_id = ?').run(this.#jobId), {
      create: false,
    })
  }

  close(): void {
    this.#file.close()
  }
}
