"""Labelled records: every row becomes its samples or one line that says why not."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as PILImage
from synthesis_runs import scene

from reelgym import tasks
from reelgym.data.dataset import Dataset, read_dataset
from reelgym.data.messages import Clip, Image, Text
from reelgym.errors import RequestError, WorkError
from reelgym.synthesis.labelled import import_records
from reelgym.synthesis.labelled.record import BadRecord, Draft, options_of
from reelgym.synthesis.labelled.rows import rows
from reelgym.video import Store

RECORDS = Path(__file__).parent / "records"
TABLE = "clip=video,ask=question,right=answer,one=option,two=option,three=option,from=start,to=end"


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    (folder / "deep").mkdir()
    scene(folder / "deep" / "a.mp4", 0)
    scene(folder / "b.mp4", 1)
    PILImage.fromarray(np.random.default_rng(2).integers(0, 256, (56, 84, 3)).astype(np.uint8)).save(folder / "c.png")
    return folder


Make = Callable[..., Dataset]


@pytest.fixture
def make(videos: Path, tmp_path: Path) -> Make:
    """Imports one of the committed files."""

    def call(name: str, **settings: Any) -> Dataset:
        out = tmp_path / f"made-{name}"
        import_records(RECORDS / name, out, videos=videos, workers=1, **settings)
        return read_dataset(out)

    return call


def reasons(dataset: Dataset) -> dict[str, str]:
    return {line["row"]: line["reason"] for line in dataset.quarantine}


def question(dataset: Dataset, place: int) -> str:
    (message,) = dataset.samples[place].messages
    clip, text = message.parts
    assert isinstance(clip, Clip) and isinstance(text, Text)
    return text.text


def test_video_r1_reasoning_records(make: Make) -> None:
    made = make("video_r1_sft.json")
    assert [(s.answer, s.facets["kind"], s.provenance["row"]) for s in made.samples] == [
        ("B", "choice", 1),
        ("4", "number", 2),
        ("blocks", "text", 3),
    ]
    assert question(made, 0) == (
        "\nWhich colour fills the corner first?\nA. red\nB. green\nC. blue\nAnswer with the letter of one option."
    )
    gold = "<think>The corner turns green before the rest.</think><answer>B</answer>"
    assert made.samples[0].evidence["gold"] == gold
    assert tasks.get("labelled").score(gold, made.samples[0]).value == 1.0
    found = reasons(made)
    assert found["4"].startswith("its video ./gone.mp4 is not in ")
    assert made.manifest["counts"]["rows"] == len(made.samples) + len(made.quarantine) == 4
    assert made.manifest["settings"]["reader"] == "video-r1"


def test_video_r1_questions_without_reasoning(make: Make) -> None:
    made = make("video_r1_rl.json")
    assert [s.facets["kind"] for s in made.samples] == ["text", "regression"]
    assert "gold" not in made.samples[0].evidence
    assert reasons(made) == {
        "3": "its answer 'D' is none of its 2 options",
        "4": "problem_type 'drawing' is none of multiple choice, numerical, ocr, free-form, regression",
    }


def test_videop2r_chains_are_taken_apart_or_out_of_the_whole_reply(make: Make) -> None:
    made = make("videop2r_sft.json")
    assert made.manifest["settings"]["reader"] == "videop2r"
    assert [sample.evidence["gold"] for sample in made.samples[:2]] == [
        "<observation>Based on the question, I need to notice the first block.</observation>"
        "<think>Based on the observations, it is the first.</think><answer>A</answer>",
        "<observation>Four rows.</observation><think>I count four.</think><answer>4</answer>",
    ]
    read = made.samples[2]
    assert (read.answer, read.facets["kind"], read.facets["medium"]) == ("EXIT", "ocr", "image")
    assert read.provenance["given"] == {"reward": "1.0", "select": "True", "clean_version": "1"}
    assert not made.quarantine


def test_a_record_about_an_image_shows_that_picture_alone(make: Make, videos: Path, tmp_path: Path) -> None:
    made = make("video_r1_sft.json", max_pixels=56 * 84)
    sample = made.samples[2]
    (message,) = sample.messages
    image, text = message.parts
    assert isinstance(image, Image) and isinstance(text, Text)
    assert text.text == "\nWhat is on the picture?\nAnswer in your own words."
    (source,) = [source for source in made.sources if source.identity == sample.source]
    assert (source.path, source.height, source.width, source.duration_seconds) == ("c.png", 56, 84, 0.0)
    shown = made.media(Store(tmp_path / "store"))(image)
    with PILImage.open(videos / "c.png") as picture:
        assert np.array_equal(shown, np.asarray(picture)[None])
    assert tasks.get("labelled").score("<answer>blocks</answer>", sample).value == 1.0


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"path": "b.mp4"}, "no picture of the forms PNG, JPEG, WEBP, BMP, GIF"),
        ({"data_type": "video"}, "a still picture (PNG), not a video"),
        ({"data_type": "audio"}, "data_type 'audio' is none of video, image"),
        ({"problem": "<image>\nWhat is it?"}, ""),
    ],
)
def test_a_medium_is_what_the_record_says_it_is(
    changed: dict[str, str], reason: str, videos: Path, tmp_path: Path
) -> None:
    plain = {"problem": "What?", "problem_type": "free-form", "solution": "x", "data_type": "image", "path": "c.png"}
    file = tmp_path / "t.json"
    file.write_text(json.dumps([plain, plain | changed]))
    import_records(file, tmp_path / "ds", videos=videos, workers=1)
    made = read_dataset(tmp_path / "ds")
    assert [reason in line["reason"] for line in made.quarantine] == [True] * bool(reason)
    assert len(made.samples) == 1 + (not reason)


def test_videop2r_records_whose_values_are_all_text(make: Make) -> None:
    made = make("videop2r_rl.jsonl")
    (sample,) = made.samples
    assert sample.evidence["options"] == ["the first", "the last"]
    assert sample.evidence["gold"].startswith("<observation>Based on the question, I need to notice the first block")
    assert sample.evidence["gold"].endswith("</think><answer>A</answer>")
    found = reasons(made)
    assert found["3"].startswith("is no JSON (")  # Line 2 is empty and no row.
    assert found["4"] == "its answer 'four' is no number"


def test_llava_video_conversations_give_a_question_per_pair(make: Make) -> None:
    made = make("llava_video.json")
    assert [(s.facets["kind"], s.answer) for s in made.samples] == [
        ("choice", "A"),
        ("text", "Coloured blocks that change four times a second."),
    ]
    assert question(made, 0).startswith(
        "\nWhat fills the picture?\nA. Blocks of colour.\nB. A street.\nAnswer with the"
    )
    assert reasons(made) == {
        "2": "its text holds <|im_end|>, which models read as a token of their own",
        "3": "its conversations are no pairs of a question and an answer",
    }


def test_charades_lines_are_spans_inside_of_their_video(make: Make) -> None:
    made = make("charades.txt")
    assert [s.answer for s in made.samples] == [[2.5, 8.0], [9.0, 12.0]]
    assert made.samples[1].provenance["given_span"] == [9.0, 400.0]
    assert question(made, 0).startswith("\nWhen does this happen: the first block turns dark?\nAnswer with its start")
    assert reasons(made) == {
        "3": "its span starts at 100 s, where the video has ended (12 s)",
        "4": "its span from 8 to 2.5 s is none: it needs 0 <= start < end",
        "5": "is not VIDEO START END##sentence",
    }


def test_a_table_is_read_by_its_map_in_every_file_form(make: Make, videos: Path, tmp_path: Path) -> None:
    made = make("table.csv", columns=TABLE)
    assert [(s.facets["kind"], s.answer) for s in made.samples] == [
        ("choice", "B"),
        ("number", "4"),
        ("span", [1.5, 3.0]),
        ("choice", "B"),
    ]
    assert made.manifest["counts"]["duplicates"] == 1
    assert reasons(made)["6"] == "asks no question"
    assert "lies outside of" in reasons(made)["5"]

    with (RECORDS / "table.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "table.parquet")
    with gzip.open(tmp_path / "table.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in table)
    plain = [row for _, row in rows(RECORDS / "table.csv")]
    assert [row for _, row in rows(tmp_path / "table.parquet")] == plain
    assert [row for _, row in rows(tmp_path / "table.jsonl.gz")] == plain


def test_ids_are_unique_and_stay_when_rows_move(make: Make, videos: Path, tmp_path: Path) -> None:
    first = make("table.csv", columns=TABLE)
    ids = {sample.id: sample.answer for sample in first.samples}
    assert len(ids) == len(first.samples)
    lines = (RECORDS / "table.csv").read_text().splitlines()
    moved = tmp_path / "moved.csv"
    moved.write_text("\n".join([lines[0], lines[3], lines[1], lines[2], "b.mp4,A new one?,4,,,,,,", lines[4]]) + "\n")
    import_records(moved, tmp_path / "moved", videos=videos, columns=TABLE, workers=1)
    again = {sample.id: sample.answer for sample in read_dataset(tmp_path / "moved").samples}
    assert ids.items() <= again.items()
    assert len(again) == 5


def test_the_prompt_names_frames_that_can_be_read(make: Make, tmp_path: Path) -> None:
    made = make("video_r1_rl.json", frames=6, fps=100.0)
    media = made.media(Store(tmp_path / "store"))
    clip = made.samples[0].messages[0].parts[0]
    assert isinstance(clip, Clip)
    # Twelve seconds in six parts of two: the middles are 1, 3, ... 11, each the start of a picture.
    assert clip.times == (1.0, 3.0, 5.0, 7.0, 9.0, 11.0)
    assert media(clip).shape == (6, *(clip.spec.size or ()), 3)


def test_copies_of_a_video_lie_on_one_side(videos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for copy in range(6):
        shutil.copy(videos / "b.mp4", folder / f"{copy}.mp4")
    file = tmp_path / "t.csv"
    file.write_text("v,q,a\n" + "".join(f"{copy}.mp4,What {copy}?,x\n" for copy in range(6)))
    import_records(
        file, tmp_path / "ds", videos=folder, columns="v=video,q=question,a=answer", split_share=0.5, workers=1
    )
    made = read_dataset(tmp_path / "ds")
    assert len(made.samples) == 6
    assert len({sample.split for sample in made.samples}) == len(made.sources) == 1
    assert made.sources[0].path == "0.mp4"


def test_repeating_an_import_says_so_and_other_settings_are_refused(videos: Path, tmp_path: Path) -> None:
    arguments = (RECORDS / "charades.txt", tmp_path / "ds")
    first = import_records(*arguments, videos=videos, workers=1)
    before = {path.name: path.read_bytes() for path in (tmp_path / "ds").iterdir()}
    assert ".import" not in before
    again = import_records(*arguments, videos=videos, workers=1)
    assert (first.fresh, again.fresh, first.digest) == (True, False, again.digest)
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "ds").iterdir()}
    with pytest.raises(RequestError, match=r"was made with other settings \(frames: 16 then, 8 now\)"):
        import_records(*arguments, videos=videos, frames=8, workers=1)


def test_a_resumed_import_looks_at_no_video_twice(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("reelgym.synthesis.labelled.build.write_dataset", stop)
    with pytest.raises(KeyboardInterrupt):
        import_records(RECORDS / "charades.txt", tmp_path / "ds", videos=videos, workers=1)
    monkeypatch.undo()
    told: list[tuple[int, int]] = []
    made = import_records(
        RECORDS / "charades.txt", tmp_path / "ds", videos=videos, workers=1, progress=lambda *at: told.append(at)
    )
    assert told == [(1, 1)]  # Known before anything was opened.
    assert made.counts["samples"] == 2


def test_a_broken_video_costs_a_line_per_row_and_only_that(videos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(videos / "b.mp4", folder / "good.mp4")
    (folder / "bad.mp4").write_text("no video")
    file = tmp_path / "t.csv"
    file.write_text("v,q,a\nbad.mp4,What?,x\ngood.mp4,What?,x\nbad.mp4,Why?,y\n")
    columns = "v=video,q=question,a=answer"
    import_records(file, tmp_path / "ds", videos=folder, columns=columns, workers=1)
    made = read_dataset(tmp_path / "ds")
    assert len(made.samples) == 1
    assert [(line["row"], line["boundary"]) for line in made.quarantine] == [("1", "open"), ("3", "open")]
    file.write_text("v,q,a\nbad.mp4,What?,x\n")
    with pytest.raises(WorkError, match=r"none of 1 rows of .* gave a sample; the first: row 1: .*bad.mp4"):
        import_records(file, tmp_path / "none", videos=folder, columns=columns, workers=1)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"columns": "clip=vidio"}, "unknown field 'vidio'; did you mean 'video'?"),
        ({"columns": "clop=video"}, "unknown column 'clop'; did you mean 'clip'?"),
        ({"columns": "clip=video"}, "names no column for question, an answer: answer, answer_index, or start and end"),
        ({"columns": "clip"}, "--map 'clip': give COLUMN=FIELD"),
        ({"columns": "clip=video,ask=video"}, "is named twice"),
        ({"columns": TABLE, "reader": "charades"}, "--map describes a table, --format says charades: give one"),
        ({"reader": "table"}, "a table needs --map COLUMN=FIELD"),
        ({"reader": "charade"}, "unknown record format 'charade'; did you mean 'charades'?"),
        ({}, "are of no known format (charades, llava-video, table, video-r1, videop2r): say what the columns mean"),
        ({"columns": TABLE, "frames": 1}, "frames=1, fps=2.0: a clip has at least 2 frames"),
    ],
)
def test_a_mistake_is_one_line(settings: dict[str, Any], text: str, videos: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        import_records(RECORDS / "table.csv", tmp_path / "ds", videos=videos, **settings)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ds").exists()


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("no.csv", None, "no such file"),
        ("a.xlsx", b"x", "files that end in .xlsx are not read"),
        ("a.json", b"{", "cannot be read as json"),
        ("a.json", b"[" * 100_000, "cannot be read as json"),
        ("a.json", b"{}", "holds no list of records"),
        ("a.jsonl", b"", "holds no record"),
        ("a.jsonl", b"[1]\n", "holds no record: row 1 is a list, not a record with named fields"),
        ("a.csv", b"a,a\n1,2\n", "two columns have the same name"),
        ("a.csv", b"\xff\xfe", "cannot be read as csv"),
        ("a.parquet", b"PAR1", "cannot be read as parquet"),
        ("a.jsonl.gz", b"no gzip", "cannot be read as jsonl"),
    ],
)
def test_a_file_that_is_none_is_one_line(
    name: str, content: bytes | None, text: str, videos: Path, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RequestError) as caught:
        import_records(tmp_path / name, tmp_path / "ds", videos=videos)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rows_of_a_wrong_length_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a,b\n1,2\n1\n"x\ny",2\n')
    assert list(rows(tmp_path / "t.csv")) == [
        (1, {"a": "1", "b": "2"}),
        (2, "has 1 columns, the header 2"),
        (3, {"a": "x\ny", "b": "2"}),
    ]


@pytest.mark.parametrize("value", [None, "", float("nan"), "[", "[]", '["a", "b"]', "A) a\nB) b", ["(A) a", "(B) b"]])
def test_options_are_read_from_lists_and_text(value: Any) -> None:
    found = options_of(value)
    assert found in ((), ("[",), ("a", "b"))
    assert (found == ("a", "b")) == (value in ('["a", "b"]', "A) a\nB) b", ["(A) a", "(B) b"]))


def test_a_draft_with_equal_options_is_refused() -> None:
    draft = Draft(video="v", question="q", kind="choice", answer="A", options=("Yes", "yes"))
    with pytest.raises(BadRecord, match="two of its options are equal"):
        draft.checked()
