from __future__ import annotations

from pathlib import Path

import pytest
from bench_case import left_out, made, means, prompt, rows, scored, video


def row(number: int, duration: int, category: str, right: int) -> dict[str, object]:
    return {
        "id": f"v_{number}",
        "video_path": "v.mp4",
        "duration": 10.0,
        "duration_group": duration,
        "question_category": category,
        "question": "On a bridge, who waves?",
        "correct_choice": right,
        "subtitle_path": "v_en.json",
        "starting_timestamp_for_subtitles": 0,
    }


HELD = [row(1, 15, "S2E", 0), row(2, 15, "T3E", 2), row(3, 3600, "S2E", 4), row(4, 60, "S2E", 3), row(5, 60, "O2E", 1)]
TEXTS = [["Ann", "Bo", "Cy"], ["Ann", "Bo", "Cy"], ["Ann", "Bo", "Cy", "Di", "Ed"], ["Ann", "Bo", "Cy"], ["Ann", "Bo"]]


def padded(texts: list[str]) -> dict[str, str]:
    return {f"option{place}": texts[place] if place < len(texts) else "N/A" for place in range(5)}


@pytest.mark.parametrize("layout", ["list", "padded"])
def test_from_either_layout_to_accuracy(tmp_path: Path, layout: str) -> None:
    pairs = list(zip(HELD, TEXTS, strict=True))
    if layout == "list":
        rows(tmp_path / "data" / "lvb_val.json", [one | {"candidates": texts} for one, texts in pairs])
    else:
        rows(tmp_path / "data" / "validation-00000-of-00001.parquet", [one | padded(texts) for one, texts in pairs])
    video(tmp_path / "videos" / "videos" / "v.mp4")
    dataset = made("longvideobench", tmp_path)
    assert [reason for _, reason in left_out(dataset)] == ["its answer '3' is none of its 3 options"]
    assert [sample.answer for sample in dataset.samples] == ["A", "C", "E", "B"]
    assert prompt(dataset.samples[0]) == (
        "\nOn a bridge, who waves?\nA. Ann\nB. Bo\nC. Cy\nAnswer with the letter of one option."
    )
    said = ["Ann", "", "The correct answer is E. Ed", "A"]
    found = scored(dataset, dict(zip([sample.id for sample in dataset.samples], said, strict=True)))
    # Rows 1, 0, 1, 0. Categories: S2E 2/2, T3E 0, O2E 0. An empty reply is wrong, and draws no letter.
    assert means(found) == {
        "accuracy": 0.5,
        "to 15 s": 0.5,
        "to 60 s": 0.0,
        "to 3600 s": 1.0,
        "mean of categories": 0.3333,
    }
    assert found.mean("invalid").mean == 0.25
    # (1/3 + 1/3 + 1/5 + 1/2) / 4
    assert round(found.metrics["accuracy"]["chance"], 9) == round((2 / 3 + 0.7) / 4, 9)
