from __future__ import annotations

from pathlib import Path

from bench_case import left_out, made, means, prompt, rows, scored, video


def row(number: int, answer: str, clues: list[list[float]]) -> dict[str, object]:
    return {
        "qid": number,
        "video_uid": "v",
        "question": "What is lost?",
        "answer": "a key",
        "choices": ["a key", "a hat", "a map", "a bag", "a dog"],
        "right_answer": answer,
        "clue_intervals": clues,
        "domain": "Life Record",
        "sub_category": "Travel",
        "duration": 10,
    }


def test_from_three_views_to_recovery(tmp_path: Path) -> None:
    held = [
        row(1, "A", [[2, 4]]),
        row(2, "B", [[0, 2], [6, 8]]),
        row(3, "C", [[4, 6]]),
        row(4, "D", [[4, 4]]),
        row(5, "F", [[4, 6]]),
    ]
    rows(tmp_path / "data" / "cgbench_mini.json", held)
    video(tmp_path / "videos" / "v.mp4")
    dataset = made("cg-bench-mini", tmp_path)
    assert left_out(dataset) == [
        ("cgbench_mini.json row 4", "its interval from 4 to 4 s needs 0 <= start < end"),
        ("cgbench_mini.json row 5", "its answer 'F' is none of its 5 options"),
    ]
    assert [sample.id for sample in dataset.samples][:3] == [
        f"cg-bench-mini-1-{view}" for view in ("long", "clue", "ground")
    ]
    clue = dataset.samples[4].messages[0].parts[0].times
    assert all(0 <= time < 2 or 6 <= time < 8 for time in clue) and min(clue) < 2 and max(clue) > 6
    assert prompt(dataset.samples[2]) == (
        "\nWhat is lost?\nWhen is shown what answers this? Answer with start and end in seconds of up to five parts, "
        "like 3.5 - 10; 20 - 25."
    )
    replies = {
        "cg-bench-mini-1-long": "A",
        "cg-bench-mini-1-clue": "A",
        "cg-bench-mini-1-ground": "2 - 4",  # IoU 1: all five thresholds.
        "cg-bench-mini-2-long": "C",
        "cg-bench-mini-2-clue": "B",
        "cg-bench-mini-2-ground": "0 - 2; 4 - 6",  # Shares 2 of 6: IoU 1/3: reaches .1, .2, .3 of five.
        "cg-bench-mini-3-long": "C",
        "cg-bench-mini-3-clue": "C",
        "cg-bench-mini-3-ground": "nowhere",
    }
    found = scored(dataset, replies)
    # Long 2/3, clue 3/3: CRR min(2/3, 1)/1. acc@IoU: right and found (1 + 0 + 0)/3 of the five thresholds.
    assert means(found) == {
        "long accuracy": 0.6667,
        "clue accuracy": 1.0,
        "mIoU": 0.4444,  # (1 + 1/3 + 0) / 3
        "rec@IoU": 0.5333,  # (1 + 3/5 + 0) / 3
        "acc@IoU": 0.3333,
        "CRR": 0.6667,
    }
    assert round(found.metrics["long accuracy"]["chance"], 9) == 0.2
