"""A model of this machine is asked by video, its frames read ahead, its replies kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from evaluation_samples import SPEC, Script, media, sample
from hypothesis import given
from hypothesis import strategies as st
from killed_evaluation import SAMPLES, run

from reelgym.data.messages import Clip, Message, Text
from reelgym.errors import RequestError
from reelgym.evaluation import results
from reelgym.evaluation.local import Local, by_media
from reelgym.evaluation.runner import evaluate
from reelgym.reports.usage import usage_table
from reelgym.rollout.paid import Journal

HERE = Path(__file__).parent


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=30), st.integers(1, 8))
def test_questions_of_the_same_media_stand_side_by_side_and_each_is_asked_once(
    shown: list[tuple[str, int]], size: int
) -> None:
    asked = [
        (str(place), (Message("user", (Clip(video=video, spec=SPEC, times=(float(time),)), Text(str(place)))),))
        for place, (video, time) in enumerate(shown)
    ]
    batches = by_media(asked, size)
    flat = [shown[place] for batch in batches for place in batch]
    assert sorted(place for batch in batches for place in batch) == list(range(len(asked)))
    assert all(0 < len(batch) <= size for batch in batches)
    # Side by side: as many changes of media, and of video, as there are media and videos.
    for key in (lambda one: one, lambda one: one[0]):
        changes = sum(key(a) != key(b) for a, b in pairwise(flat))
        assert changes == max(0, len({key(one) for one in flat}) - 1)
    counts = Counter(shown)
    for batch, following in pairwise(batches):
        # What is in two batches did not fit in one.
        assert shown[batch[-1]] != shown[following[0]] or counts[shown[batch[-1]]] > size


def test_long_clips_are_batched_by_their_pixels_and_one_alone_may_have_more() -> None:
    def shown(frames: int, video: str) -> tuple[str, tuple[Message, ...]]:
        times = tuple(map(float, range(frames)))
        return video, (Message("user", (Clip(video=video, spec=SPEC, times=times), Text("why"))),)

    # A frame has 28 x 28 pixels: 4 + 5 frames are within 9, the next 2 are not, and 10 are so by themselves.
    asked = [shown(4, "a"), shown(5, "b"), shown(2, "c"), shown(10, "d"), shown(10, "d"), shown(1, "e")]
    assert by_media(asked, 8, pixels=9 * 28 * 28) == [[0, 1], [2], [3, 4], [5]]
    assert by_media(asked, 8) == [[0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize(("moment", "batch"), [("before", 0), ("half", 0), ("after", 0), ("half", 2), ("after", 3)])
def test_killed_at_any_moment_and_resumed_it_is_the_evaluation_that_was_never_killed(
    tmp_path: Path, moment: str, batch: int
) -> None:
    journal, asked = tmp_path / "asked.jsonl", tmp_path / "asked.txt"
    command = [sys.executable, str(HERE / "killed_evaluation.py"), str(journal), str(asked), moment, str(batch)]
    paths = os.pathsep.join(path for path in sys.path if path)
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    whole = sum(line.endswith("\n") for line in journal.read_text().splitlines(keepends=True))
    assert whole == batch + (moment == "after")

    asked.unlink()
    resumed = run(journal, asked)
    # Three of one video, then two of each other, in batches of 2: what was kept is not asked again.
    videos = ["full:00", "full:00", "full:00", "full:01", "full:01", "full:02", "full:02"]
    again = asked.read_text().split() if asked.exists() else []
    assert again == videos[sum([2, 1, 2, 2][:whole]) :]
    never = run(tmp_path / "other.jsonl", tmp_path / "other.txt")
    written = [results.write(tmp_path / name, {"a": one}) for name, one in (("x", resumed), ("y", never))]
    told = [json.loads((place / "results.json").read_text())["evaluations"]["a"] for place in written]
    assert resumed.rows == never.rows and len(resumed) == len(SAMPLES)
    assert told[0] | {"seconds": 0} == told[1] | {"seconds": 0}
    assert results.read(tmp_path / "x")["a"].rows == never.rows
    asked.unlink(missing_ok=True)
    assert run(journal, asked).rows == never.rows and not asked.exists()


def test_what_replies_depend_on_is_asked_anew_and_a_line_of_another_form_too(tmp_path: Path) -> None:
    script = Script(lambda messages: ("2, 1", "eos"))

    def calls(weights: str = "script", **how: Any) -> int:
        before = len(script.asked)
        script.fingerprint = lambda: weights  # type: ignore[method-assign]
        with Local(script, script, 2, journal=Journal(tmp_path / "a.jsonl")) as who:  # type: ignore[arg-type]
            found = evaluate(who, SAMPLES[:2], media, **{"variant": "direct", **how})
        assert found.settings["fingerprint"] == {"weights": weights}
        return len(script.asked) - before

    assert (calls(), calls()) == (2, 0)
    assert calls(max_tokens=9) == calls(variant="tagged") == calls(probe="blind") == calls("others") == 2
    assert calls() == calls("others") == 0
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    bent = [line | {"replies": [{"words": "2, 1"}] * 2} for line in lines]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in bent))
    assert (calls(), calls()) == (2, 0)


def test_one_file_of_replies_serves_one_evaluation_at_a_time(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.jsonl"), pytest.raises(RequestError, match="in use by another run"):
        run(tmp_path / "a.jsonl", tmp_path / "asked.txt")


def test_the_next_frames_are_read_while_the_present_ones_are_looked_at() -> None:
    read = threading.Semaphore(0)

    class Waits(Script):
        def encode_all(self, every: Any, media: Any, **how: Any) -> list[Any]:
            read.release()
            return super().encode_all(every, media)

        def sample(self, prompts: Any, **how: Any) -> Any:
            # The first batch's own reading, then the next one's: without a thread the second never comes.
            wanted = 2 if not self.calls else 1
            assert len(self.calls) == 3 or all(read.acquire(timeout=60) for _ in range(wanted))
            return super().sample(prompts, **how)

    script = Waits(lambda messages: ("2, 1", "eos"))
    assert len(evaluate(script, SAMPLES, media, variant="direct", batch=2, sampler=script)) == 7  # type: ignore[arg-type]


def test_a_fault_of_reading_ends_the_evaluation_with_its_own_words() -> None:
    class Broken(Script):
        def encode_all(self, every: Any, media: Any, **how: Any) -> list[Any]:
            if self.asked:
                raise RequestError("clip.mp4 is missing")
            return super().encode_all(every, media)

    script = Broken(lambda messages: ("2, 1", "eos"))
    with pytest.raises(RequestError, match=r"clip\.mp4 is missing"):
        evaluate(script, SAMPLES, media, variant="direct", batch=2, sampler=script)  # type: ignore[arg-type]


def test_what_every_question_took_is_kept_and_summed(tmp_path: Path) -> None:
    script = Script(lambda messages: ("2, 1", "eos"))
    found = evaluate(script, [sample(0), sample(1)], media, variant="direct", sampler=script)  # type: ignore[arg-type]
    # Clips of 3 and 2 frames, 4 images; a prompt of 7 tokens; a reply of 4 letters.
    assert [(row.frames, row.turns, row.prompt_tokens, row.tokens) for row in found.rows] == [(9, 1, 7, 4)] * 2
    assert all(row.seconds > 0 for row in found.rows)
    assert found.seconds == pytest.approx(sum(row.seconds for row in found.rows))
    used = found.usage()
    assert [used[name] for name in ("frames", "turns", "prompt_tokens", "completion_tokens")] == [18, 2, 14, 8]
    back = results.read(results.write(tmp_path, {"direct": found}))["direct"]
    assert back.rows == found.rows and [row.seconds for row in back.rows] == [row.seconds for row in found.rows]
    floor = replace(found, variant="none")
    shown = usage_table({"direct": replace(found, seconds=2.5), "floor-x": floor})
    assert shown is not None and shown.rows == (("Direct", "2", "18", "2", "14", "8", "2.5", "1.250"),)
    assert usage_table({"floor-x": floor}) is None


def test_two_evaluations_at_once_on_one_store_are_each_what_one_alone_is(world_videos: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from reelgym.data.dataset import read_dataset
    from reelgym.synthesis.local import synthesize
    from reelgym.tasks.mvp import MVPConfig
    from reelgym.video import Store

    config = MVPConfig(fps=2.0, frames=6, hidden=2, distractors=2, short_side=28)
    synthesize([world_videos], tmp_path / "set", task="mvp", config=config, per_video=2, workers=1)
    dataset = read_dataset(tmp_path / "set")
    everyone = threading.Barrier(2)

    def opened(store: str) -> tuple[Local, Any]:
        shown = dataset.media(Store(tmp_path / store))
        return Local.load("tiny", shown), shown

    def ask(opened: tuple[Local, Any], others: threading.Barrier | None = None) -> results.Evaluation:
        if others is not None:
            others.wait(timeout=60)
        return evaluate(opened[0], dataset.samples, opened[1], variant="direct", max_tokens=4)

    pair = [opened("store"), opened("store")]
    with ThreadPoolExecutor(2) as pool:
        first, second = (one.result() for one in [pool.submit(ask, each, everyone) for each in pair])
    alone = ask(opened("other"))
    assert first.rows == second.rows == alone.rows
    # All again from the store, frames and features alike.
    assert ask(opened("store")).rows == alone.rows
