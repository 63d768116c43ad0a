"""The phase between sampling and scoring in which a run's judge looks at what was observed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reelgym.data.messages import Message
from reelgym.data.sample import Sample
from reelgym.data.trajectory import Group, Trajectory
from reelgym.errors import RequestError
from reelgym.rewards import Case, Judge, Lent, SegmentFormat
from reelgym.rewards.perception import LEDGER
from reelgym.training import checkpoint
from reelgym.training.metrics import Tally

if TYPE_CHECKING:
    from reelgym.training.config import RLRun
    from reelgym.training.session import Session

_OBSERVATION = re.compile(r"<observation>(.*?)</observation>", re.DOTALL)
_FORM = SegmentFormat("observation")


@dataclass(frozen=True)
class Observed:
    """A sample with a gold observation: what a judge is tried on before it pays anyone."""

    sample: Sample
    observation: str

    @property
    def messages(self) -> tuple[Message, ...]:
        """The sample's prompt."""
        return self.sample.messages

    @property
    def reply(self) -> str:
        """The observation: with the prompt it names the content of a `Data`."""
        return self.observation


def observation(reply: str) -> str | None:
    """Return the text of the one well-formed observation of a reply, or None where there is not exactly one.

    >>> observation("<observation> a red door</observation><think>so</think><answer>3</answer>")
    ' a red door'
    """
    if not _FORM.valid(reply):
        return None
    found = _OBSERVATION.search(reply)
    return found[1] if found else None


def open_judge(run: RLRun, session: Session) -> Judge | None:
    """Return the run's judge, tried on the gold observations where the run has some; None where it has no judge.

    The trial's result is written to `RUN/judge.json`; a resumed run is not tried again.

    Raises:
        RequestError: The judge failed its trial.
    """
    if run.judge is None:
        return None
    judge = run.judge.open(_lent(run, session))
    path = session.folder / "judge.json"
    if run.gold is None or path.is_file():
        return judge
    gold: list[Observed] = list(run.gold.items)
    found = run.judge.trial(judge, [one.sample for one in gold], [one.observation for one in gold])
    if session.main:
        checkpoint.write_json(path, found.to_json())
    if not found.passed:
        raise RequestError(f"the judge failed its trial, so it may not pay: {found.words()}")
    return judge


def _lent(run: RLRun, session: Session) -> Lent:
    parts = [run.data] + ([run.eval_data] if run.eval_data else [])
    videos: dict[str, str | Path] = {}
    for part in parts:
        # Media that read files say which; a loop knows no more of them.
        videos |= getattr(part.media, "paths", {})
    return Lent(
        frozen=None if session.reference is None else session.reference.active,
        folder=session.folder,
        rank=session.accelerator.process_index,
        samples=[sample for part in parts for sample in part.items],
        videos=videos,
    )


def judged(judge: Judge, groups: Sequence[Group], name: str, tally: Tally | None = None) -> list[Group]:
    """Return the groups with a verdict on every observation in the ledgers, all of them judged in one call.

    Args:
        judge: Whom to ask.
        groups: What was sampled.
        name: Names the occasion (seed and step): with sample and member it names a trajectory.
        tally: Where counts go, as `judge/NAME`.
    """
    places = [(place, member) for place, group in enumerate(groups) for member in range(len(group))]
    cases = []
    for place, member in places:
        group = groups[place]
        said = observation(group.trajectories[member].reply)
        cases.append(Case(group.sample, said, f"{name} {group.sample.id} {member}"))
    members: list[list[Trajectory]] = [[] for _ in groups]
    for (place, member), verdict in zip(places, judge.judge(cases), strict=True):
        one = groups[place].trajectories[member]
        members[place].append(replace(one, ledger=one.ledger | {LEDGER: verdict.to_json()}))
        if tally is not None:
            tally.add("judge/without_verdict", float(verdict.score is None))
            for event, count in verdict.counts.items():
                # Tokens are a cost, told as a sum; all else is a share of the verdicts.
                (tally.count if event == "tokens" else tally.add)(f"judge/{event}", count)
            if verdict.score is not None:
                tally.add("judge/score", float(np.clip(verdict.score, -1, 1)))
    return [replace(group, trajectories=tuple(made)) for group, made in zip(groups, members, strict=True)]
