"""What PostgreSQL alone can show: versions, a server that goes, no address in a word."""

import pytest

from answerable.model.errors import EnvironmentFailure
from answerable.store.token_state.interface import CommitOutcome, TokenStateUnavailable
from tests.store.token_state.sample_rows import NOW, open_delegation, replay_key

pytestmark = pytest.mark.world


def test_newer_tables_are_refused_clearly(database: str) -> None:
    import psycopg

    from answerable.store.token_state.postgres import PostgresTokenState

    PostgresTokenState(database).close()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("INSERT INTO answerable_sts.migration VALUES (9)")
    with pytest.raises(EnvironmentFailure, match="has version 9, this release"):
        PostgresTokenState(database)


def test_a_connection_that_was_ended_fails_one_step_and_is_replaced(
    database: str,
) -> None:
    import psycopg

    from answerable.store.token_state.postgres import PostgresTokenState

    control, one = PostgresTokenState(database), replay_key()
    open_delegation(control)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'answerable sts'"
        )
    with pytest.raises(TokenStateUnavailable, match="does not respond"):
        control.record_single_use_key(one, NOW)
    assert control.record_single_use_key(one, NOW) is CommitOutcome.DONE
    control.close()


def test_no_refusal_shows_the_address() -> None:
    from answerable.store.token_state.postgres import PostgresTokenState

    address = "postgresql://sts:canary@127.0.0.1:9/canary"
    with pytest.raises(TokenStateUnavailable) as refused:
        PostgresTokenState(address)
    said = f"{refused.value} {refused.value.hint} {refused.value.__cause__}"
    assert "canary" not in said
    assert refused.value.__suppress_context__
