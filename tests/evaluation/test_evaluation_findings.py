"""What stored rows say of probes, of what questions need, and of leaks: each number worked by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from probe_questions import choice, question

from reelgym.data.dataset import Source, read_dataset, write_dataset
from reelgym.errors import RequestError
from reelgym.evaluation import results
from reelgym.evaluation.classes import CLASSES, classify
from reelgym.evaluation.findings import findings
from reelgym.evaluation.floors import benchmark_floors
from reelgym.evaluation.leaks import leaks
from reelgym.evaluation.probed import plain_of, probed, probes_of
from reelgym.evaluation.results import Evaluation, Row
from reelgym.evaluation.subset import dataset_of, export


def row(number: int, value: float, *, chance: float = 0.25, **facets: str) -> Row:
    """Return the row of question `number`, each of a video of its own."""
    return Row(
        id=f"q{number}",
        source=f"full:{number}",
        reply="A",
        parsed=0,
        valid=True,
        value=value,
        parts={},
        chance={"value": chance},
        stop="eos",
        tokens=1,
        facets=dict(facets),
    )


def evaluation(values: Sequence[float], *, probe: str | None = None, model: str = "m", **more: object) -> Evaluation:
    made = Evaluation(
        model=model,
        position_rule="",
        variant="direct",
        probe=probe,
        max_tokens=8,
        rows=tuple(row(number, value) for number, value in enumerate(values)),
    )
    return replace(made, **more)  # type: ignore[arg-type]


PLAIN = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]
BLIND = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
MIXED = [1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0]
NEEDS = ["blind", "semantic", "semantic", "temporal", "blind", "other", "temporal", "temporal"]


def asked(model: str = "m") -> dict[str, Evaluation]:
    """Return one model asked plainly, blind and shuffled."""
    return {
        f"{model}-direct": evaluation(PLAIN, model=model),
        f"{model}-blind": evaluation(BLIND, probe="blind", model=model),
        f"{model}-shuffled": evaluation(MIXED, probe="shuffled_context", model=model),
    }


def test_of_two_results_of_one_model_and_prompt_each_has_the_probes_that_are_its_own() -> None:
    few, many = {"frames": 8}, {"frames": 16, "left_out": "1 of 8"}
    low, high = [0.0] * 8, [1.0] * 8
    two = {
        "a:direct": evaluation(low, settings=few),
        "b:direct": evaluation(high, settings={"frames": 16}),
        "a:direct-blind": evaluation(BLIND, probe="blind", settings=few),
        "b:direct-blind": evaluation(BLIND, probe="blind", settings=many),
        "b:direct-shuffled": evaluation(MIXED, probe="shuffled", settings=many),
    }
    assert {line.name: (line.plain, line.before) for line in probed(two)} == {
        "a:direct-blind": ("a:direct", 0.0),
        "b:direct-blind": ("b:direct", 1.0),
        "b:direct-shuffled": ("b:direct", 1.0),
    }
    # Only b was asked shuffled too: a has no say, and b's own plain replies decide.
    found = classify(two)
    assert found is not None and found.models == ("m (direct)",) and found.counts()["other"] == 0
    # By any other name the settings tell, and where they are alike nobody can.
    renamed = {**two, "x": two["b:direct-blind"]}
    assert plain_of("x", renamed) == "b:direct"
    same = {name: replace(one, settings={}) for name, one in renamed.items()}
    assert plain_of("x", same) == "" and plain_of("a:direct-blind", same) == "a:direct"
    assert list(probes_of("b:direct", renamed)) == ["b:direct-blind", "b:direct-shuffled", "x"]


def test_a_probe_stands_beside_the_plain_score_on_the_questions_it_was_asked() -> None:
    turned = evaluation(PLAIN, probe="option_rotation")
    # The first, fourth and last question have no meaning under it; of the others it loses the second.
    kept = tuple(
        replace(one, value=0.0 if one.id == "q1" else one.value) for one in turned.rows[1:3] + turned.rows[4:7]
    )
    found = probed({"a": evaluation(PLAIN), "a-turned": replace(turned, rows=kept, settings={"left_out": "3 of 8"})})
    (line,) = found
    assert (line.plain, line.rows, line.left_out) == ("a", 5, "3 of 8")
    # Plain: 1, 1, 0, 0, 1 of five; under the probe 0, 1, 0, 0, 1.
    assert line.before == pytest.approx(0.6) and line.score.mean == pytest.approx(0.4)
    assert line.difference is not None and line.difference.mean == pytest.approx(-0.2)
    told = line.to_json()
    assert told["without"] == "" and json.loads(json.dumps(told, allow_nan=False)) == told


def test_a_probe_pairs_with_its_own_model_and_prompt_only() -> None:
    other = evaluation(BLIND, probe="blind", variant="tagged")
    (line,) = probed({"a": evaluation(PLAIN), "b": evaluation(PLAIN, model="n"), "a-blind": other})
    assert (line.plain, line.before, line.difference, line.rows) == ("", None, None, 8)


def test_classes_follow_from_right_blind_right_in_order_and_right_shuffled() -> None:
    found = classify(asked())
    assert found is not None and list(found.of.values()) == NEEDS
    assert found.counts() == {"blind": 2, "semantic": 2, "temporal": 3, "other": 1}
    assert found.guessed == 0.25 and found.unclassed == 0
    # Of the two that are blind the plain reply has one right.
    assert found.scores["m-direct"]["blind"]["mean"] == 0.5 and found.scores["m-direct"]["temporal"]["mean"] == 1.0


def test_several_models_decide_by_more_than_half() -> None:
    three = asked("a") | asked("b") | asked("c")
    three["c-blind"] = evaluation([1.0] * 8, probe="blind", model="c")
    three["b-shuffled"] = evaluation([0.0] * 8, probe="shuffled", model="b")
    found = classify(three)
    assert found is not None and list(found.of.values()) == NEEDS
    # Of three guessers two or three are right: 3 * 0.25^2 * 0.75 + 0.25^3 = 0.15625.
    assert found.guessed == pytest.approx(0.15625) and len(found.models) == 3
    three["b-blind"] = three["c-blind"].__class__(**vars(three["c-blind"]) | {"model": "b"})
    found = classify(three)
    assert found is not None and set(found.of.values()) == {"blind"}


def test_one_of_two_is_not_more_than_half() -> None:
    two = asked("a") | asked("b")
    two["b-blind"] = evaluation([0.0] * 8, probe="blind", model="b")
    found = classify(two)
    # Where both were right blind only one is now: the first is semantic then, the fifth was never right in order.
    assert found is not None and list(found.of.values()) == ["semantic", *NEEDS[1:4], "other", *NEEDS[5:]]
    assert found.guessed == 0.25**2


def test_a_model_at_chance_has_no_say() -> None:
    weak = {
        "w-direct": evaluation([1.0, 0, 0, 0, 1.0, 0, 0, 0], model="w"),
        "w-blind": evaluation([1.0] * 8, probe="blind", model="w"),
        "w-shuffled": evaluation([1.0] * 8, probe="shuffled", model="w"),
    }
    assert classify(weak) is None
    found = classify(asked() | weak)
    assert found is not None and found.models == ("m (direct)",) and list(found.of.values()) == NEEDS


def test_a_question_without_every_reply_has_no_class_and_is_counted() -> None:
    some = asked()
    some["m-shuffled"] = replace(some["m-shuffled"], rows=some["m-shuffled"].rows[2:])
    found = classify(some)
    assert found is not None and list(found.of) == [f"q{n}" for n in range(2, 8)] and found.unclassed == 2
    assert classify({name: one for name, one in some.items() if one.probe != "blind"}) is None


bits = st.lists(st.sampled_from([0.0, 1.0]), min_size=12, max_size=12)


@settings(max_examples=40, deadline=None)
@given(bits, bits, bits)
def test_every_question_has_one_class_and_equal_models_change_none(
    plain: list[float], blind: list[float], mixed: list[float]
) -> None:
    def of(model: str) -> dict[str, Evaluation]:
        values = {"plain": plain, "blind": blind, "shuffled": mixed}
        return {
            f"{model}-{name}": evaluation(held, probe=None if name == "plain" else name, model=model)
            for name, held in values.items()
        }

    one, two = classify(of("a")), classify(of("a") | of("b"))
    if one is None:
        assert two is None
        return
    assert two is not None and one.of == two.of and set(one.of.values()) <= set(CLASSES)
    assert sum(one.counts().values()) == 12
    assert one.counts()["blind"] == sum(blind)


def test_graded_scores_are_right_from_half_on_and_state_no_share_by_guessing() -> None:
    some = asked()
    some["m-blind"] = evaluation([0.5, 0.49, *BLIND[2:]], probe="blind")
    found = classify(some)
    assert found is not None and list(found.of.values()) == NEEDS and found.guessed is None


def test_leaks_are_what_beats_chance_by_more_than_its_interval_over_all_and_by_facet() -> None:
    rows = [row(n, float(n < 10), asks="colour" if n < 10 else "order") for n in range(40)]
    floor = evaluation([], variant="none", model="floor:longest_option", rows=tuple(rows))
    found = leaks({"floor-longest_option": floor})
    # Ten of forty are right, as chance has it; all ten that ask for a colour are.
    assert [(one.facet, one.value, one.score, one.chance) for one in found.found] == [("asks", "colour", 1.0, 0.25)]
    assert found.found[0].lift.mean == 0.75 and found.found[0].without == "model" and found.tried == 3


def test_only_what_takes_something_away_can_leak() -> None:
    right = [1.0] * 12
    told = {
        "plain": evaluation(right),
        "blind": evaluation(right, probe="blind"),
        "turned": evaluation(right, probe="option_rotation"),
        "only": evaluation(right, probe="evidence_only"),
        "backwards": evaluation(right, probe="reversed"),
        "masked": evaluation(right, probe="evidence_masked"),
        "fitted": evaluation(right, model="floor:x", variant="none", settings={"fitted": True}),
        "few": evaluation(right[:4], probe="text_only"),
    }
    found = leaks(told)
    assert {one.name: one.without for one in found.found} == {
        "blind": "video",
        "backwards": "order",
        "masked": "evidence",
    }
    assert set(found.passed_over) == {"fitted", "few"}


def test_a_score_at_chance_is_no_leak() -> None:
    assert leaks({"blind": evaluation([1.0, 0.0, 0.0, 0.0] * 10, probe="blind")}).found == ()
    # A third of 36 is above a quarter, by less than about two times sqrt(1/3 * 2/3 / 36) = 0.16.
    assert leaks({"blind": evaluation([1.0, 0.0, 0.0] * 12, probe="blind")}).found == ()
    assert leaks({"blind": evaluation([1.0, 0.0] * 20, probe="blind")}).found != ()


def test_a_floor_chosen_on_other_videos_beats_chance_only_where_answers_lean() -> None:
    def asked_of(answers: str) -> list:
        return [choice(letter, number=n, video=f"full:{n}") for n, letter in enumerate(answers)]

    leaning = benchmark_floors(asked_of("AAAAAAAAAAAAAAABBCC"))
    # Leave a tenth of the videos out, and A is still the letter of the others.
    assert leaning["most_frequent_letter_held_out"].mean().mean == pytest.approx(15 / 19)
    assert not leaning["most_frequent_letter_held_out"].settings["fitted"]
    named = {f"floor-{name}": one for name, one in leaning.items()}
    assert [one.name for one in leaks(named).found] == ["floor-most_frequent_letter_held_out"]
    even = benchmark_floors(asked_of("ABC" * 12))
    assert even["most_frequent_letter"].mean().mean == pytest.approx(1 / 3)
    assert even["most_frequent_letter_held_out"].mean().mean <= 1 / 3
    assert "most_frequent_letter_held_out" not in benchmark_floors([choice("A")])


def test_labelled_questions_have_floors_too() -> None:
    spans = [question("span", [2.0, 4.0], number=n, video=f"full:{n}", task="labelled") for n in range(3)]
    numbers = [question("number", text, number=9 + n, task="labelled") for n, text in enumerate(("3", "3", "4"))]
    low = benchmark_floors([*spans, *numbers], "facet")
    # The window that earns most of 8 seconds in 20 parts: 2.0 to 4.0 s are parts 5 to 10.
    assert low["constant_window"].mean().mean == 1.0 and low["constant_window"].rows[0].reply == "2.000000 - 4.000000"
    assert low["constant_window_held_out"].mean().mean == 1.0
    assert low["whole_video"].mean().mean == pytest.approx(0.25)
    # Three windows, and "3" of three numbers twice.
    assert low["constant_per_type"].mean().mean == pytest.approx(5 / 6)


def test_a_class_is_written_as_a_dataset_with_the_same_ids(tmp_path: Path) -> None:
    samples = [replace(choice(number=n, video=f"full:{n}"), id=f"q{n}") for n in range(8)]
    sources = [
        Source(
            identity=f"full:{n}",
            path=f"{n}.mp4",
            split="test",
            size_bytes=1,
            duration_seconds=8.0,
            height=28,
            width=28,
            frame_rate=2.0,
            codec="h264",
            warnings=(),
        )
        for n in range(8)
    ]
    write_dataset(tmp_path / "whole", samples, sources, (), {"tasks": {}, "seed": 0, "media_root": "/videos"})
    whole = read_dataset(tmp_path / "whole")
    told = {"dataset": whole.digest, "dataset_path": str(whole.path)}
    stored = {name: replace(one, settings=told) for name, one in asked().items()}
    classes = classify(stored)
    assert classes is not None and dataset_of(stored).digest == whole.digest
    export(classes, "temporal", dataset_of(stored), tmp_path / "hard")
    hard = read_dataset(tmp_path / "hard")
    assert [sample.id for sample in hard.samples] == ["q3", "q6", "q7"]
    assert [sample.messages for sample in hard.samples] == [samples[n].messages for n in (3, 6, 7)]
    assert {sample.facets["class"] for sample in hard.samples} == {"temporal"}
    assert [source.identity for source in hard.sources] == ["full:3", "full:6", "full:7"]
    assert hard.manifest["subset"]["of"] == whole.digest and hard.manifest["media_root"] == "/videos"
    export(classes, "all", whole, tmp_path / "all")
    assert [sample.facets["class"] for sample in read_dataset(tmp_path / "all").samples] == NEEDS
    with pytest.raises(RequestError, match="unknown class 'temporl'; did you mean 'temporal'"):
        export(classes, "temporl", whole, tmp_path / "x")
    with pytest.raises(RequestError, match="has changed since it was asked"):
        dataset_of({"a": evaluation(PLAIN, settings=told | {"dataset": "sha256:other"})})
    with pytest.raises(RequestError, match="of 2 datasets"):
        dataset_of(stored | {"b": evaluation(PLAIN, settings=told | {"dataset": "sha256:other"})})


def test_findings_are_plain_data_beside_the_scores(tmp_path: Path) -> None:
    told = findings(asked())
    results.write(tmp_path, asked(), told)
    stored = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert stored["findings"] == json.loads(json.dumps(told)) and set(results.read(tmp_path)) == set(asked())
    assert [line["evaluation" if "evaluation" in line else "name"] for line in told["probes"]] == [
        "m-blind",
        "m-shuffled",
    ]
    assert told["classes"]["counts"]["temporal"] == 3 and told["leaks"]["tried"] == 2
