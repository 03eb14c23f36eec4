"""One decision point for all tests of a module that change nothing in it."""

from collections.abc import Iterator

import pytest

from tests.pdp.decision_point_harness import DecisionPointHarness, deciding


@pytest.fixture(scope="module")
def point(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DecisionPointHarness]:
    with deciding(tmp_path_factory.mktemp("pdp")) as made:
        yield made
