"""Option `--engine` of the commands that can run their queries on a Spark cluster."""

from collections.abc import Callable
from typing import TypeVar

import click

FunctionT = TypeVar("FunctionT", bound=Callable[..., object])


def engine_option(command: FunctionT) -> FunctionT:
    """Add `--engine` to a command."""
    return click.option(
        "--engine",
        default="",
        metavar="spark://HOST:PORT",
        help="Run the query on this Spark cluster, whose workers can read the store.",
    )(command)
