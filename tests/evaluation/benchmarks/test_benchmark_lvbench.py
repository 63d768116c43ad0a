from __future__ import annotations

from pathlib import Path

from bench_case import left_out, made, means, prompt, rows, scored, values, video


def qa(
    uid: str, answer: str, kinds: list[str], question: str = "Who?\n(A) Ann\n(B) Bo\n(C) Cy\n(D) Di"
) -> dict[str, object]:
    return {"uid": uid, "question": question, "answer": answer, "question_type": kinds, "time_reference": "01:00-02:00"}


def test_from_nested_questions_to_accuracy(tmp_path: Path) -> None:
    held = [
        {
            "key": "one",
            "type": "sports",
            "video_info": {"fps": 30.0},
            "qa": [qa("1", "A", ["entity recognition"]), qa("2", "C", ["reasoning", "event understanding"])],
        },
        {
            "key": "two",
            "type": "cartoon",
            "video_info": {},
            "qa": [qa("3", "B", ["reasoning"]), qa("4", "F", ["reasoning"])],
        },
        {"key": "two", "type": "cartoon", "video_info": {}, "qa": []},
    ]
    rows(tmp_path / "data" / "video_info.meta.jsonl", held)
    for name in ("one", "two"):
        video(tmp_path / "videos" / f"{name}.mp4")
    dataset = made("lvbench", tmp_path)
    assert left_out(dataset) == [
        ("video_info.meta.jsonl row 2", "its answer 'F' is none of its 4 options"),
        ("video_info.meta.jsonl row 3", "holds no questions in 'qa'"),
    ]
    assert prompt(dataset.samples[0]) == "\nWho?\nA. Ann\nB. Bo\nC. Cy\nD. Di\nAnswer with the letter of one option."
    found = scored(dataset, {"lvbench-1": "(A)", "lvbench-2": "", "lvbench-3": "It is Bo, or Cy"})
    # The empty reply and the one that names two options count as wrong: nothing leaves the denominator.
    assert list(values(found).values()) == [1, 0, 0]
    # Types: entity recognition 1, reasoning with event understanding 0, reasoning 0.
    assert means(found) == {"accuracy": 0.3333, "mean of types": 0.3333}
    assert found.mean("invalid").mean == 2 / 3
