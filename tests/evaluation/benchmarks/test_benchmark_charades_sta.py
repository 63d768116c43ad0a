from __future__ import annotations

from pathlib import Path

from bench_case import left_out, made, means, prompt, rows, scored, values, video

from reelgym.evaluation import benchmarks
from reelgym.evaluation.floors import benchmark_floors
from reelgym.evaluation.metrics import measure


def row(caption: str, timestamp: list[float]) -> dict[str, object]:
    return {"video": "AB1.mp4", "caption": caption, "timestamp": timestamp}


def test_from_files_to_recall(tmp_path: Path) -> None:
    held = [
        row("a person sits.", [0.0, 4.0]),
        row("a person stands.", [5.0, 10.0]),
        row("a person runs.", [2.0, 6.0]),
        row("a person reads.", [0.0, 2.0]),
        row("a person waits.", [6.0, 6.0]),  # It takes no time.
    ]
    rows(tmp_path / "data" / "test-0.parquet", held)
    video(tmp_path / "videos" / "AB1.mp4")  # 10 s.
    dataset = made("charades-sta", tmp_path)
    assert left_out(dataset) == [("test-0.parquet row 5", "its interval from 6 to 6 s needs 0 <= start < end")]
    assert prompt(dataset.samples[0]) == (
        "\nWhen does this happen in the video: a person sits.\nAnswer with its start and end in seconds, like 3.5 - 10."
    )
    said = ["0 - 8", "From 5.0 to 10.0 seconds.", "It starts at 4 s and ends at 8 s.", "the start"]
    found = scored(dataset, dict(zip([sample.id for sample in dataset.samples], said, strict=True)))
    # 4/8; all; [4, 6] of [2, 8]: 2/6; nothing that could be read.
    assert [round(value, 4) for value in values(found).values()] == [0.5, 1, 0.3333, 0]
    assert means(found) == {"mIoU": 0.4583, "R1@0.3": 0.75, "R1@0.5": 0.5, "R1@0.7": 0.25}
    low = benchmark_floors(dataset.samples)
    scores = {name: measure(benchmarks.get("charades-sta"), one)["mIoU"]["mean"] for name, one in low.items()}
    # The whole video: (4 + 5 + 4 + 2) / 10 / 4. The best constant stretch: 0 to 6 s earns (4/6 + 1/10 + 4/6 + 2/6)/4.
    assert round(scores["whole_video"], 4) == 0.375
    assert scores["constant_window"] >= (4 / 6 + 1 / 10 + 4 / 6 + 2 / 6) / 4 - 1e-6
    assert low["constant_window"].settings["fitted"] and not low["whole_video"].settings["fitted"]
