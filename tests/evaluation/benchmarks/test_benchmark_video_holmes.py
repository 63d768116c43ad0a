from __future__ import annotations

from pathlib import Path

from bench_case import left_out, made, means, prompt, rows, scored, values, video

from reelgym.evaluation import benchmarks
from reelgym.evaluation.floors import benchmark_floors
from reelgym.evaluation.metrics import measure


def row(number: int, kind: str, answer: str, **options: str) -> dict[str, object]:
    return {
        "video ID": "film",
        "Question ID": str(number),
        "Question Type": kind,
        "Question": f"Question {number}?",
        "Options": {"A": "no", "B": "he hides it well", "C": "yes", "D": "it", "E": "she", "F": "us"} | options,
        "Answer": answer,
        "Explanation": "Because.",
    }


def test_from_keys_with_spaces_to_accuracy(tmp_path: Path) -> None:
    held = [
        row(1, "SR", "B"),
        row(2, "SR", "A"),
        row(3, "TCI", "F"),
        row(4, "TCI", "C", C="she hid it well"),  # As long as B, less one letter.
        row(5, "TA", "G"),
        row(6, "TA", "E", C=""),  # An empty option would shift the letters after it.
    ]
    rows(tmp_path / "data" / "test_Video-Holmes.json", held)
    video(tmp_path / "videos" / "videos" / "film.mp4")
    dataset = made("video-holmes", tmp_path)
    assert left_out(dataset) == [
        ("test_Video-Holmes.json row 5", "its answer 'G' is none of its 6 options"),
        ("test_Video-Holmes.json row 6", "has an empty option before others"),
    ]
    assert prompt(dataset.samples[0]) == (
        "\nQuestion 1?\nA. no\nB. he hides it well\nC. yes\nD. it\nE. she\nF. us\nAnswer with the letter of one option."
    )
    replies = {
        "video-holmes-1": "<think>A? No.</think><answer>B</answer>",
        "video-holmes-2": "<think>It must be A",  # Cut off in thought: no answer.
        "video-holmes-3": "<answer>A</answer> or rather <answer>F</answer>",  # The last is meant, leniently.
        "video-holmes-4": "C",
    }
    found = scored(dataset, replies)
    assert list(values(found).values()) == [1, 0, 1, 1]
    # SR 1/2, TCI 2/2.
    assert means(found) == {"accuracy": 0.75, "mean of types": 0.75}
    assert found.mean("strict").mean == 0.5
    longest = measure(benchmarks.get("video-holmes"), benchmark_floors(dataset.samples)["longest_option"])
    assert longest["accuracy"]["mean"] == 0.25  # Always B: right for the first of four.
