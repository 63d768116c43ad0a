"""One small policy of each family for the whole session."""

from __future__ import annotations

import pytest
from sharp_policies import FAMILIES, sharp

from reelgym.models.base import Policy


@pytest.fixture(scope="session", params=FAMILIES)
def policy(request: pytest.FixtureRequest) -> Policy:
    return sharp(request.param)


@pytest.fixture(scope="session")
def qwen() -> Policy:
    return sharp("qwen2_5_vl")
