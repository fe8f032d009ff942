"""Starts cloud-tasks-agent with this very program as its task processes, and feeds it tasks where they come from a function."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback

# Waits for the end of its input, which comes when this program ends in whatever way, and asks the agent to stop, once.
# (Linux can send a signal at a parent's death, but it sends one for each of the parent's threads.)
LIFELINE = 'read -r _; kill -TERM "$1" 2>/dev/null'


class AgentProcess:
    def __init__(self, words, task_source):
        self._failed = False
        self._folder = None
        if callable(task_source):
            # A pipe with a name: the agent reads as fast as it works, and the tasks may have no end.
            self._folder = tempfile.mkdtemp(prefix="cloud-tasks-")
            pipe = os.path.join(self._folder, "tasks.jsonl")
            os.mkfifo(pipe, 0o600)
            threading.Thread(target=self._feed, args=(task_source, pipe), daemon=True).start()
            words = words + ["--task-file", pipe]
        elif task_source is not None:
            words = words + ["--task-file", str(task_source)]
        command = _agent_command() + words + ["--own-channel", "--"] + _this_program()
        try:
            # A session of its own: Ctrl-C at a terminal reaches it once, through us.
            self._process = subprocess.Popen(command, start_new_session=True)
            self._lifeline = subprocess.Popen(
                ["/bin/sh", "-c", LIFELINE, "lifeline", str(self._process.pid)],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            self._remove_pipe()
            sys.exit("%s cannot be started: %s" % (command[0], error))

    def send_signal(self, number):
        self._process.send_signal(number)

    def wait(self):
        """Exit code; negative = killed by that signal."""
        exit_code = self._process.wait()
        self._lifeline.kill()
        self._lifeline.communicate()
        self._remove_pipe()
        return exit_code or int(self._failed)

    def _feed(self, task_source, pipe):
        try:
            with open(pipe, "w", encoding="utf-8") as lines:
                for task in task_source():
                    lines.write(json.dumps(task) + "\n")
        except BrokenPipeError:
            pass  # the agent has enough
        except BaseException:
            traceback.print_exc()
            self._failed = True  # the tasks before it are done all the same

    def _remove_pipe(self):
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _agent_command():
    found = shutil.which("cloud-tasks-agent")
    if found is not None:
        return [found]
    here = os.path.dirname(os.path.abspath(__file__))
    for main in ("../../main.ts", "../../../dist/agent/main.js"):
        file = os.path.normpath(os.path.join(here, main))
        if os.path.exists(file):
            return ["node", file]
    sys.exit("cloud-tasks-agent is not on the PATH: install it with npm install -g cloud-tasks.")


def _this_program():
    original = getattr(sys, "orig_argv", None)
    if original is not None:
        return [sys.executable] + original[1:]
    spec = getattr(sys.modules["__main__"], "__spec__", None)  # Python 3.8 and 3.9
    if spec is not None:
        name = spec.name[: -len(".__main__")] if spec.name.endswith(".__main__") else spec.name
        return [sys.executable, "-m", name] + sys.argv[1:]
    return [sys.executable] + sys.argv
