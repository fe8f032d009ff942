// The job DB's schema as numbered steps. Step 1 starts from nothing or from a DB of the Python system; never edit a step.
import type { DatabaseSync } from 'node:sqlite'

/** Index + 1 = the `user_version` that a step leads to. Each runs in one transaction together with setting it. */
export const MIGRATIONS: readonly ((sqlite: DatabaseSync) => void)[] = [shareTablesWithPython]

function shareTablesWithPython(sqlite: DatabaseSync): void {
  sqlite.exec(PYTHON_TABLES)
  sqlite.exec(OUR_TABLES)
  sqlite.exec(COUNT_WHAT_IS_THERE)
  sqlite.exec(COUNT_WHAT_OTHERS_WRITE)
}

const PYTHON_TABLES = `
  CREATE TABLE IF NOT EXISTS tasks (
    task_id TEXT PRIMARY KEY,
    task_data TEXT,
    status TEXT,
    retry BOOLEAN,
    enqueued_at TIMESTAMP,
    started_at TIMESTAMP,
    completed_at TIMESTAMP,
    elapsed_time REAL,
    hostname TEXT,
    result TEXT,
    exception TEXT,
    exit_code INTEGER
  );
  CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp TIMESTAMP,
    hostname TEXT,
    event_type TEXT,
    task_id TEXT,
    raw_event TEXT
  );
  CREATE INDEX IF NOT EXISTS idx_event_task_id ON events(task_id);
  -- An index that every step of every task has to change halves the speed. The counters below answer what it was for.
  DROP INDEX IF EXISTS idx_task_status;
`

const OUR_TABLES = `
  ALTER TABLE tasks ADD COLUMN revision INTEGER;   -- raised by each write of ours; unchanged = written by another program
  ALTER TABLE tasks ADD COLUMN attempt INTEGER;    -- of the event shown
  ALTER TABLE tasks ADD COLUMN dead_letter TEXT;   -- why the task is in the dead-letter queue
  ALTER TABLE tasks ADD COLUMN priority TEXT;
  ALTER TABLE tasks ADD COLUMN type TEXT;
  ALTER TABLE tasks ADD COLUMN not_before TEXT;
  ALTER TABLE events ADD COLUMN attempt INTEGER;   -- 0 for an event that is not the end of an attempt; NULL = not our row
  CREATE INDEX idx_task_exception ON tasks(task_id) WHERE exception IS NOT NULL;
  CREATE INDEX idx_event_without_task ON events(timestamp) WHERE task_id IS NULL;
  CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE job (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
  CREATE TABLE instances (
    id TEXT PRIMARY KEY,
    state TEXT,
    instance_type TEXT,
    zone TEXT,
    spot BOOLEAN,
    vcpus INTEGER,
    price_per_hour REAL,
    launched_at TIMESTAMP,
    ended_at TIMESTAMP,
    end_reason TEXT,
    last_heard_at TIMESTAMP,
    attempts INTEGER NOT NULL DEFAULT 0,
    completed INTEGER NOT NULL DEFAULT 0,
    busy_seconds REAL NOT NULL DEFAULT 0
  ) WITHOUT ROWID;
`

const COUNT_WHAT_IS_THERE = `
  INSERT INTO counters SELECT 'status:' || status, count(*) FROM tasks WHERE status IS NOT NULL GROUP BY 1;
  INSERT INTO counters SELECT 'event:' || event_type, count(*) FROM events WHERE event_type IS NOT NULL GROUP BY 1;
`

// Our own transactions add up their counts and write them once. Rows written by the Python system are counted here.
const COUNT_WHAT_OTHERS_WRITE = `
  CREATE TRIGGER count_foreign_task AFTER INSERT ON tasks WHEN NEW.revision IS NULL BEGIN
    INSERT INTO counters VALUES ('status:' || NEW.status, 1) ON CONFLICT DO UPDATE SET value = value + 1;
  END;
  CREATE TRIGGER count_foreign_status AFTER UPDATE OF status ON tasks WHEN NEW.revision IS OLD.revision BEGIN
    INSERT INTO counters VALUES ('status:' || OLD.status, -1) ON CONFLICT DO UPDATE SET value = value - 1;
    INSERT INTO counters VALUES ('status:' || NEW.status, 1) ON CONFLICT DO UPDATE SET value = value + 1;
  END;
  CREATE TRIGGER count_foreign_event AFTER INSERT ON events WHEN NEW.attempt IS NULL BEGIN
    INSERT INTO counters VALUES ('event:' || NEW.event_type, 1) ON CONFLICT DO UPDATE SET value = value + 1;
  END;
`
