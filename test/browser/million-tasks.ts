// A job database with a million tasks, all of them ended, written by plain SQL in some seconds.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openJobDb } from '../../manager/job-db.ts'

export const MILLION = 1_000_000
const VMS = 2000

export function makeMillionTasks(): { readonly file: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-million-'))
  const file = join(folder, 'million.db')
  const db = openJobDb(file, { mode: 'create' })
  db.saveJob({ jobId: 'million', provider: 'local', taskFile: 'tasks.json' })
  db.sqlite.exec(`
    PRAGMA synchronous = OFF;
    BEGIN;
    CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${MILLION - 1})
      SELECT i, strftime('%Y-%m-%dT%H:%M:%f000+00:00', 1767225600 + i * 0.0072, 'unixepoch') AS at,
        0.01 + (i * 7919 % 10007) / 5000.0 AS seconds, 'vm-' || (i * 31 / 16000 % ${VMS}) AS vm,
        CASE WHEN i % 997 = 0 THEN 'exception' WHEN i % 1009 = 0 THEN 'timed_out' ELSE 'completed' END AS how FROM n;
    INSERT INTO tasks (task_id, task_data, status, retry, enqueued_at, completed_at, elapsed_time, hostname, result,
        exception, revision, attempt)
      SELECT 'delay-' || printf('%07d', i), '{"airport":' || (i % 300) || '}', how, 0, '2026-01-01T00:00:00+00:00', at,
        seconds, 'host', iif(how = 'completed', '{"delayMinutes":' || (i % 60) || '}', NULL),
        iif(how = 'exception', 'Traceback (most recent call last):' || char(10) || 'ValueError: airport ' || (i % 7), NULL),
        2, 1 FROM n;
    INSERT INTO events (timestamp, hostname, event_type, task_id, raw_event, attempt)
      SELECT at, 'host', 'task_' || how, 'delay-' || printf('%07d', i),
        json_object('timestamp', at, 'hostname', 'host', 'event_type', 'task_' || how, 'task_id',
          'delay-' || printf('%07d', i), 'elapsed_time', seconds, 'retry', json('false'), 'attempt', 1,
          'instance_id', vm), 1 FROM n;
    INSERT INTO counters SELECT 'status:' || how, count(*) FROM n GROUP BY how
      ON CONFLICT DO UPDATE SET value = excluded.value;
    INSERT INTO counters SELECT 'event:task_' || how, count(*) FROM n GROUP BY how
      ON CONFLICT DO UPDATE SET value = excluded.value;
    INSERT INTO instances (id, state, instance_type, zone, spot, vcpus, price_per_hour, launched_at, ready_at, ended_at,
        end_reason, last_heard_at, attempts, completed, busy_seconds, slots)
      SELECT 'vm-' || i, 'terminated', 'c7g.4xlarge', 'us-east-1' || substr('abc', i % 3 + 1, 1), 1, 16, 0.2,
        strftime('%Y-%m-%dT%H:%M:%f000+00:00', 1767225600 + i * 3, 'unixepoch'),
        strftime('%Y-%m-%dT%H:%M:%f000+00:00', 1767225640 + i * 3, 'unixepoch'),
        strftime('%Y-%m-%dT%H:%M:%f000+00:00', 1767226240 + i * 3, 'unixepoch'),
        iif(i % 4 = 0, 'preempted', 'terminated'), '2026-01-01T02:00:00+00:00', 500, 499, 500, 16
      FROM n WHERE i < ${VMS};
    COMMIT;
    DROP TABLE n;
  `)
  db.close()
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
