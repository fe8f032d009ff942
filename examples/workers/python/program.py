"""The same as a program of its own, as it is written for the package rms-cloud-tasks."""

import asyncio
import sys

from cloud_tasks.worker import Worker

from primes import process_task


async def main():
    worker = Worker(process_task, args=sys.argv[1:])
    await worker.start()


if __name__ == "__main__":
    asyncio.run(main())
