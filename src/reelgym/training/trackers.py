"""Metrics to TensorBoard, Weights & Biases or what else accelerate knows, beside `metrics.jsonl`, where asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

from reelgym.errors import RequestError, unknown
from reelgym.training.config import TrainConfig

PROJECT = "reelgym"
"""The project's name at a service; files of trackers that write some are in `RUN/reelgym`."""


def check(names: Sequence[str]) -> None:
    """Raise RequestError for the first tracker that accelerate does not know, or whose package is missing."""
    installed = {str(kind) for kind in get_available_trackers()}
    for name in names:
        if name not in LOGGER_TYPE_TO_CLASS:
            raise unknown("tracker", name, LOGGER_TYPE_TO_CLASS)
        if name not in installed:
            raise RequestError(
                f"trackers={','.join(names)}: the package of {name} is not installed: pip install {name}, or leave it "
                "out; metrics.jsonl is always written"
            )


def start(accelerator: Accelerator, config: TrainConfig, folder: Path) -> None:
    """Open the trackers that the config asks for, and tell services the settings of the run."""
    if not config.trackers:
        return
    accelerator.init_trackers(PROJECT, init_kwargs={"wandb": {"name": folder.name, "dir": str(folder)}})
    plain = {name: value for name, value in vars(config).items() if isinstance(value, (bool, int, float, str))}
    for tracker in accelerator.trackers:
        if not tracker.requires_logging_directory:  # Those write beside config.json, which says it all.
            tracker.store_init_configuration(plain)
