"""The page of a run while it goes on: rewritten whole every few seconds, loaded again by the browser by itself.

It shows metrics and alarms; `reelgym view` and `reelgym report` show the rollouts too.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from reelgym.reports.folders import about_run, read_metrics
from reelgym.reports.page import write_page
from reelgym.reports.viewer.run import thinned

PAGE = "index.html"
"""Its name in the run's folder."""

REFRESH_SECONDS = 10


class Live:
    """Writes `RUN/index.html` as a run goes on, at most every `REFRESH_SECONDS`, and a last time when it ends."""

    def __init__(self, run: Path, steps: int) -> None:
        """Name the run's folder and how many steps it has."""
        self._run, self._steps, self._due = run, steps, 0.0

    def __call__(self, done: int) -> None:
        """Write the page after a step, if it is time."""
        if time.monotonic() >= self._due:
            self._write(done, refresh=REFRESH_SECONDS)
            self._due = time.monotonic() + REFRESH_SECONDS

    def end(self, done: int) -> Path:
        """Write the page as it stays, and return its path."""
        return self._write(done, refresh=0)

    def _write(self, done: int, *, refresh: int) -> Path:
        shown = about_run(self._run, thinned(read_metrics(self._run / "metrics.jsonl")))
        state = "running" if refresh else ("finished" if done >= self._steps else "stopped")
        facts = (*shown.facts[:1], ("Steps", f"{done:,} of {self._steps:,}"), ("State", state))
        return write_page(self._run / PAGE, replace(shown, facts=facts, refresh_seconds=refresh))
