"""What `train --dry-run` says: memory by part before anything loads, then a few groups, their worth and their time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from reelgym.terminal import Bars, print_json, table

if TYPE_CHECKING:
    from reelgym.training.config import RLRun, SFTRun
    from reelgym.training.estimate import Estimate
    from reelgym.training.rehearsal import Rehearsed

KEPT = 4
"""Checkpoints that stay: the last three and the best."""


def plan(run: SFTRun | RLRun, as_json: bool) -> None:
    """Print what a run would take; write nothing but what caches keep."""
    import torch

    from reelgym.training.config import RLRun

    found: dict[str, Any] = {"steps": run.config.steps, "samples": len(run.data.items)}
    memory = _memory(run)
    found["memory_bytes"] = memory.parts | {"rollout": memory.rollout, "update": memory.update, "peak": memory.peak}
    found["disk_bytes"] = KEPT * memory.checkpoint
    free = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else None
    found["free_bytes"] = free
    if not as_json:
        table("Memory, estimated from shapes", ("part", "size"), memory.rows())
        table("", (), [("memory", _fits(memory, free)), ("checkpoints", f"{found['disk_bytes'] / 2**30:.2f} GiB")])
    if isinstance(run, RLRun):
        with Bars() as bars:
            found |= rolled(run, bars.stage("roll out groups"))
        if not as_json:
            table("Groups rolled out", ("what", "value"), _rows(found))
    if as_json:
        print_json(found)


def rehearsal(run: RLRun, told: Callable[[int, int], None]) -> dict[str, Any]:
    """Return what `rolled` does, and `peak_bytes` of memory, estimated from shapes."""
    return rolled(run, told) | {"peak_bytes": _memory(run).peak}


def memory_line(run: SFTRun | RLRun) -> str:
    """Return the peak of memory, estimated from shapes, and whether it fits: one line."""
    import torch

    memory = _memory(run)
    free = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else None
    name, size = memory.rows()[-1]
    return f"memory, estimated: {name} {size}; {_fits(memory, free)}"


def _memory(run: SFTRun | RLRun) -> Estimate:
    import torch

    from reelgym import models
    from reelgym.training.balance import prompt_tokens
    from reelgym.training.estimate import estimate

    longest = max(prompt_tokens(item.messages) for item in run.data.items)
    return estimate(models.shape_of(run.policy), run, longest, cuda=torch.cuda.is_available())


def _fits(memory: Estimate, free: int | None) -> str:
    if free is None:
        return "no GPU here: it would be trained on the CPU, in float32"
    if memory.peak > free:
        return f"does not fit into the {free / 2**30:.1f} GiB that are free: lower micro_batch_tokens or the caps"
    return f"fits into the {free / 2**30:.1f} GiB that are free"


def rolled(run: RLRun, told: Callable[[int, int], None]) -> dict[str, Any]:
    """Return what a few groups tell of a run: its time in `seconds`, tokens, rewards and advice.

    Args:
        run: What is to be trained.
        told: Called with (groups done, groups in all).
    """
    import torch

    from reelgym import models
    from reelgym.training import weights
    from reelgym.training.rehearsal import rehearse, update_seconds
    from reelgym.training.sampler import make_sampler

    cuda = torch.cuda.is_available()
    half = cuda and run.config.lora_rank > 0
    policy = models.load(run.policy, device="cuda" if cuda else "cpu", dtype=torch.bfloat16 if half else torch.float32)
    weights.prepare(policy, run.config)
    found = rehearse(run, policy, make_sampler(run, policy), told)
    return _priced(run, found, update_seconds(run, policy, found.tokens))


def _priced(run: RLRun, found: Rehearsed, update: float) -> dict[str, Any]:
    from reelgym.training.rehearsal import advice

    config = run.config
    sampling = found.seconds / found.groups * config.prompts_per_step
    step = sampling + update * config.prompts_per_step * config.inner_steps
    met = min(len(run.data.items), config.steps * config.prompts_per_step) * found.sight_seconds
    rollouts = config.steps * config.prompts_per_step * config.group_size
    tokens = {"rollouts": rollouts, "tokens_generated": round(rollouts * found.tokens)}
    seconds: dict[str, Any] = {"seconds_a_step": step, "seconds": step * config.steps + met + found.warm_seconds}
    seconds["seconds_of"] = {
        "sampling": sampling,
        "update": step - sampling,
        "new_prompts": met,
        "warm_up": found.warm_seconds,
    }
    return tokens | seconds | {"rehearsed": asdict(found), "advice": advice(found)}


def _rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    seen, of = found["rehearsed"], found["seconds_of"]
    invalid = "not known" if seen["invalid"] is None else f"{100 * seen['invalid']:.0f} %"
    return [
        ("mean reward", f"{seen['reward']:.3f} ({seen['groups']} groups)"),
        ("mean score", f"{seen['solved']:.3f}"),
        ("invalid replies", invalid),
        ("groups with signal", f"{100 * seen['signal']:.0f} %"),
        ("cut off", f"{100 * seen['truncated']:.0f} %"),
        ("tokens", f"prompt {seen['prompt_tokens']} at most, reply {seen['tokens']:.0f} on average"),
        ("in all", f"{found['steps']} steps, {found['rollouts']:,} rollouts, {found['tokens_generated']:,} tokens"),
        (
            "time of a step",
            f"{found['seconds_a_step']:.2f} s: sampling {of['sampling']:.2f}, update {of['update']:.2f}",
        ),
        ("beside the steps", f"prompts met first {of['new_prompts']:.1f} s in all, warm-up {of['warm_up']:.1f} s once"),
        ("time in all", f"{clock(found['seconds'])} without evaluations and saving"),
        ("advice", found["advice"]),
    ]


def clock(seconds: float) -> str:
    """Return seconds as one reads them: hours from ten minutes on."""
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 3600:.2f} h"
