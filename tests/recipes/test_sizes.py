from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reelgym.commands.synth import _sized
from reelgym.errors import RequestError
from reelgym.recipes.mvp import PUZZLES, SIZES
from reelgym.recipes.resolve import resolve
from reelgym.recipes.sizes import RANGES, billions, choose

HUB = "Qwen/Qwen2.5-VL-{}-Instruct"
# Widths and depths of the published config of Qwen2.5-VL-3B.
CONFIG_3B = {
    "text_config": {
        "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16,
        "num_key_value_heads": 2, "vocab_size": 151936,
    },
    "vision_config": {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420},
    "tie_word_embeddings": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "number"),
    [
        (HUB.format("3B"), 3.0), (HUB.format("72B"), 72.0), ("Qwen/Qwen3-VL-8B-Thinking", 8.0), ("tiny", 0.001),
        ("HuggingFaceTB/SmolVLM2-2.2B-Instruct", 2.2), ("Qwen2.5-VL", None), ("my-3bit-model", None),
    ],
)  # fmt: skip
def test_the_size_of_a_hub_model_is_in_its_name(model: str, number: float | None) -> None:
    assert billions(model) == number


def test_a_folder_tells_by_its_config_whatever_it_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "mine-7B"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG_3B))
    # 36 layers of 2 x 2048 x 128 x (16 + 2) + 3 x 2048 x 11008, one embedding of 151936 x 2048, and a tower of
    # 32 layers of 4 x 1280^2 + 3 x 1280 x 3420: 3.71e9 with its head tied.
    assert billions(str(folder)) == pytest.approx(3.71, abs=0.01)
    run, adapter = tmp_path / "run", tmp_path / "adapter"
    for place, held in ((run, {"policy": str(folder)}), (adapter, {})):
        place.mkdir()
        (place / "config.json").write_text(json.dumps(held))
    (adapter / "config.json").rename(adapter / "adapter_config.json")
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(folder)}))
    assert billions(str(run)) == billions(f"{run}@step-5") == billions(str(adapter)) == billions(str(folder))


@pytest.mark.parametrize(
    ("model", "size"),
    [("tiny", "tiny"), (HUB.format("3B"), "3b-24gb"), (HUB.format("7B"), "7b-80gb"), ("unknown/model", "3b-24gb")],
)
def test_auto_takes_the_size_of_the_model_and_says_why(model: str, size: str) -> None:
    found = choose(model)
    assert found.size == size and model in found.reason and size in found.reason
    assert choose(model, size).size == size


@pytest.mark.parametrize(
    ("model", "size", "words"),
    [
        (HUB.format("7B"), "3b-24gb", "size=3b-24gb is for 100M to 4.5B parameters, .*-7B.* has 7B .*: take size=7b"),
        (HUB.format("3B"), "tiny", "take size=3b-24gb"),
        ("tiny", "7b-80gb", "has 1M parameters: take size=tiny"),
        (HUB.format("72B"), "paper", "no size is made for so many"),
        (HUB.format("72B"), "auto", "no size is made for so many"),
        ("tiny", "3b-24g", "did you mean '3b-24gb'"),
    ],
)  # fmt: skip
def test_a_model_outside_the_range_of_a_size_is_one_line_that_names_the_right_one(
    model: str, size: str, words: str
) -> None:
    with pytest.raises(RequestError, match=words):
        choose(model, size)


def test_the_ranges_meet_without_a_gap() -> None:
    chain = [RANGES[name] for name in ("tiny", "3b-24gb", "7b-80gb")]
    assert [one[1] for one in chain[:-1]] == [one[0] for one in chain[1:]]


@pytest.mark.parametrize("recipe", ["mvp", "videop2r", "videop2r_sft", "process_mvp"])
@pytest.mark.parametrize(("model", "size"), [("3B", "3b-24gb"), ("7B", "7b-80gb"), ("7B", "paper")])
def test_every_size_of_every_recipe_for_any_model_is_a_run(recipe: str, model: str, size: str) -> None:
    more = {"videop2r": ["judge_url=http://judge", "judge_model=j"], "process_mvp": ["untried=true"]}
    given = [f"model={HUB.format(model)}", "data=ds", f"size={size}", *more.get(recipe, [])]
    found = resolve(recipe, given).run.config
    assert (found.lora_rank > 0) == (size != "paper") and found.gradient_checkpointing and not found.train_tower


def test_3b_24gb_is_what_was_agreed() -> None:
    found = resolve("mvp", [f"model={HUB.format('3B')}", "data=ds"]).run.config
    assert (found.lora_rank, found.lora_alpha, found.train_tower, found.lr, found.kl_coef) == (32, 64, False, 1e-5, 0)
    assert (found.group_size, found.prompts_per_step, found.temperature, found.sampler) == (8, 8, 1.0, "local")
    assert (found.gradient_checkpointing, found.micro_batch_tokens) == (True, 8192)
    # 512 tokens, and 1,024 where the reply holds an observation.
    direct = resolve("mvp", [f"model={HUB.format('3B')}", "data=ds", "variant=direct"]).run.config
    assert (direct.max_completion_tokens, found.max_completion_tokens) == (512, 1024)
    puzzle = PUZZLES["3b-24gb"]
    assert (puzzle.frames, puzzle.hidden, puzzle.distractors, puzzle.max_pixels) == (16, 3, 3, 128 * 28 * 28)
    assert set(PUZZLES) == set(SIZES)


def test_synth_takes_the_puzzles_of_a_size_beneath_what_is_set() -> None:
    assert _sized("3b-24gb", "mvp", []) == ["frames=16"]
    assert _sized("3b-24gb", "mvp", ["frames=20"]) == [] and _sized(None, "jigsaw", []) == []
    with pytest.raises(RequestError, match=re.escape("--size tiny is for --task mvp, not jigsaw")):
        _sized("tiny", "jigsaw", [])
