from __future__ import annotations

from pathlib import Path

import pytest
from bench_case import left_out, made, means, prompt, rows, scored, values, video


def row(number: int, answer: str, options: list[str]) -> dict[str, object]:
    return {
        "question_id": f"q{number}",
        "videoID": f"v{number}",
        "question": "What is x?",
        "options": options,
        "answer": answer,
        "category": "Geometry",
        "length": "short",
        "steps": ["Read."],
    }


FIVE = ["A. 1", "B. 2", "C. 3", "D. 4", "E. -1"]
PAIR = ["A. 1", "B. 2"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    held = [row(1, "B", FIVE), row(2, "E", FIVE), row(3, "A", FIVE), row(3, "C", FIVE), row(2, "H", FIVE)]
    rows(tmp_path / "data" / "mcq" / "test-0.parquet", held)
    pairs = [row(1, "A", PAIR), row(1, "B", PAIR), row(2, "A", PAIR), row(2, "A", PAIR), row(3, "C", PAIR)]
    rows(tmp_path / "data" / "multi_binary" / "test-0.parquet", pairs)
    for number in (1, 2, 3):
        video(tmp_path / "videos" / f"v{number}.mp4")
    return tmp_path


def test_five_options(folder: Path) -> None:
    dataset = made("videomathqa", folder)
    assert left_out(dataset) == [("test-0.parquet row 5", "its answer 'H' is none of its 5 options")]
    assert prompt(dataset.samples[0]).startswith("\nWhat is x?\nA. 1\nB. 2\nC. 3\nD. 4\nE. -1\n")
    said = [r"So x = 2 and the answer is \boxed{B}", "Answer: E", "x is 3, so C", "-1"]
    found = scored(dataset, dict(zip([sample.id for sample in dataset.samples], said, strict=True)))
    # "-1" is the text of E, not of C; "Answer: E" is not read as A.
    assert list(values(found).values()) == [1, 1, 0, 0]
    assert means(found) == {"accuracy": 0.5}


def test_a_question_counts_only_where_all_of_its_pairs_are_right(folder: Path) -> None:
    dataset = made("videomathqa-binary", folder)
    assert left_out(dataset) == [("test-0.parquet row 5", "its answer 'C' is none of its 2 options")]
    said = ["A", "B", "A", "B"]
    found = scored(dataset, dict(zip([sample.id for sample in dataset.samples], said, strict=True)))
    # q1: both right, q2: one of two: MBin 1/2, pairs 3/4. Chance of both: 1/4.
    assert means(found) == {"MBin": 0.5, "accuracy of pairs": 0.75}
    assert found.metrics["MBin"]["chance"] == 0.25
