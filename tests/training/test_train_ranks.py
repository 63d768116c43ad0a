"""Two ranks take the steps of one: gradients, updates and metrics, whole or sharded, however unequal their shares."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from training_runs import SPEC, load, numbers, question, weights_of

from reelgym.data.messages import Clip, Message, Text
from reelgym.training.balance import prompt_tokens, shares

HERE = Path(__file__).parent
STEP = {"steps": 1, "max_grad_norm": 1e9, "lr": 0.5, "schedule": "constant", "warmup_steps": 0, "weight_decay": 0.0}
"""One step without clipping that moves the weights far."""

LIMIT_SECONDS = 900
"""A rank that waits for ever is a failure; a machine that is busy is not."""


Job = tuple[str, dict[str, Any], Path]


def run(jobs: Sequence[Job], ranks: int) -> None:
    """Do runs one after the other in one launch of so many ranks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = os.environ | {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true",
        "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path]),
    }  # fmt: skip
    told = json.dumps([(kind, settings, str(out)) for kind, settings, out in jobs])
    command = [sys.executable, str(HERE / "rank_work.py"), told]
    names = [{"WORLD_SIZE": str(ranks), "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(ranks)]
    started = [subprocess.Popen(command, env=shared | (name if ranks > 1 else {})) for name in names]
    try:
        assert [rank.wait(timeout=LIMIT_SECONDS) for rank in started] == [0] * ranks
    finally:
        for rank in started:
            rank.kill()


def norm(tensors: dict[str, torch.Tensor]) -> float:
    return float(torch.cat([tensor.double().flatten() for tensor in tensors.values()]).norm())


def part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def assert_same_step(one: Path, other: Path, *, sharded: bool) -> None:
    kept = [load_file(folder / "kept.safetensors") for folder in (one, other)]
    left, right = (part(each, "gradient/") for each in kept)
    assert norm({name: right[name] - value for name, value in left.items()}) < 1e-5 * norm(left)
    spread = {name for name, value in part(kept[1], "sharded/").items() if value}
    assert spread == ({name for name in left if "visual" not in name} if sharded else set())
    load("small").save(one / "begin")
    begin = load_file(one / "begin" / "model.safetensors")
    after = [weights_of(folder, 1) for folder in (one, other)]
    moved = {name: after[0][name] - begin[name] for name in after[0]}
    assert norm(moved) > 0.01 * norm({name: begin[name] for name in moved})
    assert norm({name: after[1][name] - after[0][name] for name in moved}) < 1e-4 * norm(moved)


MIXED = STEP | {"prompts_per_step": 3, "train_tower": True, "max_completion_tokens": 9}
"""Three groups of different lengths: one rank has two of them. Text-only groups stand between shown ones, and the tower
learns: one rank's batch has no video."""

LONELY = STEP | {"prompts_per_step": 1, "steps": 2, "lr": 0.01, "kl_coef": 0.1}
"""One group: one rank has none."""

FORMS = {"copied": {"shard": False}, "sharded": {"shard": True}}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of runs by one rank and by two."""
    folder = tmp_path_factory.mktemp("ranks")
    run([("sgd", MIXED, folder / "mixed"), ("rl", LONELY, folder / "lonely")], 1)
    many = MIXED | {"micro_batch_tokens": 1}
    two: list[Job] = [("sgd", many | form, folder / f"mixed-{name}") for name, form in FORMS.items()]
    run([*two, *(("rl", LONELY | form, folder / f"lonely-{name}") for name, form in FORMS.items())], 2)
    return folder


@pytest.mark.timeout(3 * LIMIT_SECONDS)
@pytest.mark.parametrize("form", FORMS)
def test_two_ranks_with_unequal_groups_take_the_step_of_one(form: str, done: Path) -> None:
    assert_same_step(done / "mixed", done / f"mixed-{form}", sharded=form == "sharded")


@pytest.mark.timeout(3 * LIMIT_SECONDS)
@pytest.mark.parametrize("form", FORMS)
def test_a_rank_without_any_group_keeps_nobody_waiting_and_changes_nothing(form: str, done: Path) -> None:
    for left, right in zip(numbers(done / "lonely"), numbers(done / f"lonely-{form}"), strict=True):
        assert left == pytest.approx(right, rel=1e-3, abs=1e-5)


@pytest.mark.soak
@pytest.mark.skipif("REELGYM_SOAK" not in os.environ, reason="four runs of two ranks; `make soak` runs it")
@pytest.mark.timeout(4 * LIMIT_SECONDS)
def test_a_sharded_run_is_saved_whole_and_goes_on_with_any_number_of_ranks(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"steps": 2, "save_every": 2, "schedule": "constant"}
    names = {"adam": "rl", "sft": "sft", "lora": "rl"}
    lora = {name: {"lora_rank": 2, "kl_coef": 0.1} if name == "lora" else {} for name in names}
    run([(kind, settings | lora[name] | FORMS["sharded"], tmp_path / f"two-{name}") for name, kind in names.items()], 2)
    run([(kind, settings | lora[name], tmp_path / f"one-{name}") for name, kind in names.items()], 1)
    for step, tolerance in ((2, 1e-4), (3, 5e-4)):
        for name in names:
            found = weights_of(tmp_path / f"two-{name}", step)
            for key, value in weights_of(tmp_path / f"one-{name}", step).items():
                torch.testing.assert_close(found[key], value, rtol=1e-3, atol=tolerance)
        more = settings | {"steps": 3}
        run(
            [
                (kind, more | lora[n], tmp_path / f"{ranks}-{n}")
                for n, kind in names.items()
                for ranks in ("one", "two")
            ],
            1,
        )


def test_sharding_needs_ranks(tmp_path: Path) -> None:
    from training_runs import rl_run

    from reelgym.errors import RequestError
    from reelgym.training import rl

    with pytest.raises(RequestError, match="shard=true needs several ranks: start it with `accelerate launch`"):
        rl.train(rl_run(steps=1, shard=True), tmp_path, load=load)


@given(st.lists(st.integers(0, 10_000), max_size=40), st.integers(1, 9))
def test_shares_hold_every_place_once_and_no_rank_has_a_heavy_item_too_many(tokens: list[int], ranks: int) -> None:
    found = shares(tokens, ranks)
    assert sorted(place for places in found for place in places) == list(range(len(tokens)))
    loads = [sum(max(1, tokens[place]) for place in places) for places in found]
    # What the last item of the heaviest rank was put on was the lightest load of all then.
    assert max(loads) - min(loads) <= max([1, *tokens]) or len(tokens) < ranks


def test_the_heaviest_groups_go_to_different_ranks() -> None:
    assert shares([5, 100, 5, 90, 5], 2) == [[1, 4], [0, 2, 3]]


def test_prompt_tokens_count_frames_and_characters() -> None:
    # 7 frames in pairs are 4 steps of 2 x 2 cells of 28 x 28; 4 characters are 2 tokens.
    clip = Clip(video="v", spec=SPEC.resized((56, 56)), times=tuple(map(float, range(7))))
    assert prompt_tokens((Message("user", (Text("abcd"), clip)),)) == 2 + 16
    assert prompt_tokens(question(0)) == 1 + 1 + 1


@pytest.mark.parametrize(("name", "processes", "machines"), [("1-gpu", 1, 1), ("8-gpu", 8, 1), ("2x8-gpu", 16, 2)])
def test_accelerate_reads_the_launch_configs(name: str, processes: int, machines: int, repository: Path) -> None:
    found = load_config_from_file(str(repository / "configs" / "accelerate" / f"{name}.yaml"))
    assert (found.num_processes, found.num_machines, found.use_cpu) == (processes, machines, False)
    assert found.distributed_type == ("NO" if processes == 1 else "MULTI_GPU")
