from __future__ import annotations

from pathlib import Path

import pytest
from bench_case import left_out, made, means, prompt, rows, scored, values, video


def row(name: str, answer: str, **changed: object) -> dict[str, object]:
    return {
        "video": name,
        "question": "Which is first?",
        "candidates": ["Opening.", "Closing."],
        "answer": answer,
    } | changed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data, videos = tmp_path / "data" / "json", tmp_path / "videos" / "video"
    rows(
        data / "action_sequence.json",
        [
            row("a.mp4", "Opening.", start=2.0, end=6.0),
            row("a.mp4", "Closing.", start=6.0, end=8.0),
            row("b", "Opening."),
        ],
    )
    rows(data / "object_count.json", [row("a.mp4", "3", candidates=["3", "4", "5"]), row("a.mp4", "6")])
    for name in ("action_sequence/a.mp4", "action_sequence/b.mp4", "object_count/a.mp4"):
        video(videos / name, seed=len(name))
    return tmp_path


def test_rows_of_all_tasks_with_the_part_that_is_shown(folder: Path) -> None:
    dataset = made("tvbench", folder)
    assert left_out(dataset) == [("object_count.json row 2", "its answer '6' is none of its 2 options")]
    times = [sample.messages[0].parts[0].times for sample in dataset.samples]
    assert min(times[0]) >= 2 and max(times[0]) < 6 <= min(times[1])  # Only the bounded part is shown.
    assert min(times[2]) < 1 and max(times[2]) > 9  # A row without bounds shows the whole.
    assert dataset.samples[0].source != dataset.samples[3].source  # Same name, another task's folder.
    assert prompt(dataset.samples[3]).startswith("\nWhich is first?\nA. 3\nB. 4\nC. 5\n")


def test_both_means_by_hand(folder: Path) -> None:
    ids = [
        "tvbench-action_sequence-1",
        "tvbench-action_sequence-2",
        "tvbench-action_sequence-3",
        "tvbench-object_count-1",
    ]
    replies = dict(zip(ids, ["A", "B", "(B)", "The answer is 3"], strict=True))
    found = scored(made("tvbench", folder), replies)
    # "The answer is 3" names the first option by its text.
    assert list(values(found).values()) == [1, 1, 0, 1]
    # Over questions 3/4; over tasks (2/3 + 1) / 2 = 0.8333.
    assert means(found) == {"accuracy": 0.75, "mean of tasks": 0.8333}
    # Chance: (1/2 + 1/2 + 1/2 + 1/3) / 4 = 0.4583; over tasks (1/2 + 1/3) / 2 = 0.4167.
    assert round(found.metrics["accuracy"]["chance"], 4) == 0.4583
    assert round(found.metrics["mean of tasks"]["chance"], 4) == 0.4167
