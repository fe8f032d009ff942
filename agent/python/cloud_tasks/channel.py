"""The two descriptors that join a task process to its agent: lines in, lines out. Knows nothing of tasks.

Only the main process of a task reads and writes; a process that it forks has the descriptors too, but not the use of them.
"""

import os
import select
import threading
from time import perf_counter

FLUSH_AFTER_SECONDS = 0.001  # an answer waits at most so long for company
FLUSH_CHARS = 32768  # well below a socket buffer
READ_BYTES = 65536


class Channel:
    """Not for several threads at once: hold `lock` around every call."""

    def __init__(self, read_from, write_to):
        self.lock = threading.Lock()
        self.closed = False  # the agent has done with us, or is gone
        self._in = read_from
        self._out = write_to
        self._rest = bytearray()
        self._lines = []
        self._chars = 0
        self._oldest = 0.0
        for descriptor in (read_from, write_to):
            os.set_blocking(descriptor, True)
            os.set_inheritable(descriptor, False)

    def wait(self, seconds):
        """True when there is something to read, or the end of it."""
        return bool(select.select([self._in], [], [], seconds)[0])

    def read(self):
        """All whole lines that have come; waits only for the rest of one that is on its way."""
        while True:
            chunk = os.read(self._in, READ_BYTES)
            if not chunk:
                self.closed = True
                return []
            self._rest += chunk
            if b"\n" in chunk:
                lines = self._rest.split(b"\n")
                self._rest = lines.pop()
                return lines

    def write(self, line):
        if not self._lines:
            self._oldest = perf_counter()
        self._lines.append(line)
        self._chars += len(line)

    def flush(self):
        if not self._lines:
            return
        self._lines.append("")
        data = memoryview("\n".join(self._lines).encode("utf-8", "backslashreplace"))  # half a character as JSON has it
        self._lines = []
        self._chars = 0
        try:
            while data:
                data = data[os.write(self._out, data) :]
        except (BrokenPipeError, ConnectionResetError):
            self.closed = True

    def flush_if_old(self, now):
        if self._chars > FLUSH_CHARS or now - self._oldest > FLUSH_AFTER_SECONDS:
            self.flush()
