"""The Ray engine: one actor per core of a cluster, each of which supervises the same worker process as `local`.

A hang, a crash or a memory limit is therefore handled on the node where it happens, and results, and so the bytes of
the dataset, are those of the local engine. Results come back as they finish and are noted by the driver, file by
file. Nodes need reelgym installed and the inputs under the same paths. An actor whose node is lost is started again
elsewhere and its job repeated. The cluster is the one of `RAY_ADDRESS`, or that this process is connected to, or one
started on this machine for the time of the run.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Any

from reelgym.errors import RequestError
from reelgym.synthesis.pool import MEMORY_BYTES, Job, Pool

_ATTEMPTS = 3


class Station:
    """What an actor holds: a pool of one worker process on its node."""

    def __init__(self, seconds: float, memory_bytes: int) -> None:
        """Take the limits of `Pool`."""
        self._pool = Pool(1, seconds=seconds, memory_bytes=memory_bytes)

    def do(self, job: str) -> str:
        """Return the result of a job, both as JSON."""
        ((_, result),) = self._pool.run([json.loads(job)])
        return json.dumps(result)


class RayPool:
    """Runs jobs on a Ray cluster with the interface of `Pool`; use it as a context manager."""

    def __init__(self, workers: int | None, *, seconds: float, memory_bytes: int = MEMORY_BYTES) -> None:
        """Start nothing yet.

        Args:
            workers: Actors; None is one per core of the cluster.
            seconds: Time limit of one job.
            memory_bytes: Limit of the address space of one worker process; 0 for none.

        Raises:
            RequestError: Ray is not installed.
        """
        try:
            self._ray: Any = importlib.import_module("ray")
        except ModuleNotFoundError as error:
            raise RequestError("engine=ray needs Ray, which is not installed: pip install 'reelgym[ray]'") from error
        self._workers, self._limits = workers, (seconds, memory_bytes)
        self._is_ours = False
        self._idle: list[Any] = []

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (number of the job, its result) as they finish; see `Pool.run`."""
        waiting, busy = enumerate(jobs), dict[Any, tuple[int, Any]]()
        size = self._workers or max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        try:
            while True:
                for number, job in islice(waiting, size - len(busy)):
                    actor = self._idle.pop() if self._idle else self._start()
                    busy[actor.do.remote(json.dumps(job))] = number, actor
                if not busy:
                    return
                (done,), _ = self._ray.wait(list(busy), num_returns=1)
                number, actor = busy.pop(done)
                yield number, self._result(done, actor)
        finally:
            for _, actor in busy.values():
                self._ray.kill(actor)

    def _result(self, done: Any, actor: Any) -> dict[str, Any]:
        try:
            result = dict(json.loads(self._ray.get(done)))
        except self._ray.exceptions.RayError as error:
            self._ray.kill(actor)
            return {"died": f"Ray could not do it in {_ATTEMPTS} attempts ({type(error).__name__})"}
        self._idle.append(actor)
        return result

    def _start(self) -> Any:
        kind = self._ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=_ATTEMPTS - 1)(Station)
        return kind.remote(*self._limits)

    def __enter__(self) -> RayPool:
        """Connect to the cluster, or start one."""
        if not self._ray.is_initialized():
            settings: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
            if "RAY_ADDRESS" not in os.environ:
                # The processes of a cluster started here find reelgym where this one does.
                os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
                # No telemetry; and without Ray's dashboard every process would wait for its exporter of metrics.
                os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
                os.environ.setdefault("RAY_enable_metrics_collection", "0")
                settings |= {"include_dashboard": False, "num_cpus": self._workers}
            self._ray.init(**settings)
            self._is_ours = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop the actors, and the cluster if it was started here."""
        for actor in self._idle:
            self._ray.kill(actor)
        self._idle = []
        if self._is_ours:
            self._ray.shutdown()
