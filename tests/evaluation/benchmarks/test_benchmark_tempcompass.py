from __future__ import annotations

from pathlib import Path

from bench_case import left_out, made, means, prompt, rows, scored, values, video


def row(
    name: str, dim: str, answer: str, question: str = "What turns?\nA. a wheel\nB. a door\nC. nothing"
) -> dict[str, str]:
    return {"video_id": name, "question": question, "answer": answer, "dim": dim}


def test_from_files_to_the_mean_of_dimensions(tmp_path: Path) -> None:
    held = [
        row("1", "action", "A. a wheel"),
        row("1", "speed", "B. a door"),
        row("2", "speed", "C"),
        row("2", "order", "B. a window"),  # Its letter and its text disagree.
        row("2", "order", "A", "What turns?"),  # No options in the question.
        row("2", "order", "A. a wheel"),
    ]
    rows(tmp_path / "data" / "multi-choice" / "test-0.parquet", held)
    rows(tmp_path / "data" / "yes_no" / "test-0.parquet", [{"question": "Another part"}])  # Is not read.
    for name in "12":
        video(tmp_path / "videos" / "videos" / f"{name}.mp4")
    dataset = made("tempcompass-mc", tmp_path)
    assert left_out(dataset) == [
        ("test-0.parquet row 4", "its answer 'B. a window' is none of its 3 options"),
        ("test-0.parquet row 5", "a choice needs 2 to 26 options, it has 0"),
    ]
    assert prompt(dataset.samples[0]) == (
        "\nWhat turns?\nA. a wheel\nB. a door\nC. nothing\nAnswer with the letter of one option."
    )
    ids = [sample.id for sample in dataset.samples]
    found = scored(dataset, dict(zip(ids, ["a wheel", "**B**", "Not C.", "Answer: A"], strict=True)))
    assert list(values(found).values()) == [1, 1, 0, 1]
    # action 1/1, speed 1/2, order 1/1: mean 2.5/3; over rows 3/4.
    assert means(found) == {"accuracy": 0.75, "mean of dimensions": 0.8333}
    assert found.mean("invalid").mean == 0.25  # "Not C." states no answer.
