"""Clients that are not ours get tokens that hold, bound as they should be."""

from collections.abc import Iterator

import pytest

from tests.sts.foreign.journeys import JOURNEYS, Journey, go
from tests.sts.foreign.stage import Stage, staged

pytestmark = pytest.mark.world


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("foreign")) as running:
        yield running


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda each: each.id)
def test_a_foreign_client_gets_what_it_came_for(stage: Stage, journey: Journey) -> None:
    go(journey, stage)
