from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from reelgym.errors import RequestError
from reelgym.recipes import proving, tree
from reelgym.recipes.resolve import Resolved, _from_function, replay, resolve


@dataclass(frozen=True, kw_only=True)
class Method:
    name: ClassVar[str] = "method"
    clip_low: float = 0.2
    clip_high: float = 0.2


@dataclass(frozen=True)
class Term:
    part: str = "value"
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Config:
    lr: float = 1e-3
    group_size: int = 8
    kl_coef: float = 0.0
    max_completion_tokens: int = 96
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    stop: tuple[str, ...] = ()
    early_stop: int | None = None
    normalise: bool = True

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise RequestError(f"lr={self.lr} must be above 0")


@dataclass(frozen=True, kw_only=True)
class Run:
    policy: str = "tiny"
    data: str | None = None
    config: Config = field(default_factory=Config)
    algorithm: Method = field(default_factory=Method)
    terms: tuple[Term, ...] = (Term("exact"), Term("order", 0.5))


def toy(policy: str = "tiny", *, steps: int = 100, group_size: int = 4, size: Literal["tiny", "paper"] = "tiny") -> Run:
    """A recipe: lr follows the group size, `steps` is ignored."""
    config = Config(
        lr=1e-3 * group_size / 4, group_size=group_size, max_completion_tokens=2048 if size == "paper" else 96
    )
    return Run(policy=policy, config=config)


def toy_resolve(*overrides: str) -> Resolved:
    given = dict(item.split("=", 1) for item in overrides)
    return _from_function("toy", toy, given)


def _message(*overrides: str) -> str:
    with pytest.raises(RequestError) as caught:
        toy_resolve(*overrides)
    return str(caught.value)


def test_arguments_come_first_and_derived_values_follow() -> None:
    found = toy_resolve("group_size=8")
    assert found.run.config.group_size == 8
    assert found.run.config.lr == 2e-3  # 1e-3 * 8 / 4
    assert found.origins["config.group_size"] == "override"
    assert found.origins["config.lr"] == "derived from group_size"
    assert found.origins["config.kl_coef"] == "default"
    assert toy_resolve().origins["config.group_size"] == "recipe"


def test_fields_of_the_run_are_set_by_dotted_key_or_by_their_last_part() -> None:
    for key in ("config.kl_coef", "kl_coef"):
        found = toy_resolve(f"{key}=0.04")
        assert found.run.config.kl_coef == 0.04
        assert found.origins["config.kl_coef"] == "override"


def test_every_kind_of_value_is_read_by_its_annotation() -> None:
    run = toy_resolve(
        "schedule=cosine", "stop=a,b", "early_stop=3", "normalise=no", "data=none", "terms.1.weight=2"
    ).run
    assert (run.config.schedule, run.config.stop, run.config.early_stop) == ("cosine", ("a", "b"), 3)
    assert (run.config.normalise, run.data, run.terms) == (False, None, (Term("exact"), Term("order", 2.0)))
    assert toy_resolve("early_stop=none").run.config.early_stop is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("num_generations=8", "'group_size'"),
        ("rollout.n=8", "'group_size'"),
        ("learning_rate=1", "'config.lr'"),
        ("max_completion_length=1", "'config.max_completion_tokens'"),
        ("beta=1", "'config.kl_coef'"),
        ("epsilon_high=1", "'algorithm.clip_high'"),
        ("epsilon=1", "'algorithm.clip_low'"),
        ("model_name_or_path=x", "'policy'"),
        ("train_files=x", "'data'"),
        ("config.kl_cof=1", "'config.kl_coef'"),
        ("grop_size=1", "'group_size'"),
    ],
)
def test_an_unknown_setting_names_ours_also_from_other_libraries_words(override: str, message: str) -> None:
    key = override.partition("=")[0]
    expected = f"unknown setting {key!r} of recipe 'toy'; did you mean {message}? `reelgym train toy --show` lists all"
    assert _message(override) == expected


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("group_size=many", "group_size=many is not a whole number"),
        ("group_size=1.5", "group_size=1.5 is not a whole number"),
        ("config.lr=nan", "config.lr=nan is not a number"),
        ("size=papr", "size=papr is not one of tiny, paper; did you mean 'paper'?"),
        ("schedule=cosin", "config.schedule=cosin is not one of constant, linear, cosine; did you mean 'cosine'?"),
        ("normalise=maybe", "config.normalise=maybe is not true or false"),
        ("early_stop=x", "config.early_stop=x is not a whole number or none"),
        ("config.lr=-1", "lr=-1.0 must be above 0"),
        ("config=1", "config: Config is a group of settings; set one of its fields"),
        ("steps=7", "steps=7 changes nothing in recipe 'toy' beside its other settings; leave it out"),
        ("weight=2", "weight could be terms.0.weight or terms.1.weight: give one of them in full"),
    ],
)
def test_a_value_that_does_not_fit_says_what_is_allowed(override: str, message: str) -> None:
    assert _message(override) == message


def test_overrides_must_be_pairs_and_each_key_once() -> None:
    with pytest.raises(RequestError, match=r"^'lr' is not KEY=VALUE: write settings as in lr=1e-4$"):
        resolve("mvp", ["lr"])
    with pytest.raises(RequestError, match=r"^lr is given twice: lr=1 and lr=2; keep one$"):
        resolve("mvp", ["lr=1", "lr=2"])


def test_an_unknown_recipe_and_a_missing_file_are_one_line() -> None:
    with pytest.raises(RequestError, match=r"^unknown recipe 'no_such_recipe'"):
        resolve("no_such_recipe")
    with pytest.raises(RequestError, match=r"^nowhere.py does not exist; a recipe of your own is given as path"):
        resolve("nowhere.py:run")
    with pytest.raises(
        RequestError,
        match=r"^nowhere.json cannot be read: No such file or directory; give RUN/config.json, or a YAML file$",
    ):
        resolve("nowhere.json")


def test_show_lists_every_setting_with_its_value_and_origin() -> None:
    rows = toy_resolve("group_size=8", "kl_coef=0.1").table()
    assert ("config.group_size", "8", "override") in rows
    assert ("config.early_stop", "none", "default") in rows
    assert ("terms.0.part", "exact", "recipe") in rows
    assert [row[0] for row in rows][:3] == ["policy", "data", "config.lr"]


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    text = """
        from reelgym.video.types import FrameSpec
        def spec(fps: float = 2.0, side: int | None = None) -> FrameSpec:
            '''A frozen dataclass of the package stands in for a run.'''
            return FrameSpec(fps=fps, short_side=side)
        """
    path.write_text(textwrap.dedent(text))
    return path


def test_a_recipe_of_ones_own_is_given_as_path_and_function(recipe_file: Path) -> None:
    run = resolve(f"{recipe_file}:spec", ["fps=4", "side=28", "filter=bicubic"]).run
    assert (run.fps, run.short_side, run.filter) == (4.0, 28, "bicubic")
    with pytest.raises(RequestError, match=r"unknown recipe in .*mine.py 'spce'; did you mean 'spec'"):
        resolve(f"{recipe_file}:spce")


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_file_may_name_a_recipe_and_settings(recipe_file: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mine.{suffix}"
    content = {"recipe": f"{recipe_file}:spec", "fps": 4, "size": [28, 56], "stop_seconds": None}
    if suffix == "yaml":
        pytest.importorskip("yaml")
        path.write_text(f"recipe: '{recipe_file}:spec'\nfps: 4\nsize: [28, 56]\nstop_seconds: null\n")
    else:
        path.write_text(json.dumps(content))
    run = resolve(str(path)).run
    assert (run.fps, run.size, run.stop_seconds) == (4.0, (28, 56), None)


@pytest.fixture
def rl_recipe(tmp_path: Path) -> str:
    path = tmp_path / "rl.py"
    text = """
        import numpy as np
        from reelgym.data.messages import Message, Text
        from reelgym.data.sample import Sample
        from reelgym.training.config import Data, RLConfig, RLRun
        from reelgym.recipes.inputs import Later
        loaded = []
        def build(split: str) -> Data:
            loaded.append(split)
            question = (Message("user", (Text("?"),)),)
            sample = Sample(id="1", task="mvp", messages=question, answer=[1], split="train")
            return Data([sample], lambda part: np.zeros((1, 2, 2, 3), np.uint8))
        def rl(policy: str = "tiny", group_size: int = 4, lr: float | None = None) -> RLRun:
            config = RLConfig(group_size=group_size, lr=lr or 1e-4 * group_size, prompts_per_step=8)
            return RLRun(policy=policy, data=Later(build, "train"), config=config)
        def eager(group_size: int = 4, lr: float = 1e-4) -> RLRun:
            return RLRun(policy="tiny", data=build("train"), config=RLConfig(group_size=group_size))
        """
    path.write_text(textwrap.dedent(text))
    return f"{path}:rl"


def _save(run: object, path: Path) -> str:
    from reelgym.training.describe import describe

    path.write_text(json.dumps(describe(run)))
    return str(path)


def test_a_saved_run_replays_to_the_same_settings_and_takes_overrides(rl_recipe: str, tmp_path: Path) -> None:
    first = resolve(rl_recipe, ["group_size=8", "kl_coef=0.1", "algorithm=dapo", "algorithm.clip_high=0.3"])
    assert (first.run.config.group_size, first.run.config.lr, first.run.algorithm.name) == (8, 8e-4, "dapo")
    saved = _save(first.run, tmp_path / "config.json")
    assert resolve(saved).table() == first.table()
    second = resolve(saved, ["group_size=16", "config.kl_coef=0"]).run
    assert (second.config.group_size, second.config.lr) == (16, 16e-4)  # 1e-4 * 16: what is derived follows.
    assert (second.config.kl_coef, second.algorithm.clip_high) == (0.0, 0.3)


def test_a_replay_keeps_what_was_saved_where_the_recipe_has_changed_since(rl_recipe: str, tmp_path: Path) -> None:
    config = json.loads(Path(_save(resolve(rl_recipe).run, tmp_path / "config.json")).read_text())
    config["config"]["max_completion_tokens"] = 77
    config["rubric"]["expression"]["threshold"] = 0.5
    found = replay(config, {"policy": "other"})
    assert (found.run.config.max_completion_tokens, found.run.rubric.expression.threshold) == (77, 0.5)
    assert (found.run.policy, found.origins["config.max_completion_tokens"]) == ("other", "saved run")
    assert replay(config, {"max_completion_tokens": "5"}).run.config.max_completion_tokens == 5


def test_a_replay_on_other_data_or_with_another_method_is_refused(rl_recipe: str, tmp_path: Path) -> None:
    path = Path(_save(resolve(rl_recipe).run, tmp_path / "config.json"))
    for key, part in (("data.digest", "data"), ("algorithm.type", "algorithm")):
        config = json.loads(path.read_text())
        config[part][key.partition(".")[2]] = "X"
        with pytest.raises(
            RequestError, match=rf"^{key} was X in the saved run, recipe '.*' leads to .*: not the same"
        ):
            replay(config)
    with pytest.raises(RequestError, match=r"^this config.json names no recipe"):
        replay({"origin": {}})


def test_describing_a_run_loads_no_data(rl_recipe: str) -> None:
    found = resolve(rl_recipe, ["group_size=8"])
    rows = {row[0]: row[1:] for row in found.table()}
    assert not [key for key in rows if key.startswith(("data.", "origin"))]
    assert rows["data"] == ("build(train)", "recipe")
    assert rows["config.lr"] == ("0.0008", "derived from group_size")
    loaded = vars(found.run.data)["key"][0].__globals__["loaded"]
    assert loaded == []
    assert (len(found.run.data.items), len(found.run.data.digest), loaded) == (1, 64, ["train"])


def test_a_recipe_that_loads_at_once_is_called_only_once(rl_recipe: str) -> None:
    found = resolve(rl_recipe.replace(":rl", ":eager"), ["lr=1", "group_size=8"])
    assert found.run.data.media.__globals__["loaded"] == ["train"]
    assert dict((row[0], row[1]) for row in found.table())["data"].startswith("1 items, digest ")


def test_model_and_policy_are_two_names_of_one_setting() -> None:
    assert toy_resolve("model=other").run.policy == "other"
    assert _message("model=a", "policy=b") == "model=a and policy=b are one setting; keep one"


def test_a_setting_under_two_of_its_names_is_given_twice() -> None:
    assert _message("kl_coef=1", "config.kl_coef=2") == "config.kl_coef is given twice: 1 and 2; keep one"


def test_all_changes_of_a_group_are_validated_together() -> None:
    # Neither change alone would pass: one is checked with the other's final value.
    @dataclass(frozen=True)
    class Interval:
        low: int = 0
        high: int = 1

        def __post_init__(self) -> None:
            if self.low >= self.high:
                raise RequestError("empty")

    # get_type_hints looks annotations up in the module of the class.
    vars(sys.modules[__name__])["Interval"] = Interval
    assert tree.change(Interval(), {"low": 5, "high": 9}) == Interval(5, 9)


def test_puzzles_of_other_settings_are_kept_in_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REELGYM_CACHE", str(tmp_path))
    before = proving.world_folder("mvp-0")
    assert before == proving.world_folder("mvp-0") != proving.world_folder("mvp-1")
    assert before.is_relative_to(tmp_path)
    monkeypatch.setattr(proving, "PUZZLE", replace(proving.PUZZLE, hidden=2))
    assert proving.world_folder("mvp-0") != before


@pytest.mark.parametrize("name", ["mvp", "videop2r_sft"])
def test_a_setting_that_the_others_cannot_do_without_may_be_given_with_them(name: str) -> None:
    """A hub model needs data; leaving data out to see what it changes is no request of the user's."""
    found = resolve(name, ["model=Qwen/Qwen2.5-VL-7B-Instruct", "data=puzzles", "size=7b-80gb"])
    assert found.run.policy == "Qwen/Qwen2.5-VL-7B-Instruct"
    assert "puzzles" in repr(found.run.data)


def test_the_papers_settings_of_videop2r_are_one_epoch_of_its_chains() -> None:
    config = resolve("videop2r_sft", ["model=Qwen/Qwen2.5-VL-7B-Instruct", "data=chains", "size=paper"]).run.config
    # 162,062 chains in steps of 8 x 2.
    assert (config.steps, config.examples_per_step) == (-(-162_062 // 16), 16)
    assert (config.lr, config.weight_decay, config.max_grad_norm, config.lora_rank) == (1e-6, 0.01, 5.0, 0)
