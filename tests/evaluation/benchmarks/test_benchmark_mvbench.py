from __future__ import annotations

from pathlib import Path

from bench_case import left_out, made, means, prompt, rows, scored, values, video


def row(name: str, answer: str, **changed: object) -> dict[str, object]:
    return {"video": name, "question": "What is done?", "candidates": ["Open.", "Shut."], "answer": answer} | changed


def test_from_files_to_the_mean_of_tasks(tmp_path: Path) -> None:
    data, videos = tmp_path / "data" / "json", tmp_path / "videos" / "video"
    rows(data / "action_sequence.json", [row("a.mp4", "Shut.", start=1.0, end=4.0), row("a.mp4", "Open.")])
    rows(data / "moving_count.json", [row("a.mp4", "2", candidates=["1", "2", "3"]), row("a.mp4", "9")])
    rows(data / "episodic_reasoning.json", [row("frames", "Open.", start=0.0, end=9.0)])  # A folder of pictures.
    video(videos / "star" / "Charades_v1_480" / "a.mp4", seed=1)
    video(videos / "clevrer" / "video_validation" / "a.mp4", seed=2)
    (videos / "tvqa" / "frames_fps3_hq" / "frames").mkdir(parents=True)
    dataset = made("mvbench", tmp_path)
    assert left_out(dataset) == [
        ("moving_count.json row 2", "its answer '9' is none of its 2 options"),
        ("episodic_reasoning.json row 1", f"its video frames is not in {tmp_path / 'videos'}"),
    ]
    assert len({sample.source for sample in dataset.samples}) == 2  # Equal names, each in its task's own folder.
    assert max(dataset.samples[0].messages[0].parts[0].times) < 4
    assert prompt(dataset.samples[2]).splitlines()[1:5] == ["What is done?", "A. 1", "B. 2", "C. 3"]
    replies = {
        "mvbench-action_sequence-1": "(B) Shut.",
        "mvbench-action_sequence-2": ".",  # An empty reply is wrong, not a match of everything.
        "mvbench-moving_count-1": "A 2 is what I count: 2",  # An article is no option; the text of one is.
    }
    found = scored(dataset, replies)
    assert list(values(found).values()) == [1, 0, 1]
    # Tasks 1/2 and 1/1: their mean is 0.75; over rows 2/3.
    assert means(found) == {"mean of tasks": 0.75, "accuracy": 0.6667}
