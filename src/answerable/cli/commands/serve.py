"""`run_gateway`: run gateway, token service, decision point, web page and collector."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from answerable.cli.settings import (
    AppCommand,
    Settings,
    WordChoice,
    find_named_and_default_store,
    find_store,
    pass_settings,
)
from answerable.model.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from answerable.gateway.serve.serve_plan import ServePlan
    from answerable.model.cedar_policy import CedarPolicySet
    from answerable.pdp.runtime.settings import PdpSettings as PointPlan
    from answerable.sts.runtime.settings import StsSettings as TokenPlan

ROLES = ("gateway", "token-service", "decisions", "web", "collector")


@click.command(
    cls=AppCommand, short_help="Run the gateway, token service and web page."
)
@click.option(
    "--config", metavar="FILE", default="", help="Configuration file (answerable.yaml)."
)
@click.option(
    "--only",
    type=WordChoice(ROLES, {"sts": "token-service"}),
    default="",
    help="Run only this server instead of all configured servers.",
)
@click.option(
    "--listen",
    metavar="ADDR",
    default="",
    help="HOST:PORT of the web page, or of health and metrics if no web page runs; the "
    "gateway listens on the next port.",
)
@click.option("--with-parent", is_flag=True, hidden=True)
@pass_settings
def serve(
    settings: Settings, config: str, only: str, listen: str, with_parent: bool
) -> None:
    """Run the servers of a configuration, until SIGTERM or Ctrl-C.

    When all listeners are ready, one line for each is printed to standard output; later
    events are logged to standard error, one JSON object per line. SIGHUP reloads the
    configuration. With a section `sts` the token service runs next to the gateway, for
    evaluation; in production, run each server alone, as a separate user. A section
    `decisions`
    adds the decision point, `web` the web page, and a schedule of `sources` the
    collector. `--only web` requires no configuration: it serves the store on this
    machine to the holder of the printed link.
    """
    from answerable.connectors.config.parse.config_faults import ConfigError

    if not config and only != "web":
        raise UsageError(
            "--config is required (unless you use --only web)",
            "name the file with --config FILE, or run: answerable serve --only web",
        )
    try:
        if only == "web":
            _serve_web(settings, config, listen, standalone=not with_parent)
        elif only == "token-service":
            _serve_token_service(settings, config, standalone=not with_parent)
        elif only == "collector":
            _serve_collector(settings, config, standalone=not with_parent)
        elif only == "decisions":
            _serve_decision_point(settings, config, standalone=not with_parent)
        else:
            _serve_gateway(settings, config, listen, with_other_servers=not only)
    except ConfigError as error:
        for line in error.lines[1:]:
            click.echo(line, err=True)
        raise


def _serve_gateway(
    settings: Settings, config: str, listen: str, *, with_other_servers: bool
) -> None:
    """Run the gateway, and the other configured servers if `with_other_servers`."""
    from answerable.gateway.serve.serve_plan import read_serve_plan
    from answerable.gateway.serve.supervisor import run_gateway as supervise
    from answerable.server.runtime import reuse_valid_policies

    named, usual = find_named_and_default_store(settings)

    def build_commands(plan: "ServePlan") -> dict[str, Sequence[str]]:
        named = plan.config
        roles = {
            "sts": named.sts is not None,
            "decisions": named.decisions is not None,
            "web": named.web is not None,
            "collector": named.needs_collector,
        }
        own = [sys.executable, "-m", "answerable", "--store", str(plan.store), "serve"]
        options = ["--config", config, "--with-parent"]
        more = {"web": ["--listen", listen] if listen else []}
        return {
            role: [
                *own,
                "--only",
                role,
                *options,
                *more.get(role, []),
            ]
            for role, is_configured in roles.items()
            if with_other_servers and is_configured
        }

    def load(before: "CedarPolicySet") -> "ServePlan":
        return read_serve_plan(config, named, usual, listen, before)

    supervise(reuse_valid_policies(load), _print_listeners, build_commands)


def _serve_token_service(settings: Settings, config: str, *, standalone: bool) -> None:
    """Run the token service of a configuration."""
    from answerable.server.runtime import run_server
    from answerable.sts.runtime.app import StsApp

    run_server(
        "sts",
        lambda: read_token_service_plan(settings, config),
        StsApp.open,
        _build_ready_callback(standalone),
        alone=standalone,
    )


def _serve_decision_point(settings: Settings, config: str, *, standalone: bool) -> None:
    """Run the policy decision point."""
    from answerable.pdp.runtime.app import PdpApp
    from answerable.pdp.runtime.settings import load_settings
    from answerable.server.runtime import reuse_valid_policies, run_server

    named, usual = find_named_and_default_store(settings)

    def load(before: "CedarPolicySet") -> "PointPlan":
        return load_settings(config, named, usual, before)

    run_server(
        "decisions",
        reuse_valid_policies(load),
        PdpApp.open,
        _build_ready_callback(standalone),
        alone=standalone,
    )


def _serve_collector(settings: Settings, config: str, *, standalone: bool) -> None:
    """Run the collector of a configuration."""
    from answerable.collector.app import CollectorApp
    from answerable.collector.settings import load_settings
    from answerable.server.runtime import run_server

    named, usual = find_named_and_default_store(settings)
    run_server(
        "collector",
        lambda: load_settings(config, named, usual),
        CollectorApp.open,
        _build_ready_callback(standalone),
        alone=standalone,
    )


def _serve_web(
    settings: Settings, config: str, listen: str, *, standalone: bool
) -> None:
    """Run the web interface of a configuration."""
    from answerable.server.runtime import run_server
    from answerable.web.runtime.app import WebApp
    from answerable.web.runtime.settings import load_settings

    named, usual = find_named_and_default_store(settings)
    run_server(
        "web",
        lambda: load_settings(config, named, usual, listen),
        WebApp.open,
        _build_ready_callback(standalone),
        alone=standalone,
    )


def _build_ready_callback(standalone: bool) -> Callable[[list[tuple[str, str]]], None]:
    """Build the callback that prints the addresses once the server listens."""

    def tell(listening: list[tuple[str, str]]) -> None:
        _print_listeners(listening)
        if not standalone:  # the parent process reads to the end
            sys.stdout.flush()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)

    return tell


def _print_listeners(listeners: list[tuple[str, str]]) -> None:
    """Print name and address of each listener, one per line."""
    for what, where in listeners:
        click.echo(f"{what} {where}")


def read_gateway_plan(
    settings: Settings, config: str, *, policies: bool = False
) -> "ServePlan":
    """Read a gateway's configuration and find its folders.

    Policies are read only where they are needed: a kill does not wait for them.

    Raises:
        ConfigError: The configuration is invalid.
    """
    from answerable.gateway.serve.serve_plan import read_serve_plan
    from answerable.model.cedar_policy import NO_CEDAR_POLICIES

    named, usual = find_named_and_default_store(settings)
    return read_serve_plan(
        config, named, usual, "", NO_CEDAR_POLICIES if policies else None
    )


def find_state_folder(settings: Settings, config: str) -> "Path":
    """Find the state folder of a gateway; its configuration may name the store.

    Args:
        config: The file; empty for the folder in the store.

    Raises:
        ConfigError: The configuration is invalid.
    """
    if not config:
        return find_store(settings)[0] / "gateway"
    plan = read_gateway_plan(settings, config)
    settings.store = settings.store or str(plan.store)
    return plan.state


def read_token_service_plan(settings: Settings, config: str) -> "TokenPlan":
    """Read a token service's configuration and find its folders.

    Raises:
        ConfigError: The configuration is invalid.
        UsageError: It has no token service.
    """
    from answerable.sts.runtime.settings import load_settings

    return load_settings(config, *find_named_and_default_store(settings))
