from __future__ import annotations

from pathlib import Path

from bench_case import left_out, made, means, prompt, rows, scored, values, video


def row(kind: str, answer: str, candidates: list[str]) -> dict[str, object]:
    return {
        "video": "a.mp4",
        "duration": 10.0,
        "question": f"A question of {kind}?",
        "candidates": candidates,
        "answer": answer,
        "question_type": kind,
    }


def test_from_files_to_m_avg(tmp_path: Path) -> None:
    data, videos = tmp_path / "data" / "json", tmp_path / "videos" / "video"
    animals = ["cat", "black cat", "dog", "cow"]
    held = [row("plotQA", "cat", animals), row("plotQA", "black cat", animals), row("plotQA", "horse", animals)]
    rows(data / "1_plotQA.json", held)
    rows(data / "4_count.json", [row("count", "2", ["1", "2", "3", "4"]), row("count", "4", ["1", "2", "3", "4"])])
    rows(data / "9_summary.json", [{"video": "a.mp4", "scoring_points": []}])  # Needs a judge: not read.
    for task in ("1_plotQA", "4_count"):
        video(videos / task / "a.mp4", seed=len(task))
    dataset = made("mlvu-dev", tmp_path)
    assert left_out(dataset) == [("1_plotQA.json row 3", "its answer 'horse' is none of its 4 options")]
    assert [sample.answer for sample in dataset.samples] == ["A", "B", "B", "D"]
    assert prompt(dataset.samples[2]).startswith("\nA question of count?\nA. 1\nB. 2\n")
    said = ["I see a black cat.", "It is a black cat", "(B", "4"]
    found = scored(dataset, dict(zip([sample.id for sample in dataset.samples], said, strict=True)))
    # "black cat" holds "cat": the longer option is meant. "(B" names B, "4" the text of D.
    assert list(values(found).values()) == [0, 1, 1, 1]
    # plotQA 1/2, count 2/2: M-avg 0.75, and 3/4 of rows.
    assert means(found) == {"M-avg": 0.75, "accuracy": 0.75}
