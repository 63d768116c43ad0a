from __future__ import annotations

import json
from pathlib import Path

from bench_case import left_out, made, means, prompt, rows, scored, values, video


def row(qid: int, answer: str, name: str = "77") -> dict[str, object]:
    asked = {"video_id": name, "frame_count": 20, "width": 56, "height": 56, "question": "why does he run"}
    options = {"a0": "late", "a1": "chased", "a2": "sport", "a3": "fun", "a4": "to fall"}
    return asked | {"answer": answer, "qid": qid, "type": "CW"} | options


def test_from_two_files_to_acc_gqa(tmp_path: Path) -> None:
    held = [row(1, "late"), row(2, "sport"), row(3, "fun"), row(4, "chased"), row(5, "slow"), row(6, "late")]
    rows(tmp_path / "data" / "test.csv", held)
    location = {"1": [[0, 4]], "2": [[0, 2], [6, 8]], "3": [[2, 4]], "4": [[0, 4]], "5": [[0, 1]]}
    (tmp_path / "data" / "gsub_test.json").write_text(
        json.dumps({"77": {"duration": 10, "fps": 2, "location": location}})
    )
    video(tmp_path / "videos" / "77.mp4")
    dataset = made("next-gqa", tmp_path)
    assert left_out(dataset) == [
        ("test.csv row 5", "its answer 'slow' is none of its 5 options"),
        ("test.csv row 6", "its interval None is no start and end in seconds"),  # Nobody marked it.
    ]
    assert prompt(dataset.samples[0]) == (
        "\nwhy does he run\nA. late\nB. chased\nC. sport\nD. fun\nE. to fall\n"
        "Answer with the letter of one option, then start and end in seconds of its proof, like B 3.5 - 10."
    )
    replies = {
        "next-gqa-77-1": "A 0 - 8",  # Right; IoP 4/8 reaches 0.5; IoU 4/8.
        "next-gqa-77-2": "The answer is C, shown from 6 to 10 seconds.",  # Right; best segment [6, 8]: IoP .5, IoU .5.
        "next-gqa-77-3": "E 2 - 4",  # Wrong, though found: IoP and IoU 1.
        "next-gqa-77-4": "B",  # Right without an interval: IoP and IoU 0.
    }
    found = scored(dataset, replies)
    assert list(values(found).values()) == [1, 1, 0, 1]
    assert means(found) == {
        "Acc@GQA": 0.5,  # The first two.
        "Acc@QA": 0.75,
        "mIoP": 0.5,  # (.5 + .5 + 1 + 0) / 4
        "IoP@0.3": 0.75,
        "IoP@0.5": 0.75,
        "mIoU": 0.5,
        "IoU@0.3": 0.75,
        "IoU@0.5": 0.75,
    }
    assert round(found.metrics["Acc@QA"]["chance"], 9) == 0.2
