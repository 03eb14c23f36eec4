"""Option `--engine` of the commands that can run their queries on a Spark cluster."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, TypeVar

import click

from answerable.cli.session import StoreSession

if TYPE_CHECKING:
    from answerable.store.event_engine import EventEngine

FunctionT = TypeVar("FunctionT", bound=Callable[..., object])


def engine_option(command: FunctionT) -> FunctionT:
    """Add `--engine` to a command."""
    return click.option(
        "--engine",
        default="",
        metavar="spark://HOST:PORT",
        callback=_check_address,
        help="Run the queries on this Spark cluster, whose workers can read the store.",
    )(command)


@contextmanager
def use_engine(session: StoreSession, engine: str) -> Iterator["EventEngine | None"]:
    """Let an engine answer the queries of a store; empty for DuckDB."""
    if not engine:
        yield None
        return
    from answerable.store.spark_engine import SparkEngine

    queries = session.store.queries
    with closing(SparkEngine(session.store.layout, engine)) as queries.engine:
        try:
            yield queries.engine
        finally:
            queries.engine = None


def _check_address(context: click.Context, option: click.Parameter, value: str) -> str:
    """Refuse another address than that of a Spark master, before a store is opened."""
    del context, option
    if value:
        from answerable.store.spark_session import parse_master

        parse_master(value)
    return value
