"""`sts`: what an operator does with a token service, running or not."""

from typing import TYPE_CHECKING

import click

from answerable.cli.commands.serve import token_plan_of
from answerable.cli.commands.sts_rules import explain, rules, test
from answerable.cli.settings import Settings, Verb, Verbs, pass_settings

if TYPE_CHECKING:
    from pathlib import Path

    from answerable.sts.serve.plan import Plan


class _Sts(Verbs):
    sections = (("Commands", ("rules", "explain", "test", "keys", "kill", "revive")),)


@click.group("sts", cls=_Sts, short_help="Rules, keys and kills of the token service.")
def sts() -> None:
    """Look at the rules of a token service, turn its keys, kill and revive."""


for command in (rules, explain, test):
    sts.add_command(command)


_config = click.option(
    "--config", metavar="FILE", required=True, help="The answerable.yaml."
)


@sts.command(cls=Verb, short_help="Give a subject nothing more, within a second.")
@click.argument("subject")
@_config
@pass_settings
def kill(settings: Settings, subject: str, config: str) -> None:
    """Give SUBJECT nothing more, and end what it was given, until it is revived.

    SUBJECT is agent:..., person:..., rule:ID, issuer:NAME, or run:DELEGATION. What was
    handed on below ends too. The gateway of the same file refuses it as well, where
    its folder may be written.
    """
    from answerable.enforce.kill import kill_subject
    from answerable.serving.killing import killed_by, operator
    from answerable.serving.kills import KillFile

    plan = token_plan_of(settings, config)
    kill_subject(subject)
    # One that runs says what ended, of which a gateway has to know.
    done = killed_by(plan.service, subject, operator())
    new, ended = done or (KillFile(plan.state).kill(subject, operator()), ())
    said = "killed, within a second" if new else "killed already"
    click.echo(f"{subject}: {said}", err=True)
    if done is None:
        click.echo("the token service does not run, or not for you", err=True)
    else:
        click.echo(f"delegations ended: {len(ended)}", err=True)
    _tell_gateway(plan, [subject, *(f"run:{each}" for each in ended)])


@sts.command(cls=Verb, short_help="Take a kill back.")
@click.argument("subject")
@_config
@pass_settings
def revive(settings: Settings, subject: str, config: str) -> None:
    """Take back the kill of SUBJECT. What was ended stays ended."""
    from answerable.serving.kills import KillFile

    plan = token_plan_of(settings, config)
    was_killed = KillFile(plan.state).revive(subject)
    said = "revived, within a second" if was_killed else "was not killed"
    click.echo(f"{subject}: {said}", err=True)
    folder = _gateway(plan)
    if folder is not None:
        KillFile(folder).revive(subject)


@sts.command(cls=Verb, short_help="List signing keys, or turn to the next one.")
@_config
@click.option(
    "--rotate",
    is_flag=True,
    help="Sign with the next key as soon as verifiers have had time to read it.",
)
@click.option(
    "--kill",
    metavar="KID",
    default="",
    help="Take a key out of use: what it signed verifies nowhere.",
)
@pass_settings
def keys(settings: Settings, config: str, rotate: bool, kill: str) -> None:
    """List the signing keys of every replica, and where each is in its life."""
    from answerable.sts.serve.asking import key_lines

    plan = token_plan_of(settings, config)
    for line in key_lines(plan, rotate=rotate, kill=kill):
        click.echo(line)


def _gateway(plan: "Plan") -> "Path | None":
    """Find the folder of the gateway of the same file, if there is one."""
    from answerable.serving.state import gateway_state

    folder = gateway_state(plan.config, plan.store)
    return folder if folder.is_dir() else None


def _tell_gateway(plan: "Plan", subjects: list[str]) -> None:
    from answerable.model.errors import EnvironmentRefused
    from answerable.serving.killing import operator
    from answerable.serving.kills import KillFile

    folder = _gateway(plan)
    if folder is None:
        return
    try:
        for subject in subjects:
            KillFile(folder).kill(subject, operator())
    except EnvironmentRefused as error:
        click.echo(f"warning: the gateway was not told: {error.message}", err=True)
    else:
        click.echo("the gateway refuses it too", err=True)
