from __future__ import annotations

from pathlib import Path

from bench_case import left_out, made, means, prompt, rows, scored, values, video

from reelgym.evaluation import benchmarks
from reelgym.evaluation.floors import benchmark_floors
from reelgym.evaluation.metrics import measure


def row(number: int, kind: str, truth: object, options: list[str] | None = None) -> dict[str, object]:
    return {
        "id": number,
        "dataset": "scannet",
        "scene_name": f"scene{number % 2}",
        "question_type": kind,
        "question": f"Question {number}?",
        "options": options,
        "ground_truth": truth,
    }


HELD = [
    row(1, "object_counting", "4"),
    row(2, "object_counting", "2"),
    row(3, "object_rel_direction_easy", "A", ["A. left", "B. right"]),
    row(4, "object_rel_direction_hard", "D", ["A. front-left", "B. front-right", "C. back-left", "D. back-right"]),
    row(5, "route_planning", "B", ["A. Turn Left", "B. Turn Right"]),
    row(6, "room_size_estimation", "20.5"),
    row(7, "room_size_estimation", "large"),  # No number, and no options.
]


def test_from_files_to_the_mean_of_tasks(tmp_path: Path) -> None:
    rows(tmp_path / "data" / "test.jsonl", HELD)
    for number in (0, 1):
        video(tmp_path / "videos" / "scannet" / f"scene{number}.mp4")
    dataset = made("vsi-bench", tmp_path)
    assert left_out(dataset) == [("test.jsonl row 7", "its answer 'large' is no number")]
    assert prompt(dataset.samples[0]) == "\nQuestion 1?\nAnswer with one number."
    assert prompt(dataset.samples[2]).endswith("?\nA. left\nB. right\nAnswer with the letter of one option.")
    replies = {
        "vsi-bench-1": "3",  # Off by a quarter: below 1 - theta for theta = .50, .55, .60, .65, .70 -> 0.5 of ten.
        "vsi-bench-2": "There are two.",  # 2 of 2: all ten.
        "vsi-bench-3": "left",
        "vsi-bench-4": "A",
        "vsi-bench-5": "<answer>B</answer>",
        "vsi-bench-6": "20 to 25",  # Two numbers: no answer.
    }
    found = scored(dataset, replies)
    assert list(values(found).values()) == [0.5, 1, 1, 0, 1, 0]
    # Counting (0.5 + 1)/2 = 0.75; direction: easy 1, hard 0, together one task of 0.5; route 1; room 0.
    # Mean of the four tasks: 2.25/4 = 0.5625. Options 2/3; numbers 1.5/3; rows 3.5/6 = 0.5833.
    assert means(found) == {"mean of tasks": 0.5625, "options": 0.6667, "numbers": 0.5, "mean of rows": 0.5833}
    low = benchmark_floors(dataset.samples, "type")
    constant = {row.id: row.reply for row in low["constant_per_type"].rows}
    # Of 2 and 4, "2" earns (0 + 1)/2 and "4" (1 + 0)/2: error of 2 for 4 is 0.5, not below 1 - 0.5. The first stays.
    assert [constant[f"vsi-bench-{number}"] for number in (1, 2, 6)] == ["2", "2", "20.5"]
    # Counting 0.5; direction 1 and 1; route 1; room 1: the mean of the tasks is 3.5/4.
    assert measure(benchmarks.get("vsi-bench"), low["constant_per_type"])["mean of tasks"]["mean"] == 0.875
