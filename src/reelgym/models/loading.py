"""Policies from names: safetensors only, no code from folders, the network only for hub names."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from safetensors import SafetensorError

from reelgym.errors import RequestError
from reelgym.models import stated, tower
from reelgym.models.base import Policy
from reelgym.models.family import Family
from reelgym.models.patches import Sizing
from reelgym.models.saving import FACTS, quiet
from reelgym.models.tiny import ASSETS, FAMILIES, NAMES, build

Found = TypeVar("Found")

OURS = ("runs", "evals")
"""Folders that our commands write to by default: a name below them is never a hub's."""


def load(
    name: str | Path, *, device: str | torch.device | None = None, dtype: str | torch.dtype | None = None
) -> Policy:
    """Return the policy of a name.

    Args:
        name: `tiny`, `tiny-qwen3`, a folder, a hub name, or a run: `RUN` (its best checkpoint) or `RUN@step-N`.
        device: Where to put it; None: the first GPU, else the CPU.
        dtype: Of its weights; None: bfloat16 on a GPU, float32 on a CPU.

    Raises:
        RequestError: No such model, a family without adapter, special ids that differ from the adapter's, another
            position rule.
    """
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    kind = dtype or (torch.float32 if where.type == "cpu" else torch.bfloat16)
    precision = getattr(torch, kind) if isinstance(kind, str) else kind
    given = str(name)
    if given in NAMES:
        packaged = ASSETS / given
        policy = _open(str(packaged), given, precision) if packaged.is_dir() else build(NAMES[given])
        policy.cold_started = packaged.is_dir()
    else:
        policy = _open(resolve(given), given, precision)
    policy.model.to(device=where, dtype=precision)
    return policy


def resolve(name: str) -> str:
    """Return the folder a name stands for, or the name itself where it is a hub's.

    A run stands for its best checkpoint: the `checkpoint` named in its `checkpoints/best.json`, else the last. The
    model it began from is none of them, even where it scored higher.
    """
    run, _, step = name.partition("@")
    checkpoints = Path(run) / "checkpoints"
    if step:
        if not (checkpoints / step).is_dir():
            raise RequestError(f"no checkpoint {step} in {checkpoints}. There are: {', '.join(_steps(checkpoints))}")
        return str(checkpoints / step)
    if checkpoints.is_dir():
        steps = _steps(checkpoints)
        if not steps:
            raise RequestError(f"the run {run} has no checkpoint yet: train it first")
        best = checkpoints / "best.json"
        chosen = str(json.loads(best.read_text())["checkpoint"]) if best.is_file() else steps[-1]
        return str(checkpoints / (chosen if chosen in steps else steps[-1]))
    if Path(name).is_dir():
        return name
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name):
        _check_hub(name)
        return name
    raise RequestError(
        f"no model {name!r}: give {', '.join(NAMES)}, a folder with config.json, a run, or a hub name such as "
        "Qwen/Qwen2.5-VL-3B-Instruct"
    )


def _check_hub(name: str) -> None:
    """Refuse at once a name of the form OWNER/NAME that no hub can answer, instead of after a hub client's retries.

    Raises:
        RequestError: The owner is a folder here, or one of ours, so a path was meant; or the hub has no address here.
    """
    from huggingface_hub import constants, try_to_load_from_cache

    owner = Path(name).parent
    if owner.is_dir() or owner.name in OURS:
        beside = sorted(path.name for path in owner.iterdir() if path.is_dir())[:8] if owner.is_dir() else []
        there = f"{owner}/ holds {', '.join(beside)}" if beside else f"{owner}/ holds nothing"
        raise RequestError(
            f"no model {name!r}: {there}. Give one of these, or a hub name such as Qwen/Qwen2.5-VL-3B-Instruct "
            "(its owner is no folder here)"
        )
    known = isinstance(try_to_load_from_cache(name, "config.json"), str)
    if known or constants.HF_HUB_OFFLINE or getproxies():
        return
    host = urlsplit(constants.ENDPOINT).hostname or ""
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:
        raise RequestError(
            f"no model {name!r}: there is no such folder here, so it was taken as a hub name, and {host} cannot be "
            f"reached ({error.strerror or error}): give a folder, a run, {', '.join(NAMES)}, or connect"
        ) from error


def place_of(name: str) -> Path | None:
    """Return the folder on this machine where the files of a model lie; None where it is built or not fetched yet.

    Raises:
        RequestError: There is no such model.
    """
    if name in NAMES:
        packaged = ASSETS / name
        return packaged if packaged.is_dir() else None
    folder = resolve(name)
    if Path(folder).is_dir():
        return Path(folder)
    from transformers.utils.hub import cached_file

    try:
        found = cached_file(folder, "config.json")
    except (OSError, ValueError):  # Absent, gated, or no network: loading it tells which.
        return None
    return Path(found).parent if found else None


def shape_of(name: str) -> Any:
    """Return a model's class with its shapes and no weights, on the meta device; its config alone is read.

    Args:
        name: As `load` takes it; an adapter or a run of one stands for its base.

    Raises:
        RequestError: There is no such model, or of no known family.
    """
    if name in NAMES:
        return build(NAMES[name]).model
    folder = resolve(name)
    if (base := _read(Path(folder) / "adapter_config.json").get("base_model_name_or_path")) is not None:
        return shape_of(str(base))
    config = _told(name, lambda: _config(folder))
    if config.model_type not in FAMILIES:
        raise RequestError(
            f"{name} is of type {config.model_type!r}, which has no adapter. Known: {', '.join(FAMILIES)}"
        )
    with torch.device("meta"), quiet():
        return FAMILIES[config.model_type]().model_class()._from_config(config)


def _open(folder: str, source: str, dtype: torch.dtype) -> Policy:
    if (Path(folder) / "adapter_config.json").is_file():
        return _open_adapter(folder, source, dtype)
    config, tokenizer = _told(source, lambda: (_config(folder), _tokenizer(folder)))
    if config.model_type not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise RequestError(f"{source} is of type {config.model_type!r}, which has no adapter. Known: {known}")
    family = FAMILIES[config.model_type]().configured(config)
    _check_pixels(family, config, source)
    _check_ids(family, config, tokenizer, source)
    facts = _check_rule(family, folder, source)
    own = _told(source, lambda: stated.template(folder)) or tokenizer.chat_template
    tokenizer.chat_template = own or (ASSETS / family.template).read_text(encoding="utf-8")
    model = _told(source, lambda: _weights(family, folder, dtype))
    model.name_or_path = source if source in NAMES else folder
    tower.install(model)
    return Policy(
        model=model.eval(),
        tokenizer=tokenizer,
        family=family,
        source=source,
        sizing=_told(source, lambda: _sizing(family, folder, config, source)),
        cold_started=facts.get("cold_started", True),
    )


def _open_adapter(folder: str, source: str, dtype: torch.dtype) -> Policy:
    """Return the base an adapter names, with the adapter on it."""
    base = _read(Path(folder) / "adapter_config.json").get("base_model_name_or_path")
    if not base:
        raise RequestError(f"{source}: its adapter_config.json names no base model: add base_model_name_or_path")
    policy = load(base, device="cpu", dtype=dtype)
    _check_rule(policy.family, folder, source)
    with quiet():
        _told(source, lambda: policy.model.load_adapter(folder))
    return replace(policy, model=policy.model.eval(), source=source, cold_started=True)


def _told(source: str, action: Callable[[], Found]) -> Found:
    """Return what the action returns; whatever transformers finds wrong with the place is told in one line."""
    try:
        return action()
    except RequestError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        taken = "" if Path(source).exists() else " (no such folder here, so it was taken as a hub name)"
        raise RequestError(f"{source} cannot be loaded as a model{taken}: {first}") from error


def _config(folder: str) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, trust_remote_code=False)


def _tokenizer(folder: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


def _weights(family: Family, folder: str, dtype: torch.dtype) -> Any:
    """Return the model; weights that are missing are an error, since transformers would invent them."""
    with quiet():
        model, info = family.model_class().from_pretrained(
            folder, dtype=dtype, use_safetensors=True, output_loading_info=True
        )
    missing = sorted(info["missing_keys"])
    if missing:
        raise RequestError(f"{folder} lacks {len(missing)} weights of its model, among them {missing[0]}")
    return model


def _check_rule(family: Family, folder: str, source: str) -> dict[str, Any]:
    """Return what we once wrote beside the weights, after checking that positions are still computed that way."""
    facts = _read(Path(folder) / FACTS)
    rule = facts.get("position_rule", family.position_rule)
    if rule != family.position_rule:
        raise RequestError(
            f"{source} was trained with positions {rule!r} and this version computes {family.position_rule!r}: "
            "use the version that trained it"
        )
    return facts


def _check_ids(family: Family, config: Any, tokenizer: Any, source: str) -> None:
    """Refuse a tokenizer without the family's special tokens, or whose ids are not those of the config."""
    for token in ("<|im_start|>", family.end_token, family.pad_token, *family.vision_tokens):
        if tokenizer(token, add_special_tokens=False)["input_ids"] != [tokenizer.convert_tokens_to_ids(token)]:
            raise RequestError(f"{source}: its tokenizer has no special token {token}: use the model's own tokenizer")
    for kind in family.kinds:
        token = family.marks[kind]
        there, wanted = tokenizer.convert_tokens_to_ids(token), getattr(config, f"{kind}_token_id")
        if there != wanted:
            raise RequestError(
                f"{source}: {token} is {there} in its tokenizer and {wanted} in its config: "
                "use the tokenizer that the model was trained with"
            )


def _check_pixels(family: Family, config: Any, source: str) -> None:
    form, there = family.pixels, family.config_pixels(config)
    if there != (form.patch, form.merge, form.temporal):
        raise RequestError(
            f"{source}: patch, merge and temporal sizes {there} differ from those of {family.name}, "
            f"{(form.patch, form.merge, form.temporal)}"
        )


def _sizing(family: Family, folder: str, config: Any, source: str) -> Sizing:
    """Return the folder's own pixel limits where it states them; whatever else it states must be as we compute it."""
    found = stated.read(folder)
    wrong = stated.differences(family, found, config.vision_config)
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise RequestError(f"{source}: {wrong[0]}{more}: use the files that the model was published with")
    return family.limits(found)


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _steps(checkpoints: Path) -> list[str]:
    """Return the checkpoints' names, oldest first."""
    found = [path.name for path in checkpoints.glob("step-*") if re.fullmatch(r"step-\d+", path.name)]
    return sorted(found, key=lambda name: int(name.removeprefix("step-")))
