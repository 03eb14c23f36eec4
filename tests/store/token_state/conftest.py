"""The implementations that one suite holds alike."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from answerable.store.token_state.interface import TokenState
from answerable.store.token_state.sqlite import SqliteTokenState
from tests.store.token_state.postgres_server import postgres
from tests.store.token_state.sample_rows import NOW

Opens = Callable[[], TokenState]

BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.world)]


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Address of a running PostgreSQL."""
    with postgres() as address:
        yield address


@pytest.fixture
def database(server: str) -> str:
    """Address of an empty one."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS answerable_sts CASCADE")
    return server


@pytest.fixture(params=BOTH)
def opens(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opens]:
    """Opens what is remembered in one place, as often as it is asked to."""
    made: list[TokenState] = []
    address = ""
    if request.param == "postgres":
        address = request.getfixturevalue("database")

    def another() -> TokenState:
        made.append(_open(tmp_path, address))
        return made[-1]

    yield another
    for each in made:
        each.close()


def _open(folder: Path, address: str) -> TokenState:
    if not address:
        return SqliteTokenState(folder / "sts", NOW, "one boot")
    from answerable.store.token_state.postgres import PostgresTokenState

    return PostgresTokenState(address)


@pytest.fixture
def control(opens: Opens) -> TokenState:
    return opens()
