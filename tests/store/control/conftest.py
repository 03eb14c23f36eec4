"""The implementations that one suite holds alike."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from answerable.store.control.contract import Control
from answerable.store.control.sqlite import SqliteControl
from tests.store.control.build import NOW

Opens = Callable[[], Control]


@pytest.fixture(params=["sqlite"])
def opens(tmp_path: Path) -> Iterator[Opens]:
    """Opens what is remembered in one place, as often as it is asked to."""
    made: list[Control] = []

    def another() -> Control:
        made.append(SqliteControl(tmp_path / "sts", NOW, "one boot"))
        return made[-1]

    yield another
    for each in made:
        each.close()


@pytest.fixture
def control(opens: Opens) -> Control:
    return opens()
