"""The Worker of rms-cloud-tasks: started by a person or a startup script, the program becomes the parent of a
cloud-tasks-agent, which starts the very same program again for each of its task processes.
"""

import asyncio
import os
import signal
import sys

from .agent_process import AgentProcess
from .options import agent_words, parse_arguments
from .run_function import begin_log
from .task_loop import TaskLoop, announced_channel, take_channel
from .worker_data import WorkerData

__all__ = ["Worker", "WorkerData"]

_TASK_PROCESS = take_channel()


class Worker:
    """Runs `user_worker_function(task_id, task_data, worker_data) -> (retry, result)` on the tasks of a queue or a file.

    task_source: a path, or a function that returns an iterable of {"task_id": ..., "data": ...}; instead of a queue.
    args: command line arguments; None = those of the program.
    argparser: gets the worker's options too; what it parses is `worker_data.args`.
    """

    def __init__(self, user_worker_function, *, task_source=None, args=None, argparser=None):
        self._function = user_worker_function
        self._task_source = task_source
        self._data = WorkerData()
        self._data.args = parse_arguments(argparser, args)

    async def start(self):
        """Returns when all is done or the worker was told to stop; exits the program with 1 if it could not work."""
        if _TASK_PROCESS:
            self._run_tasks()
        agent = AgentProcess(agent_words(self._data.args), self._task_source)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, agent.send_signal, number)
            except (RuntimeError, NotImplementedError, ValueError):
                pass  # not in the main thread: signals are somebody else's
        exit_code = await loop.run_in_executor(None, agent.wait)
        if exit_code != 0:
            sys.exit(exit_code if exit_code > 0 else 128 - exit_code)

    def _run_tasks(self):
        channel = announced_channel()
        begin_log()
        # Tasks run as if no event loop did: they may start their own.
        outer = asyncio.get_running_loop()
        asyncio._set_running_loop(None)
        try:
            TaskLoop(channel, self._function, self._data).run()
        finally:
            asyncio._set_running_loop(outer)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # what the program does after its tasks is for the parent to do
