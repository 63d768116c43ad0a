"""What the command line shows and how it stops: tables, progress, one-line errors, the first Ctrl-C."""

from __future__ import annotations

import errno
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import typer


class Stopped(BaseException):
    """A signal that ends the command at once; no handler of errors may swallow it."""

    def __init__(self, signum: int) -> None:
        """Remember the signal: the exit code is 128 + signum."""
        super().__init__(signum)
        self.signum = signum


def raise_stopped(signum: int, frame: FrameType | None) -> None:
    """Raise Stopped: the handler of SIGTERM outside `Stop`."""
    raise Stopped(signum)


class Stop:
    """While work asks it after every step, the first signal only makes it answer yes; else a signal stops at once."""

    def __init__(self) -> None:
        """Begin unasked."""
        self.signum, self._is_asked = 0, False

    def __call__(self) -> bool:
        """Say whether to stop after the step at hand."""
        self._is_asked = True
        return self.signum != 0

    def new_stage(self) -> None:
        """Forget that work asks: the next piece of it may not."""
        self._is_asked = False

    def __enter__(self) -> Stop:
        """Take the two signals."""
        self._before = {number: signal.signal(number, self._signalled) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _signalled(self, signum: int, frame: FrameType | None) -> None:
        if self.signum or not self._is_asked:
            raise Stopped(signum)
        self.signum = signum
        say("stopping after this step, then saving; once more stops at once")


def leave_if(stop: Stop, folder: Path) -> None:
    """Leave with 130 or 143 where a signal asked to, saying where the work was saved."""
    if stop():
        say(f"stopped and saved in {folder}; repeat the command to go on")
        raise typer.Exit(128 + stop.signum)


class Stage:
    """Draws one piece of work: call it with (done, in all)."""

    def __init__(self, name: str, bars: Any) -> None:
        """Begin at nothing; `bars` is rich's, or None where there is no terminal."""
        self.calls, self._name, self._bars, self._task, self._note = 0, name, bars, None, ""
        self._begun = self._told = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Draw a bar, or write a line at the start, at the end and every half minute."""
        self.calls += 1
        if self._bars is not None:
            if self._task is None:
                self._task = self._bars.add_task(self._name, total=total)
            self._bars.update(self._task, completed=done, total=total)
            return
        now = time.monotonic()
        if self.calls == 1 or done >= total or now - self._told >= 30:
            self._told = now
            say(f"{self._name}: {done}/{total}, {now - self._begun:.0f} s{self._note}")

    def note(self, words: str) -> None:
        """Show words beside the count from the next call on: how fast, how much so far."""
        self._note = f", {words}" if words else ""
        if self._task is not None:
            self._bars.update(self._task, description=self._name + self._note)


class Bars:
    """Progress on stderr: bars on a terminal, quiet lines in a log."""

    def __enter__(self) -> Bars:
        """Start drawing where stderr is a terminal."""
        self._rich: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._rich = Progress(*columns, console=Console(stderr=True))
            self._rich.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing."""
        if self._rich is not None:
            self._rich.stop()

    def stage(self, name: str) -> Stage:
        """Return what draws one piece of work."""
        return Stage(name, self._rich)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text in columns; no columns, no header."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(
        title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD if columns else None
    )
    drawn.show_edge, drawn.show_header = False, bool(columns)
    for place, column in enumerate(columns or ("",) * len(rows[0])):
        drawn.add_column(column, overflow="fold", justify="left" if place == 0 else "default")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    # In a log or a pipe nothing is folded to a guessed width.
    Console(width=None if sys.stdout.isatty() else 200).print(drawn)


def print_json(value: Any) -> None:
    """Print a result as JSON."""
    typer.echo(json.dumps(value, indent=1, default=str))


def say(line: str) -> None:
    """Print a line on stderr, where results do not go; an empty one is not printed."""
    if line:
        typer.echo(line, err=True)


def fail(line: str, code: int) -> int:
    """Say in one line what is wrong and return the exit code."""
    say("reelgym: " + line.replace("\n", " "))
    return code


def disk_fault(error: OSError) -> int:
    """Tell a fault of the disk in one line: full is the work's failure, a path that cannot be used is the request's."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return fail(f"the disk is full{where}: make room and repeat the command; what was finished is kept", 1)
    wrong = isinstance(
        error, (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError)
    )
    return fail(f"{error.strerror or error}{where}", 2 if wrong else 1)
