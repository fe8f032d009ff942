"""What the database class of rms-cloud-tasks makes of a file, as JSON."""

import json
import sys

from cloud_tasks.common.task_db import TaskDatabase

db = TaskDatabase(sys.argv[1])
facts = {
    "total": db.get_total_tasks(),
    "complete": db.is_all_tasks_complete(),
    "counts": db.get_task_counts(),
    "statistics": db.get_task_statistics(),
    "events": sum(1 for _ in db.iter_raw_events()),
}
db.close()
print(json.dumps(facts, default=str))
