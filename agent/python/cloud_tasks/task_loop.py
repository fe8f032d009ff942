"""Runs the tasks that the agent sends, one after another, and answers them: see docs/protocol.md.

A watcher thread looks at the channel only while one task takes long: to hear of the end, and to hand back what waits.
"""

import asyncio
import inspect
import json
import os
import stat
import sys
import threading
import traceback
from collections import deque
from time import monotonic, perf_counter, process_time, sleep

from .carried_json import carried_json
from .channel import Channel

try:
    import resource
except ImportError:  # not on Windows
    resource = None

CHANNEL_VARIABLE = "CLOUD_TASKS_CHANNEL"  # how the agent has joined us: "own" = descriptors 3 and 4, "stdio" = 0 and 1
MEASURE_FROM_SECONDS = 0.001  # shorter tasks are not worth the system calls
WATCH_SECONDS = 0.05
GIB = 1024**3
_quote = json.encoder.encode_basestring


def take_channel():
    """True in a task process; only the first time, so that no program that a task starts believes that it is one."""
    global _kind
    _kind = os.environ.pop(CHANNEL_VARIABLE, _kind)
    return _kind is not None


_kind = None


def announced_channel():
    """The channel of this process, which tells the agent that all of the protocol is understood."""
    if _kind == "own":
        channel = Channel(3, 4)
    else:  # taken away from the task, whose output goes where its errors go
        channel = Channel(os.dup(0), os.dup(1))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
    channel.write('{"ready":true,"control":true,"pipeline":true,"plain":true}')
    return channel


def refuse(channel, sentence):
    """No task can ever run here."""
    channel.write(json.dumps({"fatal": sentence}))
    channel.flush()


class TaskLoop:
    def __init__(self, channel, function, worker_data):
        self._channel = channel
        self._function = function
        self._data = worker_data
        self._data._say = self._say
        self._waiting = deque()  # task lines not started yet
        self._greeted = False
        self._quoted_id = '""'
        self._busy_since = None
        self._working = threading.Event()
        self._pid = os.getpid()
        self._log = 1 if stat.S_ISREG(os.fstat(1).st_mode) else None  # the file that tasks print to

    def run(self):
        """Until the agent has done with us."""
        channel = self._channel
        with channel.lock:
            channel.flush()
        threading.Thread(target=self._watch, daemon=True, name="cloud-tasks-watcher").start()
        while not channel.closed:
            if self._waiting and self._greeted:
                self._run_waiting()
            with channel.lock:
                channel.flush()
            if not (self._waiting and self._greeted):
                channel.wait(None)
                with channel.lock:
                    self._hear()

    # ---- what the agent says; the lock is held

    def _hear(self):
        for line in self._channel.read():
            if line.startswith(b'{"control":'):
                self._control(json.loads(line))
            elif line:
                self._waiting.append(line)

    def _control(self, message):
        control = message["control"]
        data = self._data
        if control == "hello":
            for name, value in (message.get("worker") or {}).items():
                setattr(data, name, value)
            _limit_memory(data.max_memory_allowed_per_task)
            self._greeted = True
        elif control == "terminate":
            data._termination_at = monotonic() + message.get("deadline_seconds", 0)
            data.termination_event.set()
        elif control == "shutdown":
            data.shutdown_event.set()
        elif control == "recall":
            ids = deque()
            try:
                while True:  # one by one: the main thread may be taking one right now
                    ids.appendleft(json.loads(self._waiting.pop())["task_id"])
            except IndexError:
                pass
            self._channel.write(json.dumps({"recalled": list(ids)}))
            self._channel.flush()

    def _watch(self):
        channel = self._channel
        while not channel.closed:
            self._working.wait()
            sleep(WATCH_SECONDS)
            since = self._busy_since
            if since is None or perf_counter() - since < WATCH_SECONDS:
                continue
            with channel.lock:
                channel.flush()
                if channel.wait(0):
                    self._hear()
            if channel.closed:
                os._exit(0)  # the agent is gone: nobody wants what the task does

    # ---- running

    def _run_waiting(self):
        channel, waiting, data, function = self._channel, self._waiting, self._data, self._function
        loads, quote, encode, log = json.loads, _quote, carried_json, self._log
        write, lock = channel.write, channel.lock
        self._working.set()
        started = perf_counter()
        started_cpu = process_time()
        while True:
            try:
                line = waiting.popleft()
            except IndexError:  # done, or recalled
                break
            message = loads(line)
            task_id = message["task_id"]
            self._quoted_id = quoted = quote(task_id)
            data.attempt = message.get("attempt", 1)
            data.checkpoint = message.get("checkpoint")
            data.task_type = message.get("type")
            printed_from = os.lseek(log, 0, os.SEEK_END) if log is not None else 0
            self._busy_since = started
            failure = None
            try:
                value = function(task_id, message["data"], data)
                if inspect.iscoroutine(value):
                    value = asyncio.run(value)
                retry, result = _pair(value)
                result = encode(result, "The result")
            except SystemExit:
                if os.getpid() == self._pid:
                    self._exiting(printed_from)
                raise
            except BaseException as error:
                failure = error
            if os.getpid() != self._pid:
                os._exit(0)  # a child that the task has forked and that came back from it: the answer is its parent's
            self._busy_since = None
            _flush_output()
            now = perf_counter()
            elapsed = now - started
            started = now
            usage = "%.6f" % elapsed
            cpu = process_time()
            if elapsed > MEASURE_FROM_SECONDS:
                usage += ',"cpu_seconds":%.6f%s' % (cpu - started_cpu, _max_rss())
            started_cpu = cpu
            if failure is None:
                # Key order and spacing are what the agent's fast path compares with: see completedEventRenderer.
                answer = '{"task_id":%s,"retry":%s,"elapsed_time":%s,"result":%s}' % (quoted, retry, usage, result)
            else:
                answer = '{"task_id":%s,%s,"elapsed_time":%s%s}' % (
                    quoted,
                    _exception(failure),
                    usage,
                    self._printed(printed_from),
                )
                failure = None
            value = result = None  # nothing of one task is held while the next one runs
            with lock:
                write(answer)
                channel.flush_if_old(now)
        self._working.clear()

    def _say(self, kind, value, note=None):
        if os.getpid() != self._pid:
            return  # from a process that the task has forked
        line = '{"task_id":%s,"%s":%s' % (self._quoted_id, kind, carried_json(value, "The " + kind))
        with self._channel.lock:
            self._channel.write(line + ("}" if note is None else ',"note":%s}' % json.dumps(note)))
            self._channel.flush()

    def _exiting(self, printed_from):
        """All that was answered is above: the task after it is the one we end because of."""
        _flush_output()
        with self._channel.lock:
            self._channel.write('{"exiting":true%s}' % self._printed(printed_from))
            self._channel.flush()

    def _printed(self, start):
        end = os.lseek(self._log, 0, os.SEEK_END) if self._log is not None else 0
        return ',"log":[%d,%d]' % (start, end) if end > start else ""


def _pair(value):
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return ("true" if value[0] else "false"), value[1]
    shown = repr(value)
    raise TypeError(
        "The task function must return a tuple (retry, result), but it returned %s."
        % (shown if len(shown) <= 100 else shown[:100] + "…")
    )


def _flush_output():
    try:
        sys.stdout.flush()
    except Exception:
        pass  # the task has closed or replaced it


def _exception(error):
    if isinstance(error, MemoryError):
        traceback.clear_frames(error.__traceback__)  # what filled the memory goes first
    frames = error.__traceback__.tb_next  # without our own
    text = "".join(traceback.format_exception(type(error), error, frames))
    retryable = False if isinstance(error, MemoryError) else getattr(error, "retryable", None)
    said = ',"retryable":%s' % ("true" if retryable else "false") if isinstance(retryable, bool) else ""
    return '"exception":%s%s' % (json.dumps(text), said)


def _max_rss():
    if resource is None:
        return ""
    unit = 1 if sys.platform == "darwin" else 1024
    return ',"max_rss_bytes":%d' % (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def _limit_memory(gigabytes):
    if gigabytes is None or resource is None:
        return
    size = int(gigabytes * GIB)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    except (ValueError, OSError) as error:
        print("The memory of tasks cannot be limited to %s GB: %s" % (gigabytes, error), file=sys.stderr)
