"""A PostgreSQL for two replicas."""

from collections.abc import Iterator

import pytest

from tests.store.token_state.postgres_server import postgres


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
