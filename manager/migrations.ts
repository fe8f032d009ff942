// The job DB's schema as numbered steps. Step 1 starts from nothing or from a DB of the Python system; never edit a step.
import type { DatabaseSync } from 'node:sqlite'

/** Index + 1 = the `user_version` that a step leads to. Each runs in one transaction together with setting it. */
export const MIGRATIONS: readonly ((sqlite: DatabaseSync) => void)[] = [
  shareTablesWithPython,
  accountForMoney,
  watchAndControl,
  billUntilLastSeen,
]

/** A VM that nobody watches any more is billed to when it was last seen alive, not for ever. */
function billUntilLastSeen(sqlite: DatabaseSync): void {
  sqlite.exec('ALTER TABLE instances ADD COLUMN listed_at TIMESTAMP') // when a listing last showed it
  sqlite.exec('DROP VIEW ledger')
  sqlite.exec(ledgerView("coalesce(ended_at, listed_at, 'now')"))
}

function watchAndControl(sqlite: DatabaseSync): void {
  sqlite.exec(WATCH_AND_CONTROL_TABLES)
}

function accountForMoney(sqlite: DatabaseSync): void {
  sqlite.exec(MONEY_TABLES)
  sqlite.exec(ledgerView("coalesce(ended_at, 'now')"))
  sqlite.exec(COST_VIEWS)
}

function shareTablesWithPython(sqlite: DatabaseSync): void {
  sqlite.exec(PYTHON_TABLES)
  sqlite.exec(OUR_TABLES)
  sqlite.exec(COUNT_WHAT_IS_THERE)
  sqlite.exec(COUNT_WHAT_OTHERS_WRITE)
}

const MONEY_TABLES = `
  ALTER TABLE instances ADD COLUMN slots INTEGER;         -- tasks it runs at once
  ALTER TABLE instances ADD COLUMN paid_seconds REAL;     -- reserved for it from max_total_cost at its launch
  ALTER TABLE instances ADD COLUMN ready_at TIMESTAMP;    -- begin of its first task, or first sign of life
  ALTER TABLE instances ADD COLUMN last_work_at TIMESTAMP; -- when its last attempt so far ended
  ALTER TABLE instances ADD COLUMN lost_seconds REAL NOT NULL DEFAULT 0; -- those of busy_seconds that were interrupted
  CREATE TABLE IF NOT EXISTS launch_intents (token TEXT PRIMARY KEY, plan TEXT NOT NULL, created_at TEXT NOT NULL)
    WITHOUT ROWID;
  ALTER TABLE launch_intents ADD COLUMN paid_seconds REAL;
  ALTER TABLE launch_intents ADD COLUMN written_off REAL; -- USD that its VMs may have cost unseen
  CREATE TABLE decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TIMESTAMP NOT NULL,
    reason TEXT NOT NULL,
    actions TEXT NOT NULL,            -- JSON
    unfinished INTEGER NOT NULL,
    running INTEGER NOT NULL,
    starting INTEGER NOT NULL,
    slots INTEGER NOT NULL,           -- places of tasks on both
    price_per_hour REAL NOT NULL,
    spent REAL NOT NULL,
    inputs TEXT                       -- JSON of all that was decided from; NULL for long ago
  );
  CREATE INDEX idx_decision_at ON decisions(at);
  CREATE TABLE manager_lease (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    holder TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_start TEXT NOT NULL,
    expires_at TEXT NOT NULL
  );
`

const WATCH_AND_CONTROL_TABLES = `
  CREATE TABLE samples (               -- the course of what nothing else remembers; thinned, see samples.ts
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TIMESTAMP NOT NULL,
    ready INTEGER,                     -- messages in the task queue; NULL = not known
    leased INTEGER,
    delayed INTEGER,
    vms INTEGER,                       -- NULL where VMs are looked after elsewhere
    slots INTEGER,
    usd_per_hour REAL
  );
  CREATE TABLE controls (              -- what people ask of the manager while it runs, see controls.ts
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TIMESTAMP NOT NULL,
    action TEXT NOT NULL,              -- pause, resume, stop, requeue, limits
    max_instances INTEGER,
    max_total_cost REAL,
    done_at TIMESTAMP,                 -- when it had taken effect or could not; NULL = not yet
    error TEXT                         -- why it could not
  );
`

// All in whole milliseconds and whole micro-dollars. Each part is the difference of two rounded running totals, so the
// parts add up to the VM's cost exactly. An interrupted VM's time after its last event was work that nobody heard of.
function ledgerView(end: string): string {
  return `
  CREATE VIEW ledger AS
  WITH
  instants AS (
    SELECT *, CAST(round(coalesce(price_per_hour, 0) * 1000000) AS INTEGER) AS price,
      max(coalesce(slots, CAST(vcpus AS INTEGER), 1), 1) AS places,
      CAST(round(unixepoch(launched_at, 'subsec') * 1000) AS INTEGER) AS launched,
      CAST(round(unixepoch(${end}, 'subsec') * 1000) AS INTEGER) AS ended,
      CAST(round(unixepoch(coalesce(ready_at, last_heard_at), 'subsec') * 1000) AS INTEGER) AS ready,
      CAST(round(unixepoch(coalesce(last_work_at, ready_at, last_heard_at), 'subsec') * 1000) AS INTEGER) AS worked
    FROM instances WHERE state IS NOT NULL
  ),
  spans AS (
    SELECT *, max(0, ended - launched) AS total_ms,
      max(0, min(coalesce(ready, ended), ended) - launched) AS boot,
      CAST(round(max(0, busy_seconds - lost_seconds) * 1000 / places) AS INTEGER) AS useful,
      CAST(round(lost_seconds * 1000 / places) AS INTEGER) AS lost,
      CASE WHEN end_reason IN ('preempted', 'host failed') THEN max(0, ended - worked) ELSE 0 END AS unheard
    FROM instants
  ),
  first_cut AS (SELECT *, min(boot, total_ms) AS boot_ms FROM spans),
  second_cut AS (SELECT *, min(useful, total_ms - boot_ms) AS useful_ms FROM first_cut),
  third_cut AS (SELECT *, min(lost + coalesce(unheard, 0), total_ms - boot_ms - useful_ms) AS lost_ms FROM second_cut),
  sums AS (
    SELECT *, (total_ms * price + 1800000) / 3600000 AS cost_4,
      (boot_ms * price + 1800000) / 3600000 AS cost_1,
      ((boot_ms + useful_ms) * price + 1800000) / 3600000 AS cost_2,
      ((boot_ms + useful_ms + lost_ms) * price + 1800000) / 3600000 AS cost_3
    FROM third_cut
  )
  SELECT id, instance_type, zone, spot, price_per_hour IS NOT NULL AS priced, attempts, completed,
    total_ms, useful_ms, lost_ms, boot_ms, total_ms - boot_ms - useful_ms - lost_ms AS idle_ms,
    cost_4 AS micro_usd, cost_2 - cost_1 AS useful_micro_usd, cost_3 - cost_2 AS lost_micro_usd,
    cost_1 AS boot_micro_usd, cost_4 - cost_3 AS idle_micro_usd
  FROM sums;
`
}

const COST_VIEWS = `
  CREATE VIEW job_cost AS
  SELECT count(*) AS vms, coalesce(sum(micro_usd), 0) AS micro_usd,
    coalesce(sum(useful_micro_usd), 0) AS useful_micro_usd, coalesce(sum(lost_micro_usd), 0) AS lost_micro_usd,
    coalesce(sum(boot_micro_usd), 0) AS boot_micro_usd, coalesce(sum(idle_micro_usd), 0) AS idle_micro_usd,
    (SELECT value FROM counters WHERE name = 'status:completed') AS completed_tasks,
    sum(micro_usd) * 1.0 / (SELECT nullif(value, 0) FROM counters WHERE name = 'status:completed')
      AS micro_usd_per_completed_task
  FROM ledger;

  -- What the attempts of each task cost by themselves, without boots and idle times.
  CREATE VIEW task_costs AS
  SELECT events.task_id, count(*) AS attempts, sum(json_extract(raw_event, '$.elapsed_time')) AS seconds,
    sum(json_extract(raw_event, '$.elapsed_time') * price_per_hour * 1000000 / 3600
      / max(coalesce(slots, CAST(vcpus AS INTEGER), 1), 1)) AS micro_usd
  FROM events JOIN instances ON instances.id = json_extract(raw_event, '$.instance_id')
  WHERE events.task_id IS NOT NULL GROUP BY events.task_id;
`

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
