from __future__ import annotations

from pathlib import Path

from bench_case import Verdicts, decided, left_out, made, means, prompt, rows, scored, values, video

OPTIONS = {"A": "He hid.", "B": "He hid. Then he ran.", "C": "He slept.", "D": "He sang."}
NONE = dict.fromkeys("ABCD", "")


def row(number: int, answer: object, dimension: str, choices: dict[str, str]) -> dict[str, object]:
    lines = "".join(f"{letter}. {text}\n" for letter, text in choices.items() if text)
    return {
        "id": number,
        "video_path": "video/some/v.mp4",
        "duration": 10,
        "dimension": dimension,
        "question": f"Why? Vitamin A. is no option.{lines}",
        "multiple-choice": bool(lines),
        "choices": choices,
        "answer": answer,
        "reasoning": ["1. 0:00-0:05, he hides."],
    }


def test_from_choices_and_free_answers_to_accuracy(tmp_path: Path) -> None:
    held = [
        row(0, "B", "Video Plot Analysis", OPTIONS),
        row(1, "D", "Video Plot Analysis", OPTIONS),
        row(2, "Kitchen", "Temporal Spatial Reasoning", NONE),
        row(3, "[0, 11]", "Video Temporal Grounding", NONE),
        row(4, "Living room", "Temporal Spatial Reasoning", NONE),
        row(5, "E", "Video Plot Analysis", OPTIONS),
    ]
    rows(tmp_path / "data" / "meta_info_video.json", held)
    video(tmp_path / "videos" / "video" / "some" / "v.mp4")
    dataset = made("vcr-bench-answers", tmp_path)
    assert left_out(dataset) == [("meta_info_video.json row 6", "its answer 'E' is none of its 4 options")]
    # Choices stand in the question too, the first right after its last word: they are asked once.
    assert prompt(dataset.samples[0]) == (
        "\nWhy? Vitamin A. is no option.\nA. He hid.\nB. He hid. Then he ran.\nC. He slept.\nD. He sang.\n"
        "Answer with the letter of one option."
    )
    assert prompt(dataset.samples[2]) == "\nWhy? Vitamin A. is no option.\nAnswer in a few words."
    assert dataset.samples[2].evidence["facts"] == ["1. 0:00-0:05, he hides."]
    said = ["He hid. Then he ran.", "C", "The second fight is in a kitchen.", "from 0:00 to 0:11", "kitchen"]
    found = scored(dataset, {f"vcr-bench-answers-{number}": reply for number, reply in enumerate(said)})
    found = decided(dataset, found, Verdicts(lambda text: text != "kitchen"))
    assert list(values(found).values()) == [1, 0, 1, 1, 0]
    # Plot 1/2, space 1/2, grounding 1/1.
    assert means(found) == {
        "accuracy": 0.6,
        "accuracy of choices": 0.5,
        "accuracy of free answers": 0.6667,
        "mean of dimensions": 0.6667,
        "judge failed": 0.0,
    }
