"""`decision`: one decision of a gateway, with its reasons."""

from typing import TYPE_CHECKING

import click

from answerable.cli.commands.serve import plan_of
from answerable.cli.output import answer
from answerable.cli.session import opened
from answerable.cli.settings import Settings, Verb, pass_settings, store_place

if TYPE_CHECKING:
    from answerable.gateway.serve.serve_plan import Plan
    from answerable.services.authorization.decision_items import PolicyText
    from answerable.services.authorization.decision_records import Where


@click.command(cls=Verb, short_help="Explain one decision of the gateway.")
@click.argument("decision_id", metavar="ID")
@click.option(
    "--config",
    metavar="FILE",
    default="",
    help="The gateway's answerable.yaml, with its spool and its rules.",
)
@pass_settings
def decision(settings: Settings, decision_id: str, config: str) -> None:
    """Show one decision of the gateway: request, reason and outcome.

    ID is the `decision_id` in the error of a refused call, or a prefix of it. The
    exception shown is the smallest that would have allowed the call.
    """
    from answerable.services.authorization import decision_items as flow

    spool, policy = gateway_of(settings, config, quotes=True)
    with opened(settings) as session:
        document = flow.decision(
            session.store, spool, decision_id, policy, now=session.now
        )
    answer(document, settings)


def gateway_of(
    settings: Settings, config: str, *, quotes: bool = False
) -> "tuple[Where, PolicyText | None]":
    """Find the spools of gateway and decision point, and the policy in force.

    Args:
        settings: Settings with the store.
        config: The gateway's file; empty for the default one in the store.
        quotes: Whether rules are quoted; policies are read only for that.

    Raises:
        ConfigError: The file is invalid.
    """
    if not config:
        root, _ = store_place(settings)
        return tuple(root / each / "spool" for each in ("gateway", "decisions")), None
    from answerable.server.state_folders import decisions_state

    plan = plan_of(settings, config)
    settings.store = str(plan.store)
    spools = [plan.state / "spool"]
    if plan.config.decisions is not None:
        spools.append(decisions_state(plan.config.decisions, plan.store) / "spool")
    return tuple(spools), _text(plan) if quotes else None


def _text(plan: "Plan") -> "PolicyText":
    from answerable.authorization.decision_table import policy_digest
    from answerable.connectors.config.fetch import read_policies
    from answerable.services.authorization.decision_items import PolicyText

    policies = read_policies(plan.reading).policies
    digest = policy_digest(plan.config, policies)
    return PolicyText(plan.config.place, digest, plan.reading.data, policies.rules)
