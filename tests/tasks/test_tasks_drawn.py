"""Anomaly grounding and shape counting: the contract, the construction, the scores by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import pytest
from pixel_facts import media_parts, shown, unchanged
from task_contract import VIDEO, TaskContract, World, moving_frames

from reelgym import tasks
from reelgym.data.messages import Clip
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.scoring.counts import count_chance, count_parts, parse_counts
from reelgym.scoring.grounding import grounding_chance, grounding_parts


def _span(sample: Sample, start: int, stop: int) -> str:
    edges = sample.evidence["edges"]
    return f"{edges[start]:.6f} - {edges[stop]:.6f}"


class TestAnomaly(TaskContract):
    name = "anomaly"
    options: ClassVar = {"short_side": 56}
    refuses_static = False

    def corruptions(self, sample: Sample) -> Iterable[str]:
        edges = sample.evidence["edges"]
        start, stop = (edges.index(end) for end in sample.answer)
        last = len(edges) - 1
        yield from (_span(sample, a, stop) for a in (start - 1, start + 1) if a >= 0)
        yield from (_span(sample, start, b) for b in (stop - 1, stop + 1) if b <= last)
        yield from (f"{a}-{b}" for a, b in sample.evidence["decoys"])

    def replies(self, sample: Sample) -> Iterable[str]:
        count = len(sample.evidence["edges"])
        return [_span(sample, a, b) for a in range(count) for b in range(a + 1, count)]

    def solve(self, sample: Sample, world: World) -> str:
        seen, plain = shown(sample, world), unchanged(sample, world)
        kinds = {"channels": plain[..., ::-1], "mirror": plain[:, :, ::-1], "rotate": plain[:, ::-1, ::-1]}
        found: dict[str, list[int]] = {}
        for place in range(len(seen)):
            if not np.array_equal(seen[place], plain[place]):
                same = [name for name, other in kinds.items() if np.array_equal(seen[place], other[place])]
                found.setdefault((same or ["zoom_out"])[0], []).append(place)
        run = found[sample.evidence["change"]]
        return _span(sample, run[0], run[-1] + 1)


class TestShapeCount(TaskContract):
    name = "shape_count"
    options: ClassVar = {"short_side": 56}
    refuses_static = False

    def corruptions(self, sample: Sample) -> Iterable[str]:
        for place in range(3):
            for step in (-1, 1):
                row = [count + step * (at == place) for at, count in enumerate(sample.answer)]
                if row[place] <= sample.evidence["upper"]:
                    yield ", ".join(map(str, row))

    def guess(self, sample: Sample, rng: np.random.Generator) -> str:
        return ", ".join(map(str, rng.integers(0, sample.evidence["upper"] + 1, 3)))

    def solve(self, sample: Sample, world: World) -> str:
        (clip,) = media_parts(sample)
        assert isinstance(clip, Clip)
        counts = dict.fromkeys(("circle", "square", "triangle"), 0)
        for time, frame, plain in zip(clip.times, shown(sample, world), unchanged(sample, world), strict=True):
            drawn = np.any(frame != plain, axis=-1)
            # Shapes do not touch: as many as there are, so many separate regions differ from the rendered frame.
            kinds = {str(e.args[0]) for e in clip.edits if e.start is not None and abs(e.start - time) < 1e-6}
            for kind in kinds:
                counts[kind] += _regions(drawn)
        return ", ".join(map(str, counts.values()))


def _regions(mask: np.ndarray) -> int:
    """Count the connected regions of a mask, diagonals included; single odd pixels do not count."""
    left, found = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}, 0
    while left:
        waiting, size = [left.pop()], 1
        while waiting:
            y, x = waiting.pop()
            near = {(y + v, x + u) for v in (-1, 0, 1) for u in (-1, 0, 1)} & left
            left -= near
            size += len(near)
            waiting += near
        found += size > 8
    return found


def _samples(name: str, count: int = 12, **options: object) -> list[Sample]:
    task = tasks.configure(name, options)
    return list(task.generate(VIDEO, moving_frames(task, 80, fps=4.0), seed=0, split="train", count=count))


def test_runs_are_as_long_as_they_should_be_and_do_not_touch() -> None:
    for sample in _samples("anomaly", 20):
        edges = sample.evidence["edges"]
        assert len(edges) == 49 and edges[0] == 0.0
        runs = sorted([edges.index(a), edges.index(b)] for a, b in (sample.answer, *sample.evidence["decoys"]))
        assert all(8 <= stop - start <= 16 for start, stop in runs)
        assert runs[0][1] < runs[1][0]
        (clip,) = media_parts(sample)
        assert isinstance(clip, Clip)
        for edit, (start, stop) in zip(clip.edits, [sample.answer, *sample.evidence["decoys"]], strict=True):
            inside = [edit.start - 1e-6 <= t < edit.stop - 1e-6 for t in clip.times]  # type: ignore[operator]
            assert [edges[k] for k in range(48) if inside[k]] == edges[edges.index(start) : edges.index(stop)]


def test_the_run_asked_for_is_first_as_often_as_second() -> None:
    first = [sample.answer < sample.evidence["decoys"][0] for sample in _samples("anomaly", 40)]
    assert 10 <= sum(first) <= 30


def test_a_span_off_by_one_second_of_four_earns_three_fifths() -> None:
    edges = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    # 0-4 against 1-5: shared 3, covered 5.
    assert grounding_parts((0.0, 4.0), (1.0, 5.0), 0.5) == {"strict": 0.0, "smooth": 0.6}
    assert grounding_parts((1.2, 4.8), (1.0, 5.0), 0.5) == {"strict": 1.0, "smooth": 1.0}
    # 15 spans of 6 edges, one is right.
    assert grounding_chance(edges, (1.0, 5.0), 0.25)["strict"] == pytest.approx(1 / 15)


def test_shapes_of_one_kind_are_far_apart_and_no_frame_has_two_kinds() -> None:
    for sample in _samples("shape_count"):
        (clip,) = media_parts(sample)
        places = {name: [clip.times.index(t) for t in times] for name, times in sample.evidence["frames"].items()}
        for own in places.values():
            assert 1 <= len(own) <= 3 and all(abs(a - b) > 8 for a in own for b in own if a != b)
        every = [place for own in places.values() for place in own]
        assert len(set(every)) == len(every)
        assert sum(sample.answer) == len(clip.edits)


def test_counts_are_paid_by_how_near_they_are() -> None:
    # Circles right, squares 1 of 2, triangles 9 of 3: 1, 1/2 and 0.
    assert count_parts((4, 1, 9), (4, 2, 3)) == {"strict": 0.0, "each": pytest.approx(1 / 3), "smooth": 0.5}
    every = [count_parts((a, b), (1, 2)) for a in range(4) for b in range(4)]
    for part, chance in count_chance((1, 2), 3).items():
        assert sum(row[part] for row in every) / 16 == pytest.approx(chance)


@pytest.mark.parametrize("text", ["3, 1", "3, 1, 4, 1", "a, 1, 2", "-1, 1, 2", "1.5, 1, 2", "3, 1, 99", "", "1,,2 3 x"])
def test_what_is_not_three_counts_is_no_answer(text: str) -> None:
    assert parse_counts(text, 3, 9) is None
    assert parse_counts("[3; 1 4].", 3, 9) == (3, 1, 4)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("anomaly", {"frames": 4}, "give 8 to 256 frames"),
        ("anomaly", {"decoys": 0}, "the two largest jumps between frames give most answers away"),
        ("anomaly", {"decoys": 2}, "there is room for 1 other run; leave it at 1"),
        ("anomaly", {"changes": ("mirrored",)}, "did you mean 'mirror'"),
        ("anomaly", {"changes": ("mirror",)}, "at least 2 different"),
        ("anomaly", {"reward": "soft"}, "'strict' or 'smooth'"),
        ("shape_count", {"frames": 8}, "give 12 to 256"),
        ("shape_count", {"sizes": (0.5, 0.2)}, "low <= high"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        tasks.configure(name, options)
