"""What PostgreSQL alone can show: versions, a server that goes, no address in a word."""

import pytest

from answerable.model.errors import EnvironmentRefused
from answerable.store.token_state.interface import ControlUnavailable, Outcome
from tests.store.token_state.sample_rows import NOW, opened, use

pytestmark = pytest.mark.world


def test_newer_tables_are_refused_clearly(database: str) -> None:
    import psycopg

    from answerable.store.token_state.postgres import PostgresControl

    PostgresControl(database).close()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("INSERT INTO answerable_sts.migration VALUES (9)")
    with pytest.raises(EnvironmentRefused, match="has version 9, this release"):
        PostgresControl(database)


def test_a_connection_that_was_ended_fails_one_step_and_is_replaced(
    database: str,
) -> None:
    import psycopg

    from answerable.store.token_state.postgres import PostgresControl

    control, one = PostgresControl(database), use()
    opened(control)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'answerable sts'"
        )
    with pytest.raises(ControlUnavailable, match="does not answer"):
        control.see(one, NOW)
    assert control.see(one, NOW) is Outcome.DONE
    control.close()


def test_no_refusal_shows_the_address() -> None:
    from answerable.store.token_state.postgres import PostgresControl

    address = "postgresql://sts:canary@127.0.0.1:9/canary"
    with pytest.raises(ControlUnavailable) as refused:
        PostgresControl(address)
    said = f"{refused.value} {refused.value.hint} {refused.value.__cause__}"
    assert "canary" not in said
    assert refused.value.__suppress_context__
