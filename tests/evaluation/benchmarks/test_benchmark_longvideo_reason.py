from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench_case import left_out, made, means, prompt, rows, scored, values, video

from reelgym.evaluation import benchmarks
from reelgym.evaluation.questions import partial

FOUR = "Why does he run?\nA. He is late\nB. He is chased\nC. For sport\nD. For fun"


def row(number: int, answer: str, kind: str, name: str = "a.mp4", problem: str = FOUR) -> dict[str, object]:
    asked = {"problem_id": number, "videos": f"longvila_videos/{name}", "problem": problem}
    return asked | {"answer": f"<answer>{answer}</answer>", "problem_type": kind}


def test_from_tagged_answers_to_accuracy(tmp_path: Path) -> None:
    held = [
        row(1, "B", "temporal"),
        row(2, "B", "goal", "b.webm"),  # Lies in the folder of its shard, not in the one that its row names.
        row(3, "D", "goal"),  # A second question on a video is a question of its own.
        row(4, "A", "plot", problem="Why does he run? No options were kept."),
        row(5, "F", "spatial"),
        row(6, "C", "spatial", problem="But would one need more?\nA. Yes\nB. No\nC. It depends"),
    ]
    rows(tmp_path / "data" / "data" / "test-0.parquet", held)
    video(tmp_path / "videos" / "longvila_videos" / "a.mp4")
    video(tmp_path / "b.mp4")
    (tmp_path / "videos" / "longvideo_eval_subset3").mkdir()
    (tmp_path / "b.mp4").rename(tmp_path / "videos" / "longvideo_eval_subset3" / "b.webm")
    dataset = made("longvideo-reason-eval", tmp_path)
    assert left_out(dataset) == [
        ("test-0.parquet row 4", "a choice needs 2 to 26 options, it has 0"),
        ("test-0.parquet row 5", "its answer 'F' is none of its 4 options"),
    ]
    # Up to five published rows have no whole options: a result without them is whole.
    spec = replace(benchmarks.get("longvideo-reason-eval"), questions=6)
    assert partial(spec, dataset) == "" and partial(replace(spec, broken=1), dataset) == "2 left out"
    assert prompt(dataset.samples[0]).endswith("\nD. For fun\nAnswer with the letter of one option.")
    said = {1: "<think>He looks back.</think> <answer>B. He is chased</answer>", 2: "B", 3: "A or D", 6: "It depends"}
    found = scored(dataset, {f"longvideo-reason-eval-{number}": reply for number, reply in said.items()})
    assert list(values(found).values()) == [1, 1, 0, 1]
    # Types: temporal 1, goal 1/2, spatial 1.
    assert means(found) == {"accuracy": 0.75, "mean of types": 0.8333}
    # "A or D" is read neither way; the others are answers and nothing else.
    assert found.mean("read_strictly").mean == 0.75
