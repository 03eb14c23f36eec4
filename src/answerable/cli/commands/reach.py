"""`reach`, `can`, `who-can`: what an identity may do, from three directions."""

import click

from answerable.cli.emit import answer
from answerable.cli.progress import bar
from answerable.cli.session import opened
from answerable.cli.settings import Settings, Verb, Word, pass_settings
from answerable.model.errors import UsageError

VERDICTS = ("always", "only-if", "never")

_DIRECT = click.option(
    "--direct",
    is_flag=True,
    help="The subject's own permissions only: no assumed roles, no escalation.",
)


@click.command(cls=Verb, short_help="Everything a subject can do, with the reason.")
@click.argument("subject")
@click.option("--resource", default="*", metavar="GLOB", help="Only these resources.")
@click.option("--action", default="*", metavar="GLOB", help="Only these actions.")
@_DIRECT
@pass_settings
def reach(
    settings: Settings, subject: str, resource: str, action: str, direct: bool
) -> None:
    """List what SUBJECT can do, through every role it can come to act as.

    SUBJECT is an agent, identity or credential: an id, an ARN, or a name that fits
    one thing only.
    """
    from answerable.flows import reach as flow

    with opened(settings) as session, bar(settings) as progress:
        document = flow.reach(
            session.inventory(),
            subject,
            now=session.now,
            resource=resource,
            action=action,
            direct=direct,
            progress=progress,
        )
    answer(document, settings)


@click.command(cls=Verb, short_help="Whether a subject can do one thing, with proof.")
@click.argument("subject")
@click.argument("action")
@click.argument("resource")
@click.option(
    "--context",
    multiple=True,
    metavar="KEY=VALUE",
    help="A condition key of the request; repeat for more.",
)
@click.option(
    "--expect",
    default="",
    type=Word(VERDICTS),
    help="Exit 1 when the verdict is another one.",
)
@_DIRECT
@pass_settings
def can(
    settings: Settings,
    subject: str,
    action: str,
    resource: str,
    context: tuple[str, ...],
    expect: str,
    direct: bool,
) -> None:
    """Say whether SUBJECT can do ACTION on RESOURCE: always, only-if or never.

    The proof names the statements that decide, the path taken, and for each open
    condition who writes its key.
    """
    from answerable.flows import reach as flow

    with opened(settings) as session:
        document = flow.can(
            session.inventory(),
            subject,
            action,
            resource,
            now=session.now,
            context=read_context(context),
            direct=direct,
            expect=expect,
        )
    note = f"warning: --expect {expect} does not hold" if document.failed else ""
    answer(document, settings, note=note)


@click.command("who-can", cls=Verb, short_help="Everyone who can do one thing.")
@click.argument("action")
@click.argument("resource")
@_DIRECT
@pass_settings
def who_can(settings: Settings, action: str, resource: str, direct: bool) -> None:
    """List every identity that can do ACTION on RESOURCE, and how."""
    from answerable.flows import reach as flow

    with opened(settings) as session:
        document = flow.who_can(
            session.inventory(), action, resource, now=session.now, direct=direct
        )
    answer(document, settings)


def read_context(pairs: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Read `KEY=VALUE` pairs; a key given twice has both values.

    Raises:
        UsageError: A pair has no `=` or no key.
    """
    read: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(
                f"not a condition for --context (got {pair!r}, expected KEY=VALUE)",
                "for example: --context aws:PrincipalTag/team=data",
            )
        read[key] = (*read.get(key, ()), value)
    return read
