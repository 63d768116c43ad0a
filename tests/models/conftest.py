from __future__ import annotations

import pytest

from reelgym.models import tiny
from reelgym.models.base import Policy


@pytest.fixture(scope="session")
def policies() -> dict[str, Policy]:
    return {family: tiny.build(family, seed=0) for family in tiny.FAMILIES}


@pytest.fixture(params=["qwen2_5_vl", "qwen3_vl"])
def policy(request: pytest.FixtureRequest, policies: dict[str, Policy]) -> Policy:
    return policies[request.param]
