from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from bench_case import Verdicts, decided, left_out, made, means, prompt, rows, scored, video

from reelgym.evaluation import benchmarks
from reelgym.evaluation.floors import benchmark_floors
from reelgym.evaluation.metrics import FORMULAS
from reelgym.evaluation.results import Evaluation


def row(vid: str, times: list[float], seconds: list[int], side: int = 28) -> dict[str, object]:
    box = {"xmin": 0, "ymin": 0, "xmax": side, "ymax": 56}
    return {
        "vid": vid,
        "domain": "sports",
        "fps": 2.0,
        "width": 56,
        "height": 56,
        "frame_count": 20,
        "question": "What flies?",
        "chain": "<think>so</think>",
        "object": "ball",
        "answer": "a ball",
        "temporal_question": "When does it fly?",
        "timestamps": times,
        "spatial_question": "Where is it then?",
        "spatial_question_2": "Where is it as it flies?",
        "bboxes": [{"timestamp": second, "frame_index": 2 * second, **box} for second in seconds],
    }


def boxes(*pairs: tuple[int, list[int]]) -> str:
    return json.dumps({str(second): box for second, box in pairs})


def test_from_five_views_to_both_composites(tmp_path: Path) -> None:
    held = [
        row("v", [2.5, 6.0], [3, 4]),
        row("v", [0.0, 10.0], [5]),
        row("v", [4.0, 4.0], [4]),
        row("v", [1.0, 3.0], []),
        row("v", [1.0, 3.0], [2], side=0),
        row("gone", [1.0, 3.0], [2]),
        {"vid": "v", "question": "What flies?"},
    ]
    rows(tmp_path / "data" / "V_STaR_test.json", held)
    video(tmp_path / "videos" / "v.mp4")
    dataset = made("v-star-video", tmp_path)
    file, missing = "V_STaR_test.json", f"its video gone is not in {tmp_path / 'videos'}"
    assert left_out(dataset) == [
        (f"{file} row 3", "its interval from 4 to 4 s needs 0 <= start < end"),
        (f"{file} row 4", "has no boxes"),
        (f"{file} row 5", "one of its boxes has no area"),
        (f"{file} row 7", "lacks frame_count, fps, width, height, timestamps, bboxes"),
        *[(f"{file} row 6", missing)] * 5,
    ]
    asked = {sample.id.removeprefix("v-star-video-V_STaR_test-"): prompt(sample) for sample in dataset.samples}
    assert asked["1-what"] == "\nWhat flies?\nAnswer in a few words."
    assert asked["1-when"].startswith("\nThe video is 10.0 seconds long. When does it fly?\nAnswer with its start")
    assert asked["1-where"].startswith("\nWhere is it then? Asked for is every whole second from 3 to 6.\n")
    assert asked["1-where-first"].startswith("\nWhere is it as it flies? Asked for are 2 whole seconds: ")
    # The times are no longer told, the boxes are: the left half of the picture, twice.
    assert "without their times: [0, 0, 500, 1000]; [0, 0, 500, 1000]." in asked["1-when-last"]
    whole, half = [0, 0, 1000, 1000], [0, 0, 500, 1000]
    replies = {
        "1-what": "a ball",
        "1-when": "2.5 - 6",
        "1-where": boxes((3, half), (4, whole)),  # 1 and 0.5.
        "1-where-first": boxes((3, half)),  # 1 and none.
        "1-when-last": "From 2.5 to 9.5 s.",  # 3.5 of 7.
        "2-what": "a bird",
        "2-when": "0 - 5",  # 5 of 10.
        "2-where": "I see no box",
        "2-where-first": boxes((5, half)),
        "2-when-last": "5 - 0",  # Runs backwards: no answer.
    }
    found = scored(dataset, {f"v-star-video-V_STaR_test-{name}": reply for name, reply in replies.items()})
    judge = Verdicts(lambda text: False)
    found = decided(dataset, found, judge)
    assert judge.asked == ["a bird"]
    chains = [(0.5, 0.75, 0.375), (0.5, 0.25, 0.75)]  # Accuracy, tIoU and vIoU of each chain.
    log = [-sum(math.log(1 - part) for part in chain) / 3 for chain in chains]
    assert means(found) == {
        "mAM": round(sum(map(sum, chains)) / 6, 4),
        "mLGM": round(sum(log) / 2, 4),
        "what": 0.5,
        "tIoU, chain 1": 0.75,  # (1 + 1/2) / 2
        "vIoU, chain 1": 0.375,  # (3/4 + 0) / 2
        "vIoU, chain 2": 0.75,  # (1/2 + 1) / 2
        "tIoU, chain 2": 0.25,  # (1/2 + 0) / 2
        "R1@0.5, chain 1": 1.0,
        "AP@0.5, chain 1": 0.5,  # Both seconds of the first reach 0.5.
        "all three, chain 1": 0.5,
        "all three, chain 2": 0.5,
        "judge failed": 0.0,
    }
    # The whole picture covers each box twice over; the whole video is the second interval and 3.5 tenths of the first.
    low = benchmark_floors(dataset.samples, "duration")
    assert {row.value for row in low["whole_picture"].rows} == {0.5}
    assert [row.value for row in low["whole_video"].rows] == pytest.approx([0.35, 0.35, 1, 1])


PUBLISHED = {
    # Model: accuracy, tIoU and vIoU of chain 1, of chain 2; mAM and mLGM as printed (arXiv 2510.20579, table 1).
    "GPT-4o": ((60.8, 16.7, 6.5, 12.8, 3.0), (26.8, 38.2)),
    "Gemini-2-Flash": ((53.0, 24.5, 4.6, 23.8, 2.2), (26.9, 35.6)),
    "Qwen2.5-VL-7B": ((33.5, 15.4, 17.0, 13.8, 2.5), (19.3, 22.4)),
    "Open-o3 Video": ((61.0, 24.5, 25.4, 24.0, 6.0), (33.7, 46.6)),
}


@pytest.mark.parametrize("model", PUBLISHED)
def test_the_published_rows_follow_from_their_components(model: str) -> None:
    components, composites = PUBLISHED[model]
    metrics = {metric.name: metric for metric in benchmarks.get("v-star-video").metrics}
    shares = {name: {"mean": part / 100} for name, part in zip(metrics["mAM"].of, components, strict=True)}
    nothing = Evaluation(model="", position_rule="", variant="", probe=None, max_tokens=0, rows=())
    for name, printed in zip(("mAM", "mLGM"), composites, strict=True):
        value = FORMULAS[metrics[name].formula](metrics[name], shares, nothing)
        assert value is not None and 100 * value == pytest.approx(printed, abs=0.1)
