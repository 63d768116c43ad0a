"""Train on an earlier group in the place of one without signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from reelgym.data.trajectory import Group, Segment, Trajectory, Turn
from reelgym.training.credit import Rollout
from reelgym.training.groups.base import GroupPolicy, SampleOf
from reelgym.training.order import Pick, derive

if TYPE_CHECKING:
    from reelgym.training.config import RLConfig


class Replay(GroupPolicy):
    """A group of an earlier step takes the place of one without signal; the last `replay_groups` with signal are kept.

    It is drawn evenly, no group twice in a step. Its tokens were written by an earlier policy: their stored log-probs
    are the old ones of the importance ratio, so that the algorithm's clipping bounds what they move. Where there are
    not enough the step is smaller. Replay of groups with signal is TimeSearch-R's (arXiv 2511.05489) and the selective
    sample replay of VL-Rethinker (arXiv 2504.08837), which draws by the size of advantages; the bound is ours.
    """

    name: ClassVar[str] = "replay"
    settings: ClassVar[tuple[str, ...]] = ("replay_groups",)
    remembers: ClassVar[bool] = True

    def __init__(self, config: RLConfig) -> None:
        """Begin with an empty buffer."""
        super().__init__(config)
        self.buffer: list[Rollout] = []

    def replace(self, places: Sequence[int], step: int) -> list[Rollout]:
        """Return groups of the buffer for as many of the places as it can fill."""
        rng = np.random.default_rng(derive(self.config.seed, "replay", step))
        chosen = rng.permutation(len(self.buffer))[: len(places)]
        found = [self.buffer[number] for number in chosen]
        return [
            replace(rollout, pick=replace(rollout.pick, place=place))
            for place, rollout in zip(places, found, strict=False)
        ]

    def remember(self, kept: Sequence[Rollout]) -> None:
        """Add groups; the oldest go."""
        self.buffer = [*self.buffer, *kept][-self.config.replay_groups :]

    def state(self) -> Any:
        """Return the buffer."""
        return [_plain(rollout) for rollout in self.buffer]

    def load_state(self, state: Any, sample_of: SampleOf) -> None:
        """Take back the buffer."""
        self.buffer = [_rollout(row, sample_of) for row in state]


def _plain(rollout: Rollout) -> dict[str, Any]:
    members = [[_turn_to_json(turn) for turn in member.turns] for member in rollout.group.trajectories]
    terms = {label: [[_plain_number(v) for v in row] for row in rows] for label, rows in rollout.terms.items()}
    errors = [list(member.errors) for member in rollout.group.trajectories]
    return {"pick": asdict(rollout.pick), "members": members, "errors": errors, "terms": terms}


def _plain_number(value: float) -> float | None:
    """Return the number, and None for a reward that does not apply: JSON has no NaN."""
    return None if np.isnan(value) else float(value)


def _rollout(row: dict[str, Any], sample_of: SampleOf) -> Rollout:
    pick = Pick(**row["pick"])
    sample = sample_of(pick)
    assert sample is not None, f"no sample for {pick}"
    members = tuple(
        Trajectory(turns=tuple(_turn_from_json(turn) for turn in turns), errors=tuple(errors))
        for turns, errors in zip(row["members"], row["errors"], strict=True)
    )
    terms = {label: np.array(values, dtype=np.float64) for label, values in row["terms"].items()}
    return Rollout(pick, sample.id, Group(sample=sample, trajectories=members), terms)


def _turn_to_json(turn: Turn) -> dict[str, Any]:
    arrays = {name: getattr(turn, name).tolist() for name in ("ids", "logprobs", "loss_mask")}
    segments = [[part.name, part.start, part.stop] for part in turn.segments]
    return arrays | {"text": turn.text, "stop": turn.stop, "segments": segments}


def _turn_from_json(row: dict[str, Any]) -> Turn:
    return Turn(
        ids=np.array(row["ids"], dtype=np.int64),
        logprobs=np.array(row["logprobs"], dtype=np.float32),
        loss_mask=np.array(row["loss_mask"], dtype=np.bool_),
        text=row["text"],
        stop=row["stop"],
        segments=tuple(Segment(*part) for part in row["segments"]),
    )
