"""`token-service`: operate a token service: signing keys, kills, trust rules."""

from typing import TYPE_CHECKING

import click

from answerable.cli.commands.kills import (
    kill,
    print_kill_results,
    require_kill_everywhere,
    revive,
)
from answerable.cli.commands.serve import read_token_service_plan
from answerable.cli.commands.token_service_rules import explain, rules, test
from answerable.cli.settings import AppCommand, AppGroup, Settings, pass_settings

if TYPE_CHECKING:
    from answerable.sts.runtime.settings import StsSettings


class _TokenServiceGroup(AppGroup):
    sections = (
        (
            "Commands",
            ("rules", "explain", "test", "keys", "kill", "revive", "restored"),
        ),
    )


@click.group(
    "token-service",
    cls=_TokenServiceGroup,
    short_help="Manage the token service: rules and keys.",
)
def token_service() -> None:
    """Check the rules of a token service, rotate its keys, kill and revive."""


# `kill` and `revive` are those of `answerable kill`, under an older name.
for command in (rules, explain, test, kill, revive):
    token_service.add_command(command)


_config_option = click.option(
    "--config",
    metavar="FILE",
    required=True,
    help="Configuration file (answerable.yaml).",
)


@token_service.command(cls=AppCommand, short_help="Record a database restore.")
@_config_option
@pass_settings
def restored(settings: Settings, config: str) -> None:
    """Record that the database of a token service was restored from an older copy.

    The restored copy does not contain later uses of tokens and proofs, and later
    revocations of delegations. A new epoch therefore begins: all earlier tokens and
    proofs are refused, all delegations end, and all signing keys are revoked. Stop the
    service before you run this command. A service that detects an older copy at its
    start does the same.
    """
    from answerable.sts.runtime.database_commands import recover_after_restore

    ended, has_gateway = recover_after_restore(
        read_token_service_plan(settings, config)
    )
    click.echo(f"epoch {ended.epoch}: tokens and proofs of earlier epochs are refused")
    click.echo(f"ended: delegations {ended.delegations}, tokens {ended.tokens}")
    for kid in ended.keys:
        click.echo(f"{kid} killed")
    if ended.keys and not has_gateway:
        click.echo(
            "for each gateway with another configuration: answerable kill key:KID "
            "--config FILE",
            err=True,
        )
    click.echo("next: start the token service; agents then request new tokens")


@token_service.command(cls=AppCommand, short_help="List or rotate signing keys.")
@_config_option
@click.option(
    "--rotate",
    is_flag=True,
    help="Sign with the next key once verifiers have had time to fetch it.",
)
@click.option(
    "--kill",
    "kid",
    metavar="KID",
    default="",
    help="Revoke a key: its signatures become invalid.",
)
@pass_settings
def keys(settings: Settings, config: str, rotate: bool, kid: str) -> None:
    """List the signing keys of every replica, with their states."""
    from answerable.sts.runtime.database_commands import list_signing_keys

    plan = read_token_service_plan(settings, config)
    lines = list_signing_keys(plan, rotate=rotate, kill=kid)
    if kid:
        _kill_at_gateways(plan, kid)
    for line in lines:
        click.echo(line)


def _kill_at_gateways(plan: "StsSettings", kid: str) -> None:
    """Make gateways refuse a key at once; they may cache the key set for two hours."""
    from answerable.server.revocation_service import RevocationService, operator_name

    subject, kills = f"key:{kid}", RevocationService(plan.store, plan.config)
    if kills.has_gateway:
        done = kills.revoke(subject, operator_name())
        print_kill_results(subject, done)
        require_kill_everywhere(f"{subject} is not killed everywhere", done)
    else:
        command = f"answerable kill {subject} --config FILE"
        click.echo(
            f"no gateway in {plan.config.place}; run at each gateway: {command}",
            err=True,
        )
