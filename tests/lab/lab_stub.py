"""Hands that train nothing: a run's folder is faked, and a policy answers as well as its arm was made to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reelgym.evaluation.results import Evaluation, Row
from reelgym.lab import Hands
from reelgym.lab.endpoints import NAMES, Endpoints
from reelgym.training.config import RLRun

VIDEOS, PER_VIDEO = 12, 2


class Stub:
    """Hands that remember what they were asked; `skill` is by the start of the arm's folder name, `lift` on top."""

    def __init__(self, skill: Mapping[str, float], *, stop_after: int = 1000) -> None:
        self.skill, self.stop_after = skill, stop_after
        self.trained: list[str] = []
        self.runs: dict[str, RLRun] = {}
        self.asked: list[str] = []

    def hands(self) -> Hands:
        return Hands(train=self.train, prepare=self.prepare, ask=self.ask)

    def stop(self) -> bool:
        return len(self.trained) >= self.stop_after

    def train(self, run: RLRun, out: Path, progress: Any, stop: Any) -> None:
        name = f"{out.parent.name}/{out.name}"
        self.runs[name] = run
        if (out / "config.json").is_file():
            return
        self.trained.append(name)
        (out / "checkpoints" / f"step-{run.config.steps}").mkdir(parents=True)
        (out / "config.json").write_text("{}")
        reads = {"judge/tokens": 30.0} if run.judge else {}
        rows = [
            {"step": step, "eval/accuracy": 0.1 * step, "time/sample_seconds": 2.0, "time/update_seconds": 0.5, **reads}
            for step in (1, 2)
        ]
        (out / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        pq.write_table(pa.table({"ids": [[1, 2, 3], [4]]}), out / "rollouts-000002.parquet")

    def prepare(self, videos: int, per_video: int) -> Endpoints:
        return Endpoints({}, None)  # type: ignore[arg-type]

    def ask(self, policy: str, endpoints: Endpoints, max_tokens: int) -> dict[str, Evaluation]:
        self.asked.append(policy)
        place = Path(policy.partition("@")[0])
        arm = place.parent.name if place.name.startswith("seed") else "start"
        key = max((key for key in self.skill if arm.startswith(key)), key=len)
        stream = np.random.default_rng(sum(map(ord, policy.rpartition("/")[2])))
        return {name: evaluation(self.skill[key] * (name == NAMES[0]), stream) for name in NAMES}


def evaluation(skill: float, stream: np.random.Generator) -> Evaluation:
    rows = tuple(
        Row(
            id=f"q{video}-{place}",
            source=f"v{video}",
            reply="r",
            parsed=[1],
            valid=True,
            value=float(np.clip(skill + stream.normal(0, 0.02), 0, 1)) if skill else 0.25,
            parts={},
            chance={"value": 0.25},
            stop="eos",
            tokens=1,
        )
        for video in range(VIDEOS)
        for place in range(PER_VIDEO)
    )
    return Evaluation(model="m", position_rule="r", variant="tagged", probe=None, max_tokens=64, rows=rows)
