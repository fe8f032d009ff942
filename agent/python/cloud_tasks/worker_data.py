"""The third argument of a task function: what it may know and say while it runs."""

import mmap
import time

TERMINATION, SHUTDOWN = 0, 1  # bytes of the shared memory
POLL_SECONDS = 0.05


class Flag:
    """Looks like a multiprocessing.Event that only the agent sets. Also true in processes that the task has forked."""

    def __init__(self, memory, index):
        self._memory = memory
        self._index = index

    def is_set(self):
        return self._memory[self._index] != 0

    def set(self):
        self._memory[self._index] = 1

    def wait(self, timeout=None):
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def __reduce__(self):  # to another program: as it is now
        return (_settled_flag, (self.is_set(),))


def _settled_flag(is_set):
    flag = Flag(bytearray(1), 0)
    if is_set:
        flag.set()
    return flag


class WorkerData:
    """Attributes as in rms-cloud-tasks; times are seconds, memory and disks GB. None = not known."""

    def __init__(self):
        self.args = None
        self.provider = None
        self.project_id = None
        self.job_id = None
        self.queue_name = None
        self.exactly_once_queue = False
        self.event_log_to_queue = False
        self.event_log_queue_name = None
        self.event_log_to_file = False
        self.event_log_file = None
        self.keepalive_interval = 60.0
        self.instance_type = None
        self.num_cpus = None
        self.memory_gb = None
        self.local_ssd_gb = None
        self.boot_disk_gb = None
        self.is_spot = False
        self.price_per_hour = None
        self.num_simultaneous_tasks = 1
        self.max_runtime = 3600
        self.max_memory_allowed_per_task = None
        self.shutdown_grace_period = 30
        self.retry_on_exit = False
        self.retry_on_exception = False
        self.retry_on_timeout = False
        self.simulate_spot_termination_after = None
        self.simulate_spot_termination_delay = None
        memory = mmap.mmap(-1, 2)
        self.termination_event = Flag(memory, TERMINATION)
        self.shutdown_event = Flag(memory, SHUTDOWN)
        #: 1 for the first attempt at this task.
        self.attempt = 1
        #: The task's `type`, where it has one.
        self.task_type = None
        #: What an earlier attempt saved last; None if nothing.
        self.checkpoint = None
        self._termination_at = None
        self._say = None

    @property
    def received_termination_notice(self):
        """The VM is about to be taken away."""
        return self.termination_event.is_set()

    @property
    def received_shutdown_request(self):
        """The agent was asked to stop."""
        return self.shutdown_event.is_set()

    @property
    def seconds_until_termination(self):
        """Seconds left once there was a termination notice, else None."""
        at = self._termination_at
        return None if at is None else max(0.0, at - time.monotonic())

    def save_checkpoint(self, value):
        """If this attempt is interrupted, the next one gets `value` as `checkpoint`. Safe when the call returns."""
        if self._say is not None:
            self._say("checkpoint", value)
        self.checkpoint = value

    def progress(self, fraction, note=""):
        """`fraction` of 0 ... 1 that is done; for the log."""
        if self._say is not None:
            self._say("progress", float(fraction), str(note))

    def __getstate__(self):
        return dict(self.__dict__, _say=None)
