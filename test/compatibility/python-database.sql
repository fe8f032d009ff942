-- Written by TaskDatabase of rms-cloud-tasks 0.5.0 (PyPI): six tasks, five of them enqueued, five events.
BEGIN TRANSACTION;
CREATE TABLE events (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                timestamp TIMESTAMP,
                hostname TEXT,
                event_type TEXT,
                task_id TEXT,
                raw_event TEXT
            );
INSERT INTO "events" VALUES(1,'2026-01-02T03:04:05.678901+00:00','vm-a','task_completed','py-0','{"timestamp": "2026-01-02T03:04:05.678901+00:00", "hostname": "vm-a", "event_type": "task_completed", "task_id": "py-0", "retry": false, "elapsed_time": 1.5, "result": {"sum": 3}}');
INSERT INTO "events" VALUES(2,'2026-01-02T03:04:06+00:00','vm-a','task_exception','py-1','{"timestamp": "2026-01-02T03:04:06Z", "hostname": "vm-a", "event_type": "task_exception", "task_id": "py-1", "retry": null, "elapsed_time": 0.5, "exception": "Traceback (most recent call last):\n  boom\nValueError: it''s bad"}');
INSERT INTO "events" VALUES(3,'2026-01-02T03:04:07+00:00','vm-a','task_timed_out','py-2','{"timestamp": "2026-01-02T03:04:07+00:00", "hostname": "vm-a", "event_type": "task_timed_out", "task_id": "py-2", "retry": true, "elapsed_time": 60.0}');
INSERT INTO "events" VALUES(4,'2026-01-02T03:04:08+00:00','vm-a','task_exited','py-3','{"timestamp": "2026-01-02T03:04:08+00:00", "hostname": "vm-a", "event_type": "task_exited", "task_id": "py-3", "retry": false, "elapsed_time": 2.0, "exit_code": -9}');
INSERT INTO "events" VALUES(5,'2026-01-02T03:04:09+00:00','vm-a','spot_termination',NULL,'{"timestamp": "2026-01-02T03:04:09+00:00", "hostname": "vm-a", "event_type": "spot_termination"}');
CREATE TABLE tasks (
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
INSERT INTO "tasks" VALUES('py-0','{"a": 0, "b": [1, "\u00fc"], "big": 12345678901234567890}','completed',0,'2026-11-22T08:32:21.845746+00:00','2026-11-22T08:32:21.850780+00:00','2026-01-02T03:04:05.678901+00:00',1.5,'vm-a','{"sum": 3}',NULL,NULL);
INSERT INTO "tasks" VALUES('py-1','{"a": 1, "b": [1, "\u00fc"], "big": 12345678901234567890}','exception',NULL,'2026-11-22T08:32:21.846671+00:00','2026-11-22T08:32:21.851661+00:00','2026-01-02T03:04:06+00:00',0.5,'vm-a',NULL,'Traceback (most recent call last):
  boom
ValueError: it''s bad',NULL);
INSERT INTO "tasks" VALUES('py-2','{"a": 2, "b": [1, "\u00fc"], "big": 12345678901234567890}','timed_out_with_retry',1,'2026-11-22T08:32:21.847485+00:00','2026-11-22T08:32:21.852540+00:00','2026-01-02T03:04:07+00:00',60.0,'vm-a',NULL,NULL,NULL);
INSERT INTO "tasks" VALUES('py-3','{"a": 3, "b": [1, "\u00fc"], "big": 12345678901234567890}','exited_without_status',0,'2026-11-22T08:32:21.848332+00:00','2026-11-22T08:32:21.853368+00:00','2026-01-02T03:04:08+00:00',2.0,'vm-a',NULL,NULL,-9);
INSERT INTO "tasks" VALUES('py-4','{"a": 4, "b": [1, "\u00fc"], "big": 12345678901234567890}','in_queue_original',NULL,'2026-11-22T08:32:21.849120+00:00','2026-11-22T08:32:21.854212+00:00',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "tasks" VALUES('py-5','{"a": 5, "b": [1, "\u00fc"], "big": 12345678901234567890}','pending',NULL,'2026-11-22T08:32:21.849974+00:00',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE INDEX idx_task_status ON tasks(status)
        ;
CREATE INDEX idx_event_task_id ON events(task_id)
        ;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',5);
COMMIT;
