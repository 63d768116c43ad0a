from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluation_samples import Script, media, sample

from reelgym import tasks
from reelgym.data.messages import GREY, Clip, Text
from reelgym.errors import RequestError, WorkError
from reelgym.evaluation.compare import compare
from reelgym.evaluation.results import Evaluation, Row, read, write
from reelgym.evaluation.runner import evaluate, floors, grade
from reelgym.scoring import Score, ordered_chance

CHANCE = ordered_chance(2, 4)


def asked(messages: tuple) -> str:
    return messages[-1].parts[-1].text


def evaluation(replies: list[str], **changes: object) -> Evaluation:
    rows = tuple(grade(sample(i), reply) for i, reply in enumerate(replies))
    fields = {"model": "m", "position_rule": "qwen", "variant": "tagged", "probe": None, "max_tokens": 8}
    return Evaluation(rows=rows, **(fields | changes))  # type: ignore[arg-type]


def test_replies_are_asked_greedily_in_batches_and_scored_in_order() -> None:
    script = Script(lambda messages: ("<think>t</think><answer>2, 1</answer>", "eos"))
    done: list[tuple[int, int]] = []
    found = evaluate(
        script,  # type: ignore[arg-type]
        [sample(i, answer=(2, 1) if i % 2 else (1, 2)) for i in range(5)],
        media,
        variant="tagged",
        max_tokens=17,
        batch=2,
        sampler=script,  # type: ignore[arg-type]
        progress=lambda *counts: done.append(counts),
    )
    assert [row.number("exact") for row in found.rows] == [0.0, 1.0, 0.0, 1.0, 0.0]
    assert [(count, n, params.temperature, params.max_tokens) for count, n, params, _ in script.calls] == [
        (2, 1, 0.0, 17),
        (2, 1, 0.0, 17),
        (1, 1, 0.0, 17),
    ]
    assert done == [(2, 5), (4, 5), (5, 5)]
    assert found.position_rule == "qwen" and found.variant == "tagged" and found.rows[0].tokens == 37
    assert [row.source for row in found.rows] == ["full:00", "full:01", "full:02", "full:03", "full:00"]


def test_the_instruction_of_the_variant_is_shown() -> None:
    script = Script(lambda messages: ("2, 1", "eos"))
    for variant in ("direct", "tagged"):
        evaluate(script, [sample(0)], media, variant=variant, sampler=script)  # type: ignore[arg-type]
    direct, tagged = (asked(messages) for messages in script.asked)
    assert "<observation>" in tagged and "<observation>" not in direct


def test_a_probe_changes_what_is_shown_and_not_what_is_right() -> None:
    script = Script(lambda messages: ("2, 1", "eos"))
    found = evaluate(script, [sample(0)], media, variant="direct", probe="blind", sampler=script)  # type: ignore[arg-type]
    shown = [part for part in script.asked[0][0].parts if not isinstance(part, Text)]
    assert {part.video for part in shown} == {GREY}
    assert found.rows[0].source == "full:00" and found.rows[0].value == 1.0 and found.probe == "blind"


def test_what_cannot_be_asked_is_refused() -> None:
    script = Script(lambda messages: ("", "eos"))
    for samples, changes, words in (
        ([], {}, "0 samples"),
        ([sample(0), sample(0)], {}, "each id once"),
        ([sample(0)], {"probe": "blnd"}, "did you mean 'blind'"),
        ([sample(0)], {"variant": "tged"}, "did you mean 'tagged'"),
    ):
        with pytest.raises(RequestError, match=words):
            evaluate(script, samples, media, **({"variant": "direct", "sampler": script} | changes))  # type: ignore[arg-type]


def test_an_unreadable_reply_scores_zero_in_every_part_and_is_counted() -> None:
    found = evaluation(["2, 1", "a cat", "2, 2"])
    assert found.mean("invalid").mean == pytest.approx(2 / 3)
    for part in found.parts():
        assert found.mean(part).rows == 3
        assert found.mean(part).mean == pytest.approx(1 / 3)


def test_a_reply_at_the_cap_is_counted_as_cut_off() -> None:
    script = Script(lambda messages: ("<think>so", "length"))
    found = evaluate(script, [sample(0), sample(1)], media, variant="tagged", sampler=script)  # type: ignore[arg-type]
    assert found.mean("cut_off").mean == 1.0


def test_corrected_is_zero_at_chance_one_at_perfect_and_negative_below() -> None:
    # selection has chance K / (K + l) = 1/2: one of two right is chance, none right is (0 - 1/2) / (1 - 1/2) = -1.
    for reply, wanted in (("2, 1", 1.0), ("2, 3", 0.0), ("3, 4", -1.0)):
        corrected = evaluation([reply] * 4).corrected("selection")
        assert corrected is not None and corrected.mean == pytest.approx(wanted)
    assert evaluation(["2, 1"]).chance("value") == pytest.approx(CHANCE["two_part"])
    assert evaluation(["2, 1"]).corrected("invalid") is None


def test_a_part_that_only_some_rows_have_averages_over_those() -> None:
    found = evaluation(["2, 1", "2, 1"])
    rows = (found.rows[0], replace(found.rows[1], parts={"exact": 1.0}))
    mixed = replace(found, rows=rows)
    assert mixed.mean("order").rows == 1 and mixed.mean("exact").rows == 2
    assert math.isnan(mixed.numbers("order")[1])
    with pytest.raises(RequestError, match="no row has the part 'colour'; there are value, exact"):
        mixed.mean("colour")


def test_results_come_back_as_they_were_written(tmp_path: Path) -> None:
    stored = {
        "plain": evaluation(["2, 1", "a \u00e9 cat"], settings={"digest": "d"}),
        "blind": evaluation(["1, 2", ""]),
    }
    write(tmp_path / "eval", stored)
    assert read(tmp_path / "eval") == stored
    files = sorted(path.name for path in (tmp_path / "eval").iterdir())
    assert files == ["replies-blind.parquet", "replies-plain.parquet", "results.json"]
    results = json.loads((tmp_path / "eval" / "results.json").read_text())
    value = results["evaluations"]["plain"]["scores"]["value"]
    assert value["mean"] == 0.5 and value["chance"] == pytest.approx(CHANCE["two_part"])
    assert results["evaluations"]["plain"]["invalid_rate"]["mean"] == 0.5
    assert results["evaluations"]["plain"]["scores"]["exact"]["corrected"]["mean"] == pytest.approx(
        (0.5 - 1 / 12) / (1 - 1 / 12)
    )


def test_results_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"holds no evaluation \(no results.json\)"):
        read(tmp_path)
    place = write(tmp_path / "eval", {"plain": evaluation(["2, 1", "1, 2"])})
    results = json.loads((place / "results.json").read_text())
    (place / "results.json").write_text(json.dumps(results | {"format_version": 99}))
    with pytest.raises(RequestError, match="format version 99; this reelgym reads 1"):
        read(place)
    (place / "results.json").write_text("[1")
    with pytest.raises(RequestError, match="not an evaluation's results"):
        read(place)
    results["evaluations"]["plain"]["rows"] = 3
    (place / "results.json").write_text(json.dumps(results))
    with pytest.raises(RequestError, match=r"holds 2 replies, results\.json says 3"):
        read(place)
    (place / "replies-plain.parquet").write_bytes(b"PAR1")
    with pytest.raises(RequestError, match="the replies cannot be read"):
        read(place)


def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"evaluation name '../x'"):
        write(tmp_path, {"../x": evaluation(["2, 1"])})
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkError, match="could not write the evaluation"):
        write(tmp_path / "file" / "eval", {"plain": evaluation(["2, 1"])})


def test_differences_are_paired_by_id_whatever_the_order() -> None:
    before = evaluation(["1, 2", "1, 2", "cat", "2, 1"])
    after = evaluation(["2, 1", "cat", "2, 1", "2, 1"])
    after = replace(after, rows=after.rows[::-1])
    found = compare(before, after)
    assert found.differences["exact"].mean == 0.5
    assert found.differences["invalid"].mean == 0.0
    assert (found.rows, found.valid_rows) == (4, 2)
    # Readable both times: the first, 1, 2 -> 2, 1, and the last, right twice. "1, 2" has both frames, in wrong order:
    # selection 1, order 0, so 0.5 (0.5 * 1 + 0.5 * 0) = 0.25; the mean gain is (0.75 + 0) / 2.
    assert found.valid_both is not None and found.valid_both.mean == pytest.approx(0.375)
    assert json.loads(json.dumps(found.to_json()))["rows"] == 4


def test_a_task_that_gives_no_parts_to_an_unreadable_reply_loses_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare:
        def score(self, reply: str, given: object) -> Score:
            right = reply == "right"
            return Score(value=float(right), parts={"exact": 1.0} if right else {}, valid=right, parsed=None)

        def chance(self, given: object) -> dict[str, float]:
            return {"exact": 0.25, "value": 0.25}

    monkeypatch.setattr(tasks, "get", lambda name: Bare())
    found = evaluation(["right", "wrong", "wrong", "wrong"])
    assert found.mean("exact").rows == 4 and found.mean("exact").mean == 0.25


def test_nothing_valid_both_times_leaves_that_difference_out() -> None:
    found = compare(evaluation(["cat", "cat"]), evaluation(["2, 1", "2, 1"]))
    assert found.valid_both is None and found.to_json()["valid_both"] is None


def test_other_samples_or_another_position_rule_do_not_compare() -> None:
    three, two = evaluation(["2, 1"] * 3), evaluation(["2, 1"] * 2)
    with pytest.raises(RequestError, match=r"1 only before, 0 only after \(for example mvp-002\)"):
        compare(three, two)
    with pytest.raises(RequestError, match="different position rules"):
        compare(two, replace(two, position_rule="transformers"))
    with pytest.raises(RequestError, match="two replies to sample mvp-000"):
        compare(two, replace(two, rows=(two.rows[0], two.rows[0])))
    assert compare(two, replace(two, position_rule="", model="floor:x")).rows == 2


def test_floors_are_scored_like_replies() -> None:
    samples = [sample(i) for i in range(4)]
    found = floors(samples, media)
    assert set(found) == {"order_by_similarity", "context_free"}
    for index, one in enumerate(samples):
        for name, reply in tasks.get("mvp").baselines(one, media).items():
            assert found[name].rows[index] == grade(one, reply)
    assert all(row.valid for floor in found.values() for row in floor.rows)
    assert found["context_free"].model == "floor:context_free"


def test_numbers_need_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['transformers'] = None\n"
        "import reelgym.evaluation.runner, reelgym.evaluation.compare, reelgym.evaluation.probes\n"
        "import reelgym.evaluation.results, reelgym.scoring.statistics"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": "src", "PATH": ""}, cwd=_root())


def _root() -> Path:
    return Path(__file__).resolve().parents[2]


def test_a_tiny_model_is_asked_for_real() -> None:
    pytest.importorskip("torch")
    from reelgym.models import tiny

    policy = tiny.build("qwen2_5_vl", 0)
    found = evaluate(policy, [sample(0), sample(1)], media, variant="tagged", max_tokens=5, batch=2)
    assert all(row.tokens <= 5 and row.stop in ("eos", "length") for row in found.rows)
    again = evaluate(policy, [sample(0), sample(1)], media, variant="tagged", max_tokens=5, batch=2)
    assert [row.reply for row in again.rows] == [row.reply for row in found.rows]


def test_rows_keep_what_the_scorer_read() -> None:
    row = grade(sample(0), "<answer>[2] -> [1]</answer>", stop="eos", tokens=9)
    assert isinstance(row, Row) and row.parsed == [2, 1] and row.tokens == 9 and row.facets == {"kind": "moving"}
    assert not any(name.endswith("_corrected") for name in [*row.parts, *row.chance])
    assert np.isclose(row.number("two_part"), row.value)
    assert isinstance(sample(0).messages[0].parts[1], Clip)
