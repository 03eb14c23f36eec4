"""`findings`: list defects of the estate, gravest first."""

import time
from typing import TYPE_CHECKING

import click

from answerable.cli.engine import engine_option, use_engine
from answerable.cli.output import print_and_exit
from answerable.cli.progress import progress_bar
from answerable.cli.session import open_session
from answerable.cli.settings import (
    AppCommand,
    AppGroup,
    Settings,
    WordChoice,
    find_named_and_default_store,
    pass_settings,
)
from answerable.cli.signing import add_key_options, load_signer, require_human

if TYPE_CHECKING:
    from answerable.model.finding_review import FindingReview
    from answerable.posture.facts import ArgumentLimit

SEVERITIES = ("low", "medium", "high", "critical")


class _FindingsGroup(AppGroup):
    sections = (("Commands", ("trend", "suppress", "reopen", "assign")),)


_config_option = click.option(
    "--config",
    default="",
    metavar="FILE",
    help="Configuration of the gateway, whose policies are also checked.",
)


@click.group(
    "findings",
    cls=_FindingsGroup,
    invoke_without_command=True,
    short_help="Defects of the estate, most severe first.",
)
@click.option("--owner", default="", metavar="PERSON", help="Only this person's.")
@click.option(
    "--platform", default="", metavar="PLATFORM", help="Only findings of this platform."
)
@click.option(
    "--fail-on",
    default="",
    type=WordChoice(SEVERITIES),
    help="Exit 1 if an open finding is at least as severe.",
)
@click.option(
    "--new-since",
    default="",
    metavar="SNAPSHOT",
    help="Only findings that this snapshot does not have.",
)
@click.option(
    "--suppressions",
    default="",
    metavar="FILE",
    help="Reviewed file of accepted and assigned findings.",
)
@_config_option
@engine_option
@pass_settings
@click.pass_context
def findings(
    context: click.Context,
    settings: Settings,
    owner: str,
    platform: str,
    fail_on: str,
    new_since: str,
    suppressions: str,
    config: str,
    engine: str,
) -> None:
    """List the defects of the estate, most severe first.

    A rule without its data is listed as not evaluated, with the source that has the
    data. docs/findings.md describes each rule and the severity.
    """
    if context.invoked_subcommand is not None:
        return
    from answerable.usecases.posture.list_findings import list_findings

    limits = read_limits_of_config(settings, config)
    # Items are built while they are printed, from the open store.
    with open_session(settings) as session:
        with progress_bar(settings) as progress, use_engine(session, engine):
            document = list_findings(
                session.store,
                session.load_inventory(progress),
                now=session.now,
                owner=owner,
                platform=platform,
                fail_on=fail_on,
                new_since=new_since,
                suppressions=suppressions,
                argument_limits=limits,
            )
        print_and_exit(document, settings)


@findings.command(cls=AppCommand, short_help="Numbers of findings over snapshots.")
@click.option(
    "--last",
    default=10,
    show_default=True,
    type=click.IntRange(1, 1_000),
    metavar="COUNT",
    help="Number of the newest snapshots.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3_650),
    metavar="COUNT",
    help="Compare snapshots of these days, evenly spread, instead of the newest ones.",
)
@pass_settings
def trend(settings: Settings, last: int, days: int | None) -> None:
    """Count the open, new and resolved findings of each snapshot.

    Findings of a source that was not read again are not resolved.
    """
    from answerable.usecases.posture.finding_trend import list_finding_trend

    with open_session(settings) as session:
        with progress_bar(settings) as progress:
            document = list_finding_trend(
                session.store,
                now=session.now,
                last=last,
                days=days,
                progress=progress,
            )
        print_and_exit(document, settings)


@findings.command(cls=AppCommand, short_help="Accept a finding until a day, signed.")
@click.argument("finding", metavar="ID")
@click.option(
    "--reason", required=True, metavar="TEXT", help="Reason of the acceptance."
)
@click.option(
    "--until",
    required=True,
    metavar="DAY",
    help="Last day of the acceptance, YYYY-MM-DD.",
)
@_config_option
@add_key_options
@pass_settings
def suppress(
    settings: Settings,
    finding: str,
    reason: str,
    until: str,
    config: str,
    key: str,
    passphrase_file: str,
) -> None:
    """Accept the finding ID until a day, as a signed statement of a person.

    Afterwards, or if the key is revoked, the finding is open again. The statement is in
    the store; no agent can sign it.
    """
    from answerable.model.finding_review import FindingReview, ReviewAction
    from answerable.usecases.posture.review_findings import (
        parse_last_day,
        parse_reason,
    )

    end = parse_last_day(until, time.time_ns())
    draft = FindingReview(
        finding, ReviewAction.SUPPRESS, "", reason=parse_reason(reason), expires=end
    )
    _sign_review(settings, draft, config, key, passphrase_file)


@findings.command(cls=AppCommand, short_help="End the acceptance of a finding.")
@click.argument("finding", metavar="ID")
@_config_option
@add_key_options
@pass_settings
def reopen(
    settings: Settings, finding: str, config: str, key: str, passphrase_file: str
) -> None:
    """End the signed acceptance of the finding ID; the finding is open again."""
    from answerable.model.finding_review import FindingReview, ReviewAction

    draft = FindingReview(finding, ReviewAction.REOPEN, "")
    _sign_review(settings, draft, config, key, passphrase_file)


@findings.command(cls=AppCommand, short_help="Assign a finding to a person, signed.")
@click.argument("finding", metavar="ID")
@click.argument("person", default="")
@_config_option
@add_key_options
@pass_settings
def assign(
    settings: Settings,
    finding: str,
    person: str,
    config: str,
    key: str,
    passphrase_file: str,
) -> None:
    """Assign the finding ID to PERSON, as a signed statement.

    `findings --owner PERSON` then lists the finding. Without PERSON, the assignment
    ends.
    """
    from answerable.model.finding_review import FindingReview, ReviewAction

    draft = FindingReview(finding, ReviewAction.ASSIGN, "", assignee=person)
    _sign_review(settings, draft, config, key, passphrase_file)


def _sign_review(
    settings: Settings,
    draft: "FindingReview",
    config: str,
    key: str,
    passphrase_file: str,
) -> None:
    """Sign a review, and print the finding."""
    from answerable.usecases.posture.review_findings import review_finding

    require_human(settings)
    limits = read_limits_of_config(settings, config)
    with open_session(settings, writes=True) as session:
        with progress_bar(settings) as progress:
            inventory = session.load_inventory(progress)
        signer = load_signer(key, passphrase_file)
        document = review_finding(
            session.store,
            inventory,
            draft,
            signer,
            now=time.time_ns(),
            argument_limits=limits,
        )
        print_and_exit(document, settings)


def read_limits_of_config(
    settings: Settings, config: str
) -> "tuple[ArgumentLimit, ...] | None":
    """Read the limits of the gateway's policies; None without a configuration.

    A configuration also names the store of the command, unless an option does.

    Args:
        config: The file; empty for none.

    Raises:
        ConfigError: The configuration or a policy is invalid.
    """
    if not config:
        return None
    from answerable.server.argument_limits import read_argument_limits

    found = read_argument_limits(config, *find_named_and_default_store(settings))
    settings.store = settings.store or str(found.store)
    return found.limits
