"""python -m cloud_tasks.run_function FILE FUNCTION: a task process for a function of a Python file that knows nothing of us."""

import sys

if sys.version_info < (3, 8):
    sys.stderr.write("cloud-tasks needs Python 3.8 or newer, but this is %s.\n" % sys.version.split()[0])
    sys.exit(1)

import importlib.util
import logging
import os
import traceback

from .task_loop import TaskLoop, announced_channel, refuse, take_channel
from .worker_data import WorkerData


def main(file, name):
    take_channel()
    channel = announced_channel()
    begin_log()
    function = load(file, name)
    if isinstance(function, str):
        refuse(channel, function)
        sys.exit(1)
    TaskLoop(channel, function, WorkerData()).run()
    sys.exit(0)


def begin_log():
    """What is printed is in the log line by line, even when the process is killed."""
    sys.stdout.reconfigure(line_buffering=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(levelname)s - %(message)s")


def load(file, name):
    """The function, or a sentence that says why there is none."""
    sys.path[0] = os.path.dirname(file)  # as if Python had been started with the file
    module_name = os.path.splitext(os.path.basename(file))[0]
    try:
        spec = importlib.util.spec_from_file_location(module_name, file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module  # so that multiprocessing finds its functions
        spec.loader.exec_module(module)
    except BaseException as error:
        traceback.print_exc()
        return "Python file %s cannot be loaded: %s: %s." % (file, type(error).__name__, error)
    function = getattr(module, name, None)
    if callable(function):
        return function
    names = ", ".join(key for key, value in vars(module).items() if callable(value) and not key.startswith("_"))
    return "Python file %s has no function %s; it has %s." % (file, name, names or "none")


if __name__ == "__main__":
    main(*sys.argv[1:3])
