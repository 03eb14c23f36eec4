"""`serve`: the gateway, until it is told to end."""

from typing import TYPE_CHECKING

import click

from answerable.cli.settings import Settings, Verb, Word, pass_settings, store_place

if TYPE_CHECKING:
    from answerable.gateway.serve.plan import Plan

ROLES = ("gateway",)


@click.command(cls=Verb, short_help="Run the gateway between agents and their servers.")
@click.option("--config", metavar="FILE", required=True, help="The answerable.yaml.")
@click.option("--only", type=Word(ROLES), default="", help="Serve this alone.")
@click.option(
    "--listen",
    metavar="ADDR",
    default="",
    help="Health and metrics at this HOST:PORT, the gateway at the next port.",
)
@pass_settings
def serve(settings: Settings, config: str, only: str, listen: str) -> None:
    """Serve what a configuration says, until SIGTERM or Ctrl-C.

    One line for each listener goes to standard output once all of them stand; what
    happens after that goes to standard error, one JSON object a line. SIGHUP reads the
    configuration again.
    """
    from answerable.connectors.config.parse.faults import ConfigError
    from answerable.gateway.serve.plan import read_plan
    from answerable.gateway.serve.supervisor import serve as supervise

    del only  # so far there is nothing else
    usual, _ = store_place(settings)
    named = usual if settings.store else None

    def tell(listening: list[tuple[str, str]]) -> None:
        for what, where in listening:
            click.echo(f"{what} {where}")

    try:
        supervise(lambda: read_plan(config, named, usual, listen), tell)
    except ConfigError as error:
        for line in error.lines[1:]:
            click.echo(line, err=True)
        raise


def plan_of(settings: Settings, config: str) -> "Plan":
    """Read a gateway's configuration, and find its folders.

    Raises:
        ConfigError: The configuration cannot be taken.
    """
    from answerable.gateway.serve.plan import read_plan

    usual, _ = store_place(settings)
    return read_plan(config, usual if settings.store else None, usual, "")
