"""The watch over a run: a row of health every `health_every` steps, its alarms stored in `RUN/alarms.json`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from reelgym.training import checkpoint, metrics
from reelgym.training.config import RLRun
from reelgym.training.health import Health, alarms, history

if TYPE_CHECKING:
    from reelgym.training.held_out import HeldOut
    from reelgym.training.session import Session

ALARMS = "alarms.json"
"""What a run's alarms are kept in, oldest first: step, name, seen, cause and remedy of each."""

_MEANS = {
    "reward": "rewards/score",
    "entropy": "rollout/entropy",
    "truncated": "rollout/truncated",
    "tokens": "rollout/tokens",
}
"""Numbers of health that are means of a step's own over the steps since the row before."""


class Watch:
    """Adds health to the rows of a run. All ranks call it; the one that writes tells and stores."""

    def __init__(
        self, run: RLRun, session: Session, held_out: HeldOut | None, tell: Callable[[str], None] | None
    ) -> None:
        """Go on where the stored rows end: alarms that they raise were told before.

        Args:
            run: What is trained.
            session: Of this call.
            held_out: Answers the slice; None where the run holds nothing out.
            tell: Called with every line.
        """
        self._run, self._session, self._held_out = run, session, held_out
        self._tell = tell or (lambda line: None)
        rows = metrics.read(session.folder / "metrics.jsonl")
        self._history = history(rows)
        last = self._history[-1].step if self._history else -1
        self._window: list[Mapping[str, float | None]] = [row for row in rows if row["step"] > last]
        self._told = {alarm.name for alarm in alarms(self._history)}
        self._store()

    def __call__(self, step: int, row: Mapping[str, float], last: bool) -> dict[str, float]:
        """Return what health adds to a step's row; nothing where it is not time."""
        self._window.append(row)
        config = self._run.config
        if not config.checks(step) and not (last and config.health_every):
            if self._held_out:
                self._held_out.forget()
            return {}
        found = Health(step=step, **self._trained(step), **self._measured())
        self._window = []
        self._history.append(found)
        self._tell(found.words())
        for alarm in alarms(self._history):
            if alarm.name not in self._told:
                self._told.add(alarm.name)
                self._tell(alarm.words())
        self._store()
        return found.to_row()

    def _measured(self) -> dict[str, float]:
        if self._held_out is None:
            return {}
        self._session.before_sampling()
        with self._session.whole():
            found = self._held_out.health()
        self._held_out.forget()
        return found

    def _trained(self, step: int) -> dict[str, float | None]:
        """Return the means over the steps since the row before."""
        found = {name: self._mean(of) for name, of in _MEANS.items()}
        signal = self._mean("train/groups_with_signal")
        found["no_signal"] = None if signal is None else 1.0 - signal
        # Where the loss saw no reference it reports a divergence of 0, which nobody measured.
        if self._run.needs_reference:
            found["kl"] = self._mean("loss/kl")
        elif self._session.reference is not None and self._run.config.checks(step):
            found["kl"] = self._window[-1].get("loss/kl")
        return found

    def _mean(self, name: str) -> float | None:
        known = [value for row in self._window if (value := row.get(name)) is not None]
        return sum(known) / len(known) if known else None

    def _store(self) -> None:
        path = self._session.folder / ALARMS
        raised = alarms(self._history)
        if not self._session.main:
            return
        if raised:
            checkpoint.write_json(path, [asdict(alarm) for alarm in raised])
        else:
            path.unlink(missing_ok=True)
