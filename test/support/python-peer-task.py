"""A worker program as people write it for rms-cloud-tasks. Its task function runs under our agent, too."""

import asyncio
import os
import sys
import time


def process_task(task_id, task_data, worker_data):
    kind = task_data["kind"]
    if kind == "sum":
        time.sleep(task_data.get("seconds", 0))
        return False, task_data["a"] + task_data["b"]
    if kind == "echo":
        return False, task_data["value"]
    if kind == "raises":
        raise ValueError(f"no luck with {task_id}: ü")
    if kind == "exits":
        os._exit(3)
    if kind == "hangs":
        time.sleep(600)
    if kind == "again":
        try:
            os.close(os.open(task_data["marker"], os.O_CREAT | os.O_EXCL))
            return True, "not yet"
        except FileExistsError:
            return False, "at last"
    raise AssertionError(f"unknown kind {kind}")


if __name__ == "__main__":
    from cloud_tasks.worker import Worker

    asyncio.run(Worker(process_task, args=sys.argv[1:]).start())
