from __future__ import annotations

from pathlib import Path

import pytest
from bench_case import Verdicts, decided, left_out, made, means, prompt, rows, scored, values, video

FIVE = {"A": "merge sort", "B": "quick sort", "C": "heap sort", "D": "radix sort", "E": "bubble sort"}
NONE = dict.fromkeys("ABCDE", "")


def row(number: int, answer: str, choices: dict[str, str] | None, subject: str = "Biology") -> dict[str, object]:
    url = f"https://huggingface.co/datasets/yale-nlp/MMVU/resolve/main/videos/{subject}/{number % 2}.mp4"
    about = {"subject": subject, "textbook": "none", "rationale": "so", "knowledge": []}
    kind = "multiple-choice" if choices and choices["A"] else "open-ended"
    asked = {"id": f"validation_{number}", "video": url, "youtube_url": "", "question_type": kind, "metadata": about}
    return asked | {"question": "Which sort is it?", "choices": choices, "answer": answer}


def test_from_choices_and_free_answers_to_accuracy(tmp_path: Path) -> None:
    held = [
        row(1, "B", FIVE),
        row(2, "E", FIVE, "Art"),
        row(3, "O(n log n)", NONE),
        row(4, "0.25", None),  # Free answers have empty choices, or none.
        row(5, "a stable sort", NONE),
        row(6, "depth-first search", NONE),
        row(7, "", NONE),
        row(8, "G", FIVE),
    ]
    rows(tmp_path / "data" / "validation.json", held)
    for number, subject in ((0, "Biology"), (1, "Biology"), (0, "Art")):
        video(tmp_path / "videos" / "videos" / subject / f"{number}.mp4", seed=len(subject))
    dataset = made("mmvu", tmp_path)
    assert left_out(dataset) == [
        ("validation.json row 7", "has no answer"),
        ("validation.json row 8", "its answer 'G' is none of its 5 options"),
    ]
    assert prompt(dataset.samples[0]).endswith("\nE. bubble sort\nAnswer with the letter of one option.")
    assert prompt(dataset.samples[2]) == "\nWhich sort is it?\nAnswer in a few words."
    said = {1: "B", 2: "The answer is A.", 3: "n log n", 4: "about 0.25", 5: "It is stable.", 6: "<think>depth-first"}
    found = scored(dataset, {f"mmvu-validation_{number}": reply for number, reply in said.items()})
    told = {"n log n": True, "It is stable.": None}
    judge = Verdicts(lambda text: told[text])
    found = decided(dataset, found, judge)
    # 0.25 is right by rule, what was cut off in thought is wrong: of neither the judge is asked.
    assert judge.asked == ["n log n", "It is stable."]
    assert list(values(found).values()) == [1, 0, 1, 1, 0, 0]
    # Choices 1/2, free answers 2/4, all 3/6; of four free answers the judge failed on one, which counts as wrong.
    assert means(found) == {
        "accuracy": 0.5,
        "accuracy of choices": 0.5,
        "accuracy of free answers": 0.5,
        "judge failed": 0.25,
    }
    assert found.settings["judge"] == "told"
    assert found.metrics["accuracy"]["chance"] == pytest.approx(0.4 / 6)
