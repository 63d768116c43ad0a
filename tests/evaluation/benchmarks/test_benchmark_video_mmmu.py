from __future__ import annotations

from pathlib import Path

from bench_case import left_out, made, means, prompt, rows, scored, values, video

from reelgym.data.messages import Clip

TEN = [f"{letter}. {place}" for place, letter in enumerate("ABCDEFGHIJ")]


def row(number: int, answer: str, options: list[str], kind: str = "multiple-choice") -> dict[str, object]:
    asked = {"id": f"dev_Physics_{number}", "question": "How fast?", "options": options, "answer": answer}
    return asked | {"question_type": kind}


def test_from_three_tracks_to_knowledge_gained(tmp_path: Path) -> None:
    data = tmp_path / "data"
    rows(data / "Perception" / "test-0.parquet", [row(1, "J", TEN, "perception")])
    rows(data / "Comprehension" / "test-0.parquet", [row(1, "A", ["yes", "no"]), row(2, "C", ["yes", "no"])])
    # Two of the exercises have no options: one right number, and one of two right texts.
    exercises = [row(1, "B", ["1", "2"]), row(2, "3.5", [], "open"), row(3, "['24/7', '3.43']", [], "open")]
    rows(data / "Adaptation" / "test-0.parquet", exercises)
    for number in (1, 2, 3):
        video(tmp_path / "videos" / "Science" / f"dev_Physics_{number}.mp4", seconds=30)
    for number in (1, 2):
        video(tmp_path / "videos" / "question_only" / f"dev_Physics_{number}_image.mp4", seconds=2)
    dataset = made("video-mmmu", tmp_path)
    # The same id stands in all tracks, and the same name of a file: the folder tells them apart.
    assert left_out(dataset) == [
        ("Comprehension/test-0.parquet row 2", "its answer 'C' is none of its 2 options"),
        (
            "Adaptation/test-0.parquet row 3",
            f"its video question_only/dev_Physics_3_image is not in {tmp_path / 'videos'}",
        ),
    ]
    by_id = {sample.id.removeprefix("video-mmmu-"): sample for sample in dataset.samples}
    assert prompt(by_id["Perception-dev_Physics_1-after"]).endswith(
        "\nI. 8\nJ. 9\nAnswer with the letter of one option."
    )
    assert prompt(by_id["Adaptation-dev_Physics_2-after"]) == "\nHow fast?\nAnswer with a number or a few words."
    before, after = (by_id[f"Adaptation-dev_Physics_1-{view}"] for view in ("before", "after"))
    assert before.source != after.source and prompt(before) == prompt(after)
    # The still of an exercise ends its video. Of 32 equal parts of 30 s the last two middles show 28.5 and 29.5.
    clip = after.messages[0].parts[0]
    assert isinstance(clip, Clip) and clip.times[-2:] == (29.0, 29.5)
    replies = {
        "Perception-dev_Physics_1-after": "I think it is J",
        "Comprehension-dev_Physics_1-after": "no",
        "Adaptation-dev_Physics_1-after": "The answer is B.",
        "Adaptation-dev_Physics_1-before": "A",
        "Adaptation-dev_Physics_2-after": "So v = 7 / 2 and the answer is 3.50 m/s",
        "Adaptation-dev_Physics_2-before": "about 4",
        "Adaptation-dev_Physics_3-after": "24/7",
    }
    found = scored(dataset, {f"video-mmmu-{name}": reply for name, reply in replies.items()})
    assert {name.removeprefix("video-mmmu-"): value for name, value in values(found).items()} == {
        "Perception-dev_Physics_1-after": 1,
        "Comprehension-dev_Physics_1-after": 0,
        "Adaptation-dev_Physics_1-after": 1,
        "Adaptation-dev_Physics_1-before": 0,
        "Adaptation-dev_Physics_2-after": 1,
        "Adaptation-dev_Physics_2-before": 0,
        "Adaptation-dev_Physics_3-after": 1,
    }
    # After: 4 of 5, the exercises 3 of 3; before 0 of 2. Gained: (1 - 0) / (1 - 0) = 1.
    assert means(found) == {
        "accuracy": 0.8,
        "Perception": 1.0,
        "Comprehension": 0.0,
        "Adaptation": 1.0,
        "Adaptation without the lecture": 0.0,
        "knowledge gained": 1.0,
    }
    # Chance of the letters 1/10, 1/2 and 1/2; of numbers and words none is enumerated.
    assert round(found.metrics["accuracy"]["chance"], 9) == round((0.1 + 0.5 + 0.5) / 5, 9)
