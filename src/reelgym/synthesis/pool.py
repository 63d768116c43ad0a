"""A pool of worker processes in which a job that hangs or kills its process costs one result, never the run."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, Protocol

Job = dict[str, Any]
MEMORY_BYTES = 4 * 1024**3
"""What a worker may ask of the system, libraries and mapped files included: several times what it should ever hold."""

_POLL_SECONDS = 0.5


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Engine(Protocol):
    """What runs jobs somewhere; a context manager."""

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (number of the job, its result) as they finish; {"died": reason} where its process did."""
        ...

    def __enter__(self) -> Engine:
        """Return itself, ready."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop all processes."""
        ...


class _Worker:
    """One process: at most one job at a time, given as a line and answered by a line."""

    def __init__(self, command: Sequence[str]) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process, closed by `stop`
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=os.environ | threads | {"PYTHONPATH": paths},
            # Ctrl-C is for the parent alone: a worker that dies of it would look like a broken file.
            start_new_session=True,
        )
        assert self.process.stdout is not None and self.process.stdin is not None
        self.output, self.input = self.process.stdout, self.process.stdin
        os.set_blocking(self.output.fileno(), False)
        self.number: int | None = None
        self.deadline = 0.0
        self._buffer = b""

    def give(self, number: int, job: Job, seconds: float) -> None:
        self.number, self.deadline = number, time.monotonic() + seconds
        # A process that died between two jobs breaks the pipe; `result` sees its end and says so.
        with contextlib.suppress(BrokenPipeError):
            self.input.write(json.dumps(job).encode() + b"\n")
            self.input.flush()

    def result(self) -> dict[str, Any] | None:
        """Return the result once it is whole; a dead process gives one that says how it died."""
        while chunk := self.output.read(1 << 16):
            self._buffer += chunk
        if self._buffer.endswith(b"\n"):
            line, self._buffer = self._buffer, b""
            return dict(json.loads(line))
        if chunk == b"":
            code = self.process.wait()
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            return {"died": f"the worker process died ({how}){self._last_words()}"}
        if time.monotonic() > self.deadline:
            return {"died": "took longer than the time limit"}
        return None

    def _last_words(self) -> str:
        """Return the last line the process wrote about itself, if any."""
        self.errors.seek(0)
        lines = self.errors.read()[-4096:].decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return f": {said[-1]}" if said else ""

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.output, self.errors):
            pipe.close()
        with contextlib.suppress(BrokenPipeError):
            self.input.close()


class Pool:
    """Runs jobs in `workers` processes of `python -m reelgym.synthesis.worker`; use it as a context manager."""

    def __init__(
        self, workers: int, *, seconds: float, memory_bytes: int = MEMORY_BYTES, command: Sequence[str] | None = None
    ) -> None:
        """Start nothing yet.

        Args:
            workers: Processes, at least 1.
            seconds: Time limit of one job.
            memory_bytes: Limit of the address space of one process; 0 for none.
            command: What to start instead (tests).
        """
        self.size, self.seconds = max(1, workers), seconds
        worker = [sys.executable, "-m", "reelgym.synthesis.worker", str(memory_bytes), str(os.getpid())]
        self.command = command or worker
        self._idle: list[_Worker] = []

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (number of the job, its result) as they finish.

        Jobs are taken one by one as processes become free. A job that hangs or kills its process gives
        {"died": reason}, and the process is replaced.
        """
        waiting, busy = enumerate(jobs), dict[int, _Worker]()
        with selectors.DefaultSelector() as selector:
            try:
                while True:
                    for number, job in islice(waiting, self.size - len(busy)):
                        worker = self._idle.pop() if self._idle else _Worker(self.command)
                        worker.give(number, job, self.seconds)
                        selector.register(worker.output, selectors.EVENT_READ)
                        busy[number] = worker
                    if not busy:
                        return
                    selector.select(timeout=_POLL_SECONDS)
                    yield from self._collect(busy, selector.unregister)
            finally:
                for worker in busy.values():
                    worker.stop()

    def _collect(self, busy: dict[int, _Worker], forget: Callable[[Any], Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, worker in list(busy.items()):
            result = worker.result()
            if result is None:
                continue
            forget(worker.output)
            del busy[number]
            if "died" in result:
                worker.stop()
            else:
                self._idle.append(worker)
            yield number, result

    def __enter__(self) -> Pool:
        """Return the pool."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop all processes."""
        for worker in self._idle:
            worker.stop()
        self._idle = []
