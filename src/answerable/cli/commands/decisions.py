"""`decision`: show one decision of a gateway, with its reasons."""

from typing import TYPE_CHECKING

import click

from answerable.cli.commands.serve import read_gateway_plan
from answerable.cli.output import print_and_exit
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, Settings, find_store, pass_settings

if TYPE_CHECKING:
    from answerable.gateway.serve.serve_plan import ServePlan
    from answerable.services.authorization.decision_output import PolicySource
    from answerable.services.authorization.decision_records import SpoolPlaces


@click.command(cls=AppCommand, short_help="Explain one decision of the gateway.")
@click.argument("decision_id", metavar="ID")
@click.option(
    "--config",
    metavar="FILE",
    default="",
    help="Configuration file of the gateway, for its spool and rules.",
)
@pass_settings
def decision(settings: Settings, decision_id: str, config: str) -> None:
    """Show one decision of the gateway: request, reason and outcome.

    ID is the `decision_id` in the error of a refused call, or a prefix of it. Also
    shows the smallest exception that would have allowed the call.
    """
    from answerable.usecases.authorization import explain_decision

    spool, policy = find_decision_sources(settings, config, with_policy=True)
    with open_session(settings) as session:
        document = explain_decision.show_decision(
            session.store, spool, decision_id, policy, now=session.now
        )
    print_and_exit(document, settings)


def find_decision_sources(
    settings: Settings, config: str, *, with_policy: bool = False
) -> "tuple[SpoolPlaces, PolicySource | None]":
    """Find the decision spools of a gateway, and the source of its policy.

    Args:
        settings: Settings with the store.
        config: The gateway's file; empty for the default one in the store.
        with_policy: Whether rules are quoted; policies are read only for that.

    Raises:
        ConfigError: The file is invalid.
    """
    if not config:
        root, _ = find_store(settings)
        return tuple(root / each / "spool" for each in ("gateway", "decisions")), None
    from answerable.server.state_folders import decisions_state

    plan = read_gateway_plan(settings, config)
    settings.store = str(plan.store)
    spools = [plan.state / "spool"]
    if plan.config.decisions is not None:
        spools.append(decisions_state(plan.config.decisions, plan.store) / "spool")
    return tuple(spools), _read_policy_source(plan) if with_policy else None


def _read_policy_source(plan: "ServePlan") -> "PolicySource":
    """Read the source of the gateway's policies, for quotes of the deciding rules."""
    from answerable.authorization.decision_table import policy_digest
    from answerable.connectors.config.fetch import read_policy_files
    from answerable.services.authorization.decision_output import PolicySource

    policies = read_policy_files(plan.reading).policies
    digest = policy_digest(plan.config, policies)
    return PolicySource(plan.config.place, digest, plan.reading.data, policies.rules)
