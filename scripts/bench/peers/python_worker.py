# The Python system on a task file: one freshly spawned process a task, two at once. Prints the rate of its own events.
import asyncio, json, sys
from datetime import datetime

from cloud_tasks.worker import Worker


def process_task(task_id, task_data, worker_data):
    return False, None


def rate(event_file):
    with open(event_file) as lines:
        events = [json.loads(line) for line in lines]
    times = [datetime.fromisoformat(e["timestamp"]) for e in events if e["event_type"] == "task_completed"]
    return (len(times) - 1) / (times[-1] - times[0]).total_seconds()


if __name__ == "__main__":
    task_file, event_file = sys.argv[1:3]
    worker = Worker(
        process_task,
        args=["--task-file", task_file, "--event-log-file", event_file, "--num-simultaneous-tasks", "2"],
    )
    try:
        asyncio.run(worker.start())
    except SystemExit as ended:
        if ended.code:
            raise
    print(json.dumps({"perSecond": rate(event_file)}))
