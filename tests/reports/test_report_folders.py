from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import page_book
import page_example
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reelgym.data.dataset import Dataset, read_dataset
from reelgym.errors import RequestError
from reelgym.evaluation import results
from reelgym.evaluation.runner import grade
from reelgym.reports.report import report
from reelgym.synthesis.local import synthesize
from reelgym.video import write_mp4

PROBES = ("blind", "shuffled_context")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of puzzles cut from two rendered videos of 30 s."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "videos").mkdir()
    for number in range(2):
        frames = (np.repeat(np.repeat(page_example.frame(t / 6, 20 * number, 28), 4, 0), 4, 1) for t in range(120))
        write_mp4(str(folder / "videos" / f"{number}.mp4"), frames, 4)
    settings = {"frames": 6, "hidden": 2, "distractors": 2, "short_side": 28, "gap": 0.001, "margin": 0}
    synthesize([folder / "videos"], folder / "data", config=settings, per_video=2, workers=1, split="test")
    return folder / "data"


def answer(dataset: Dataset, choose: Callable[[list[int]], list[int]]) -> results.Evaluation:
    rows = [grade(s, f"<answer>{choose(list(s.answer))}</answer>", tokens=5) for s in dataset.samples]
    return results.Evaluation(
        model="m", position_rule="qwen", variant="tagged", probe=None, max_tokens=9, rows=tuple(rows)
    )


def test_a_dataset_shows_its_puzzles_chance_and_shortcuts(dataset: Path, tmp_path: Path) -> None:
    html = report(dataset, tmp_path / "page.html").read_text("utf-8")
    found = read_dataset(dataset)
    assert html.count('<article class="puzzle') == len(found.samples) > 1
    assert html.count("data:image/jpeg") == sum(4 + 4 for _ in found.samples)
    assert "order_by_similarity" in html and found.digest in html and "Nobody has answered" in html


def test_a_dataset_whose_videos_are_gone_still_has_a_page(dataset: Path, tmp_path: Path) -> None:
    moved = tmp_path / "data"
    moved.mkdir()
    for file in dataset.iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((moved / "dataset.json").read_text())
    (moved / "dataset.json").write_text(json.dumps(manifest | {"media_root": str(tmp_path / "gone")}))
    html = report(moved).read_text("utf-8")
    assert "data:image/jpeg" not in html and "is missing" in html and "shortcuts were not tried" in html


def test_an_evaluation_shows_replies_beside_their_puzzles(dataset: Path, tmp_path: Path) -> None:
    found = read_dataset(dataset)
    before = replace(
        answer(found, lambda right: right[::-1]), settings={"dataset": found.digest, "dataset_path": str(dataset)}
    )
    after = replace(answer(found, list), settings={"dataset": found.digest, "dataset_path": str(dataset)})
    results.write(tmp_path, {"before": before, "after": after, "blind": replace(before, probe="blind")})
    html = report(tmp_path).read_text("utf-8")
    assert "score rose from" in html and "All evaluations" in html
    book = page_book.read(html)
    assert len(book.items) == len(found.samples) == book.count("models", "they disagree") and book.frames
    for sample in found.samples:
        said = book.item(sample.id)
        pictures = re.findall(r'data-frame="(.*?)"', said)
        assert len(pictures) >= 4 + 4 and set(pictures) <= set(book.frames)
        assert said.index("<b>after</b>") < said.index("<b>before</b>") < said.index("m, blind")


def test_an_evaluation_without_its_dataset_shows_replies_and_says_what_is_missing(
    dataset: Path, tmp_path: Path
) -> None:
    results.write(tmp_path, {"main": answer(read_dataset(dataset), list)})
    html = report(tmp_path).read_text("utf-8")
    assert "do not say where their dataset is" in html and "scores 100.0%" in html
    assert page_book.read(report(tmp_path, dataset=dataset).read_text("utf-8")).frames


def test_frames_of_a_dataset_that_has_changed_are_not_shown(dataset: Path, tmp_path: Path) -> None:
    other = {"dataset": "sha256:other", "dataset_path": str(dataset)}
    results.write(tmp_path, {"main": replace(answer(read_dataset(dataset), list), settings=other)})
    html = report(tmp_path).read_text("utf-8")
    assert not page_book.read(html).frames and "has changed since" in html


def test_the_better_prompt_leads_and_its_own_blind_probe_stands_beside_it(dataset: Path, tmp_path: Path) -> None:
    found = read_dataset(dataset)
    good, bad = answer(found, list), replace(answer(found, lambda right: right[::-1]), variant="direct")
    blind = replace(bad, variant="tagged", probe="blind")
    results.write(
        tmp_path,
        {
            "direct": bad,
            "tagged": good,
            "direct-blind": replace(good, variant="direct", probe="blind"),
            "tagged-blind": blind,
        },
    )
    html = report(tmp_path).read_text("utf-8")
    assert "scores 100.0%" in html
    row = html.split('data-label="Blind"')[1].split("</td>")[0]
    assert f"{blind.mean().mean:.1%}" in row and "blind: every frame grey" in html


def run_folder(folder: Path, dataset: Path) -> Path:
    sample = read_dataset(dataset).samples[0]
    folder.mkdir()
    origin = {"recipe": "mvp", "settings": {}, "datasets": [str(dataset)]}
    (folder / "config.json").write_text(json.dumps({"type": "RLRun", "policy": "tiny", "origin": origin}))
    (folder / "versions.json").write_text(json.dumps({"torch": "2.13", "commit": "abc"}))
    lines = [json.dumps({"step": s, "rewards/score": s / 10, "eval/accuracy": 0.5}) for s in range(1, 4)]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 4, "rew')
    right = ", ".join(map(str, sample.answer))
    rows = [
        {
            "step": 2,
            "sample": sample.id,
            "member": member,
            "text": f"<think>t</think><answer>{text}</answer>",
            "stop": "eos",
            "segments": [{"name": "think", "start": 0, "stop": 2}, {"name": "answer", "start": 2, "stop": 4}],
            "rewards": json.dumps(
                {"accuracy": {"answer": score}, "hint": {"completion": None}, "score": {"think": 0.25, "answer": score}}
            ),
            "advantages": [sign, sign, sign * (1 + member), sign],
        }
        for member, (text, score, sign) in enumerate([(right, 1.0, 0.7), ("nothing", 0.0, -0.7)])
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "rollouts-000002.parquet")
    return folder


def test_a_run_shows_its_curves_and_rollouts_term_by_term(dataset: Path, tmp_path: Path) -> None:
    html = report(run_folder(tmp_path / "run", dataset)).read_text("utf-8")
    assert "mvp: 3 steps of training" in html and "Reward in training" in html
    assert "Step 2, rollout 1 of 2" in html and "+0.70" in html and "\u22120.70" in html
    assert "no answer could be read" in html and 'data-solved="solved"' in html
    credit = re.findall(r"<tr>(.*?)</tr>", html.split('class="credit"')[1].split("</table>")[0])
    head, think, answered = (re.sub(r"<[^>]+>", " ", row).split() for row in credit)
    # The reward `hint` applied to nothing; advantages stand beside what they were made of, tokens first.
    assert head == ["Segment", "Tokens", "accuracy", "score", "Advantage"]
    assert think == ["think", "2", "&ndash;", "0.25", "+0.70"] and answered == ["answer", "2", "1.00", "1.00", "+0.70"]
    assert "\u22121.05" in html.split('class="credit"')[2].split("</table>")[0]
    assert "data:image/jpeg" in html and "<dd>abc</dd>" in html


def test_a_run_whose_dataset_is_gone_does_not_call_its_replies_unreadable(dataset: Path, tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", dataset)
    config = json.loads((folder / "config.json").read_text())
    config["origin"]["datasets"] = [str(tmp_path / "gone")]
    (folder / "config.json").write_text(json.dumps(config))
    html = report(folder).read_text("utf-8")
    assert "no answer could be read" not in html and "Frames and right answers are left out" in html
    assert "data:image/jpeg" in report(folder, dataset=dataset).read_text("utf-8")
    config["origin"]["datasets"].append(str(dataset))  # Of several datasets, those that are there are shown.
    (folder / "config.json").write_text(json.dumps(config))
    html = report(folder).read_text("utf-8")
    assert "data:image/jpeg" in html and "Frames and right answers are left out" in html


def test_a_run_that_names_no_dataset_says_so(dataset: Path, tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", dataset)
    (folder / "config.json").write_text(json.dumps({"type": "RLRun", "origin": {"datasets": []}}))
    assert "do not say where their dataset is" in report(folder).read_text("utf-8")


def demo_folder(folder: Path, dataset: Path) -> Path:
    for split in ("train", "test"):
        shutil.copytree(dataset, folder / "world" / split / "puzzles")
    run_folder(folder / "run", dataset)
    found = read_dataset(dataset)
    good, bad = answer(found, list), answer(found, lambda right: right[::-1])
    floor = replace(bad, variant="none", model="floor:x", rows=tuple(replace(row, tokens=0) for row in bad.rows))
    named = {"before": bad, "before_direct": replace(bad, variant="direct")}
    named |= {f"{when}_{probe}": replace(bad, probe=probe) for when in ("before", "after") for probe in PROBES}
    results.write(folder / "eval", named | {"order_by_similarity": floor, "context_free": floor, "after": good})
    numbers = {"blind_interval": [0.1, 0.2], "chance": 0.15, "shuffled_after": 0.3, "videos": 2, "seconds": 200.0}
    numbers |= {"before": 0.2, "after": 0.5, "difference": 0.3, "interval": [0.25, 0.35], "blind_after": 0.15}
    (folder / "demo.json").write_text(json.dumps(numbers | {"train_puzzles": 7, "steps": 3, "seed": 0}))
    return folder


def other_seed(folder: Path, demo: Path, **changes: object) -> Path:
    folder.mkdir()
    (folder / "demo.json").write_text(json.dumps(json.loads((demo / "demo.json").read_text()) | changes))
    return folder


def test_the_seeds_of_a_demo_stand_one_below_the_other(dataset: Path, tmp_path: Path) -> None:
    first = demo_folder(tmp_path / "demo", dataset)
    others = [other_seed(tmp_path / str(seed), first, seed=seed, after=0.5 + seed / 100) for seed in (1, 2)]
    html = report(first, others=others).read_text("utf-8")
    table = html.split("Every seed, one row each")[1].split("</table>")[0]
    places = [table.index(words) for words in ("seed 0", "50.0%", "seed 1", "51.0%", "seed 2", "52.0%")]
    assert places == sorted(places) and "is of seed 0" in html
    assert "Every seed" not in report(first).read_text("utf-8")


def test_demos_that_are_not_the_same_one_under_other_seeds_are_refused(dataset: Path, tmp_path: Path) -> None:
    first = demo_folder(tmp_path / "demo", dataset)
    longer = other_seed(tmp_path / "longer", first, seed=1, steps=9)
    with pytest.raises(RequestError, match=r"differ in more than their seed: steps 3 and 9"):
        report(first, others=[longer])
    for same in ([first], [other_seed(tmp_path / "again", first)]):
        with pytest.raises(RequestError, match="give one demo of each seed"):
            report(first, others=same)
    with pytest.raises(RequestError, match=r"run is no demo: several folders"):
        report(first / "run", others=[first])
    with pytest.raises(RequestError, match=r"demo.json cannot be read"):
        report(first, others=[tmp_path / "nowhere"])


def test_the_page_of_one_video_says_that_there_is_no_interval(dataset: Path, tmp_path: Path) -> None:
    folder = demo_folder(tmp_path / "demo", dataset)
    numbers = json.loads((folder / "demo.json").read_text())
    (folder / "demo.json").write_text(json.dumps(numbers | {"blind_interval": None}))
    stored = results.read(folder / "eval")
    lone = {name: replace(one, rows=tuple(replace(r, source="v") for r in one.rows)) for name, one in stored.items()}
    results.write(folder / "eval", lone)
    html = report(folder).read_text("utf-8")
    assert (
        "no interval: one video" in html
        and "(one video, so no interval)" in html
        and "nan%" not in html
        and "+nan" not in html
    )


def test_a_demo_is_drawn_from_its_files(dataset: Path, tmp_path: Path) -> None:
    html = report(demo_folder(tmp_path / "demo", dataset)).read_text("utf-8")
    assert "The tiny model&#39;s score rose from" in html and "data:image/jpeg" in html
    puzzle = html.split('<article class="puzzle')[1]
    places = [puzzle.index(f"<b>{label}</b>") for label in ("Before", "After", "Before direct", "Order by similarity")]
    assert places == sorted(places)
    for words in ("Every evaluation", "Reward in training", "held out", "training", "Step 2, rollout 1 of 2"):
        assert words in html


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds none of dataset.json, config.json, results.json"),
        ({"demo.json": "[]"}, "does not hold an object"),
        ({"results.json": '{"format_version": 1, "evaluations": {}}'}, "no evaluation in results.json"),
        ({"config.json": "{"}, "cannot be read"),
        ({"config.json": "{}", "rollouts-000001.parquet": "PAR1"}, "the rollouts cannot be read"),
        ({"dataset.json": "{"}, "damaged"),
    ],
)
def test_a_folder_of_another_kind_or_damaged_is_one_clear_line(
    files: dict[str, str], words: str, tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(RequestError, match=words):
        report(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="nowhere does not exist"):
        report(tmp_path / "nowhere")
