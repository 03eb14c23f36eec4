"""`serve`: run gateway, token service, decision point and web page."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from answerable.cli.settings import (
    Settings,
    Verb,
    Word,
    config_places,
    pass_settings,
    store_place,
)
from answerable.model.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from answerable.gateway.serve.serve_plan import Plan
    from answerable.model.cedar_policy import CedarRules
    from answerable.pdp.runtime.settings import Plan as PointPlan
    from answerable.sts.runtime.settings import Plan as TokenPlan
    from answerable.web.runtime.settings import Plan as WebPlan

ROLES = ("gateway", "sts", "decisions", "web")


@click.command(cls=Verb, short_help="Run the gateway, the token service, the web page.")
@click.option("--config", metavar="FILE", default="", help="The answerable.yaml.")
@click.option("--only", type=Word(ROLES), default="", help="Run only this server.")
@click.option(
    "--listen",
    metavar="ADDR",
    default="",
    help="The web page at this HOST:PORT, or without one health and metrics; the gateway"
    " at the next port.",
)
@click.option("--with-parent", is_flag=True, hidden=True)
@pass_settings
def serve(
    settings: Settings, config: str, only: str, listen: str, with_parent: bool
) -> None:
    """Run the servers of a configuration, until SIGTERM or Ctrl-C.

    When all listeners are ready, one line for each goes to standard output; later
    events go to standard error, one JSON object a line. SIGHUP reads the configuration
    again. With a section `sts` the token service runs next to the gateway, for
    evaluation: in production each runs alone, as a user of its own. With a section
    `decisions` the decision point runs as well, and with a section `web` the web page.
    `--only web` needs no configuration: it serves the store on this machine to the
    holder of the printed link.
    """
    from answerable.connectors.config.parse.config_faults import ConfigError

    if not config and only != "web":
        raise UsageError(
            "--config is missing (only the web page does without)",
            "name the file, or say: answerable serve --only web",
        )
    try:
        if only == "web":
            _serve_pages(settings, config, listen, alone=not with_parent)
        elif only == "sts":
            _serve_tokens(settings, config, alone=not with_parent)
        elif only == "decisions":
            _serve_decisions(settings, config, alone=not with_parent)
        else:
            _serve_calls(settings, config, listen, together=not only)
    except ConfigError as error:
        for line in error.lines[1:]:
            click.echo(line, err=True)
        raise


def _serve_calls(
    settings: Settings, config: str, listen: str, *, together: bool
) -> None:
    from answerable.gateway.serve.serve_plan import read_plan
    from answerable.gateway.serve.supervisor import serve as supervise

    named, usual = config_places(settings)

    def beside(plan: "Plan") -> dict[str, Sequence[str]]:
        named = plan.config
        sections = {"sts": named.sts, "decisions": named.decisions, "web": named.web}
        own = [sys.executable, "-m", "answerable", "--store", str(plan.store)]
        more = {"web": ["--listen", listen] if listen else []}
        return {
            role: [
                *(*own, "serve", "--only", role, "--config", config, "--with-parent"),
                *more.get(role, []),
            ]
            for role, section in sections.items()
            if together and section is not None
        }

    def read(before: "CedarRules") -> "Plan":
        return read_plan(config, named, usual, listen, before)

    supervise(read, _tell, beside)


def _serve_tokens(settings: Settings, config: str, *, alone: bool) -> None:
    from answerable.sts.runtime.process import serve as serve_tokens

    serve_tokens(lambda: token_plan_of(settings, config), _teller(alone), alone=alone)


def _serve_decisions(settings: Settings, config: str, *, alone: bool) -> None:
    from answerable.model.cedar_policy import NO_RULES
    from answerable.pdp.runtime.process import serve as serve_decisions
    from answerable.pdp.runtime.settings import read_plan

    named, usual = config_places(settings)
    last = NO_RULES

    def read() -> "PointPlan":
        nonlocal last
        plan = read_plan(config, named, usual, last)
        last = plan.reading.policies if plan.is_whole else last
        return plan

    serve_decisions(read, _teller(alone), alone=alone)


def _serve_pages(settings: Settings, config: str, listen: str, *, alone: bool) -> None:
    from answerable.web.runtime.process import serve as serve_pages
    from answerable.web.runtime.settings import read_plan

    named, usual = config_places(settings)

    def read() -> "WebPlan":
        return read_plan(config, named, usual, listen)

    serve_pages(read, _teller(alone), alone=alone)


def _teller(alone: bool) -> Callable[[list[tuple[str, str]]], None]:
    def tell(listening: list[tuple[str, str]]) -> None:
        _tell(listening)
        if not alone:  # the parent process reads to the end
            sys.stdout.flush()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)

    return tell


def _tell(listening: list[tuple[str, str]]) -> None:
    for what, where in listening:
        click.echo(f"{what} {where}")


def plan_of(settings: Settings, config: str, *, policies: bool = False) -> "Plan":
    """Read a gateway's configuration and find its folders.

    Policies are read only where they are needed: a kill does not wait for them.

    Raises:
        ConfigError: The configuration is invalid.
    """
    from answerable.gateway.serve.serve_plan import read_plan
    from answerable.model.cedar_policy import NO_RULES

    named, usual = config_places(settings)
    return read_plan(config, named, usual, "", NO_RULES if policies else None)


def state_of(settings: Settings, config: str) -> "Path":
    """Find the state folder of a gateway; its configuration may name the store.

    Args:
        config: The file; empty for the folder in the store.

    Raises:
        ConfigError: The configuration is invalid.
    """
    if not config:
        return store_place(settings)[0] / "gateway"
    plan = plan_of(settings, config)
    settings.store = settings.store or str(plan.store)
    return plan.state


def token_plan_of(settings: Settings, config: str) -> "TokenPlan":
    """Read a token service's configuration and find its folders.

    Raises:
        ConfigError: The configuration is invalid.
        UsageError: It has no token service.
    """
    from answerable.sts.runtime.settings import read_plan

    return read_plan(config, *config_places(settings))
