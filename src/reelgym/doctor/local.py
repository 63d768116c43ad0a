"""A model that runs here: everything between a sample and a step of training, one finding after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from reelgym.doctor import learning, reading, running
from reelgym.doctor.check import FAULTS, Check, guarded
from reelgym.doctor.subject import opened
from reelgym.errors import RequestError
from reelgym.models import attention

if TYPE_CHECKING:
    from reelgym.models.base import Policy
    from reelgym.rollout.base import Sampler


def checks(
    name: str,
    *,
    quick: bool = False,
    sampler: Callable[[Policy], Sampler] | None = None,
    load: Callable[..., Policy] | None = None,
) -> Iterator[Check]:
    """Yield every finding about a model; the work of one is done when it is asked for.

    Args:
        name: As `models.load` takes it.
        quick: Only what takes seconds: no gradients, no step of training.
        sampler: Makes what samples; the local one by default.
        load: Loads the policy; `models.load` by default.

    Raises:
        RequestError: There is no such model.
    """
    try:
        with opened(name, quick=quick, sampler=sampler, load=load) as subject:
            policy = subject.policy
            size = sum(weight.numel() for weight in policy.model.parameters())
            where = f"{str(policy.model.dtype).removeprefix('torch.')} on {policy.device.type}"
            yield Check("model", True, f"{policy.family.name}, {size / 1e6:.4g} million parameters, {where}")
            listed = reading.checks() | running.checks(quick=quick) | ({} if quick else learning.checks())
            if sampler is None and not attention.serves(policy.model):
                listed = reading.checks() | {"stock forward": running.stock_forward}
                told = "recurrent or windowed layers: the local sampler does not serve it, sample with sampler=vllm"
                yield Check("sampler", None, told)
            for label, check in listed.items():
                yield guarded(label, partial(check, subject))
    except RequestError as error:
        if str(error).startswith("no model "):
            raise
        yield Check("model", False, str(error))
    except FAULTS as error:
        yield Check("model", False, f"{type(error).__name__}: {error}".replace("\n", " "))
