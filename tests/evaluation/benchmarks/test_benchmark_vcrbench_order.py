from __future__ import annotations

from math import factorial
from pathlib import Path

from bench_case import left_out, made, means, prompt, rows, scored, values, video


def row(number: int, truth: list[int]) -> dict[str, object]:
    return {"qid": number, "goal": "Make tea", "video_file": "tea.mp4", "ground_truth": truth}


def test_from_places_to_both_accuracies(tmp_path: Path) -> None:
    held = [row(1, [1, 0, 2]), row(2, [0, 1, 2]), row(3, [3, 2, 1, 0]), row(4, [0, 3, 1, 2, 4]), row(5, [0, 2, 3])]
    rows(tmp_path / "data" / "data.json", held)
    video(tmp_path / "videos" / "videos" / "tea.mp4")
    dataset = made("vcrbench-order", tmp_path)
    assert left_out(dataset) == [("data.json row 5", "its answer [0, 2, 3] is no order of the places from 0")]
    assert dataset.samples[0].answer == [2, 1, 3]  # Counted from 1, as the clips are.
    assert prompt(dataset.samples[0]) == (
        "\nThe video shows clips of one task in a shuffled order; each opens with its number. The task: Make tea. In "
        "which order must the clips be to do it?\n"
        "Answer with the numbers of all parts in the right order, like 2, 1, 3."
    )
    replies = {
        "vcrbench-order-1": "First the water.\nCorrect order: Clip 2, Clip 1, Clip 3",
        "vcrbench-order-2": "1, 3, 2",  # One place of three.
        "vcrbench-order-3": "4 3 2 1",
        "vcrbench-order-4": "1, 2, 3",  # Two clips short: no answer.
    }
    found = scored(dataset, replies)
    assert list(values(found).values()) == [1, 0, 1, 0]
    # Order 2/4. Steps (3 + 1 + 4 + 0) of (3 + 3 + 4 + 5) = 8/15. By length: (1/2 + 1 + 0)/3.
    assert means(found) == {
        "order accuracy": 0.5,
        "step accuracy": 0.5333,
        "order accuracy, mean of lengths": 0.5,
    }
    # Chance of steps: a place of n is right in one of n, four places in all: 4/15.
    assert round(found.metrics["step accuracy"]["chance"], 4) == round(4 / 15, 4)


def test_the_chance_of_the_published_lengths() -> None:
    lengths = {3: 126, 4: 105, 5: 80, 6: 30, 7: 24}
    assert sum(lengths.values()) == 365
    order = sum(count / factorial(length) for length, count in lengths.items()) / 365
    steps = 365 / sum(count * length for length, count in lengths.items())
    assert (round(100 * order, 1), round(100 * steps, 1)) == (7.1, 23.6)
