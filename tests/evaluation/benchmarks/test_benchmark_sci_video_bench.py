from __future__ import annotations

from pathlib import Path

from bench_case import left_out, made, means, prompt, rows, scored, values, video


def row(video_id: str, answer: str, kind: str, question: str = "What binds at 01:05-01:12?") -> dict[str, object]:
    return {
        "video_id": video_id,
        "question_id": "1",
        "question": question,
        "options": {letter: f"protein {place}" for place, letter in enumerate("ABCDEFGHIJ")},
        "answer": answer,
        "question_type": kind,
        "discipline": "Biology",
        "video_duration": 10.0,
    }


def test_from_rows_to_accuracy(tmp_path: Path) -> None:
    held = [
        row("7", "I", "Conceptual Reasoning"),
        row("7", "J", "Quantitative Reasoning", "How many?"),  # The same video and question_id again.
        row("8", "B", "Quantitative Reasoning"),
        row("8", "K", "Conceptual Reasoning"),
        row("9", "A", "Conceptual Reasoning"),
    ]
    rows(tmp_path / "data" / "scivideobench_1k.jsonl", held)
    for name in ("7", "8"):
        video(tmp_path / "videos" / f"jove_{name}.mp4")
    dataset = made("sci-video-bench", tmp_path)
    assert left_out(dataset) == [
        ("scivideobench_1k.jsonl row 4", "its answer 'K' is none of its 10 options"),
        ("scivideobench_1k.jsonl row 5", f"its video 9 is not in {tmp_path / 'videos'}"),
    ]
    assert prompt(dataset.samples[0]).startswith("\nWhat binds at 01:05-01:12?\nA. protein 0\n")
    assert prompt(dataset.samples[0]).endswith("\nJ. protein 9\nAnswer with the letter of one option.")
    ids = [f"sci-video-bench-scivideobench_1k-{number}" for number in (1, 2, 3)]
    found = scored(dataset, dict(zip(ids, ["I", "I am not sure, but it must be (J).", "I think it is B"], strict=True)))
    # The pronoun is no option, the option I is one.
    assert values(found) == dict.fromkeys(ids, 1)
    wrong = scored(dataset, dict(zip(ids, ["I", "I do not know", "Option A is wrong; the answer is B"], strict=True)))
    # Conceptual 1/1, quantitative 1/2: the mean of types 0.75, of rows 2/3.
    assert means(wrong) == {"accuracy": 0.6667, "mean of types": 0.75}
    assert round(wrong.metrics["accuracy"]["chance"], 9) == 0.1
