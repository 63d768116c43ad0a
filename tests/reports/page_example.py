"""A synthetic page that looks like a real one: numbers from a fixed stream, frames drawn with a disc on a ramp."""

from __future__ import annotations

from functools import cache

import numpy as np

from reelgym.evaluation.results import Evaluation, Row
from reelgym.reports import build, puzzles
from reelgym.reports.images import encode
from reelgym.reports.payload import Frame, Payload, Puzzle, Reply

CHANCE = {"value": 0.141, "exact": 1 / 60, "selection": 0.6, "order": 0.15}
HOSTILE = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"


def frame(time: float, hue: int = 0, side: int = 56) -> np.ndarray:
    """Return (side, side, 3) uint8: a disc that moves with time over a ramp."""
    y, x = np.mgrid[0:side, 0:side]
    picture = np.stack([60 + x * 2, 70 + y, np.full_like(x, 110 + hue)], axis=-1)
    centre = side * (0.5 + 0.35 * np.cos(time + hue)), side * (0.5 + 0.35 * np.sin(1.3 * time))
    picture[(x - centre[0]) ** 2 + (y - centre[1]) ** 2 < (side / 7) ** 2] = (240, 200 - hue, 60)
    return picture.clip(0, 255).astype(np.uint8)


def row(index: int, rng: np.random.Generator, skill: float, invalid: float = 0.02) -> Row:
    """Return one reply of a policy that is right with probability `skill`."""
    valid = rng.random() >= invalid
    right = valid and rng.random() < skill
    parts = {
        "exact": float(right),
        "selection": 1.0 if right else float(valid) * float(rng.choice([1 / 3, 2 / 3, 1.0])),
        "order": 1.0 if right else float(valid) * float(rng.choice([0.0, 1 / 3])),
    }
    value = 1.0 if right else 0.25 * max(0.0, (parts["selection"] - 0.6) / 0.4) + 0.25 * parts["order"]
    answer = (4, 1, 3) if right else (1, 4, 2)
    return Row(
        id=f"mvp-{index:04d}",
        source=f"full:{index // 3:04d}",
        reply=_text(answer) if valid else "I cannot tell which frames",
        parsed=list(answer) if valid else None,
        valid=valid,
        value=value,
        parts=parts,
        chance=dict(CHANCE),
        stop="eos" if valid else "length",
        tokens=64,
    )


@cache
def evaluation(
    seed: int, skill: float, *, probe: str | None = None, count: int = 300, invalid: float = 0.02
) -> Evaluation:
    """Return 300 replies from 100 videos."""
    rng = np.random.default_rng(seed)
    return Evaluation(
        model="tiny",
        position_rule="qwen",
        variant="tagged",
        probe=probe,
        max_tokens=96,
        rows=tuple(row(i, rng, skill, invalid) for i in range(count)),
    )


def _text(answer: tuple[int, ...]) -> str:
    return (
        "<observation>a4 is 2, b5 is 4, c5 is 1, d6 is 3, g2 is 5</observation>"
        "<think>before b4, after e6, so the gap goes b5 4, c5 1, d6 3</think>"
        f"<answer>{', '.join(map(str, answer))}</answer>"
    )


def _replies(index: int, solved: bool) -> tuple[Reply, ...]:
    rng = np.random.default_rng(index)
    right = (4, 1, 3)
    before = puzzles.reply(row(index, rng, 0.0), right, label="Before", role="before")
    after = puzzles.reply(row(index, rng, float(solved), 0.0), right, label="After", role="after")
    training = tuple(
        puzzles.rollout(
            _text(order),
            order,
            right,
            label=f"Training, step {20 * member + 10}, rollout {member + 1} of 8",
            about={
                "score": score,
                "stop": "eos",
                "rewards": {"accuracy": {"completion": score}, "format": {"completion": 1.0}},
                "advantages": {"completion": score - 0.5},
            },
        )
        for member, (order, score) in enumerate([((1, 4, 2), 0.08), ((4, 1, 3), 1.0)])
    )
    return (before, after, *training)


def puzzle(index: int, *, solved: bool = True, hostile: bool = False) -> Puzzle:
    """Return a puzzle with 3 + 3 context frames, a gap of 3 and 5 candidates."""
    start = float(index)
    frames = [Frame(image=encode(frame(start + t / 2, index * 7 % 60)), seconds=start + t / 2) for t in range(9)]
    extra = [Frame(image=encode(frame(start + t, index * 7 % 60))) for t in (7.0, 9.0)]
    gap = [Frame(image=f.image) for f in frames[3:6]]
    replies = _replies(index, solved)
    if hostile:
        replies = (puzzles.rollout(HOSTILE, None, (4, 1, 3), label=HOSTILE, about={"stop": "length"}), *replies)
    return Puzzle(
        id=f"mvp-{index:04d}",
        kind=("moving", "cups", "process")[index % 3],
        question="Frames are missing between two clips. [clip] [clip] Candidate 1: [image] Which belong, in order?",
        before=tuple(frames[:3]),
        after=tuple(frames[6:]),
        candidates=(gap[1], extra[0], gap[2], gap[0], extra[1]),
        answer=(4, 1, 3),
        replies=replies,
    )


def metrics() -> list[dict[str, float]]:
    """Return rows as in metrics.jsonl."""
    rng = np.random.default_rng(5)
    rows = []
    for step in range(1, 61):
        rise = 1 / (1 + np.exp(-(step - 25) / 9))
        line = {
            "step": float(step),
            "rewards/score": 0.4 + 0.4 * rise + 0.04 * rng.normal(),
            "rewards/accuracy": 0.3 + 0.4 * rise + 0.04 * rng.normal(),
            "rollout/invalid": max(0.0, 0.04 * (1 - rise) + 0.01 * rng.normal()),
            "rollout/entropy": 0.9 - 0.5 * rise + 0.03 * rng.normal(),
            "rollout/truncated": max(0.0, 0.02 * rng.normal()),
            "rollout/tokens": 60 + 5 * rise + rng.normal(),
            "train/groups_with_signal": max(0.0, 0.9 - 0.3 * rise + 0.05 * rng.normal()),
        }
        if step % 10 == 0:
            line["eval/accuracy"] = 0.36 + 0.38 * rise + 0.01 * rng.normal()
        rows.append(line)
    return rows


@cache
def payload(count: int = 24, *, hostile: bool = False) -> Payload:
    """Return a whole page."""
    before, after = evaluation(1, 0.28), evaluation(2, 0.66)
    blind = evaluation(3, 0.01, probe="blind")
    floors = {"order_by_similarity": evaluation(4, 0.2, invalid=0.0), "context_free": evaluation(5, 0.05, invalid=0.0)}
    return Payload(
        title="demo",
        headline="After 60 steps of reinforcement learning the tiny model puts hidden frames back twice as well.",
        lead="A model of 1.1 million parameters was shown short videos with a run of frames hidden, and rewarded for "
        "naming the missing frames in order. No label was used: the video is its own answer.",
        facts=(
            ("Held-out puzzles", "300"),
            ("Videos", "100"),
            ("Training", "60 steps"),
            ("Wall clock", "241 s, 2 cores"),
        ),
        measures=build.measures(before, after, blind=blind),
        measures_caption=build.measures_caption(after),
        bars=build.bars(before, after, blind=blind, floors=floors),
        tables=(
            build.evaluation_table(
                "Before training, under both prompts",
                {"tagged (the better)": before, "direct": evaluation(7, 0.1, invalid=0.2)},
            ),
            build.evaluation_table("Without a model", floors),
            build.seeds(
                [
                    {
                        "seed": s,
                        "before": 0.36,
                        "after": a,
                        "difference": a - 0.36,
                        "interval": (a - 0.42, a - 0.3),
                        "blind_after": 0.14,
                    }
                    for s, a in ((0, 0.72), (1, 0.69), (2, 0.74))
                ]
            ),
        ),
        curves=build.curves(metrics(), chance=CHANCE["value"]),
        puzzles=tuple(puzzle(i, solved=i % 3 != 1, hostile=hostile and i == 0) for i in range(count)),
        limits=(
            "A tiny model on rendered videos: nothing here says how a large model does on real ones.",
            "No figure of a paper is reproduced; the reward is ours.",
        ),
        provenance=(("commit", "223143c"), ("config", "sha256 4be1c0d2"), ("torch", "2.13.0"), ("seconds", "241")),
    )
