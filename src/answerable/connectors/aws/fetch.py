"""Read an AWS account's IAM details from a file or the live API into a sync result."""

from answerable.connectors.api_response_file import probe_answer_file, read_answer_file
from answerable.connectors.aws import declaration
from answerable.connectors.aws.parse import EXPECTED_KIND, parse
from answerable.connectors.boto3_import import require_boto3
from answerable.model.connector import SyncContext
from answerable.model.sighting import Probe, SightedFacts, Sync


def sync(location: str, context: SyncContext) -> Sync:
    """Read an account completely; unreadable parts are listed in `problems`.

    Args:
        location: File of get-account-authorization-details answers; empty for live.
        context: Context of the scan.

    Raises:
        UsageError: The file is missing or has other content.
        ParseError: The file is not JSON.
        EnvironmentFailure: The file is not readable; live: no credentials, no network,
            or boto3 is not installed.
    """
    if not location:
        return _sync_live(context)
    parsed = parse(
        read_answer_file(location, EXPECTED_KIND),
        source=f"aws:{location}",
        place=location,
        now=context.now,
    )
    used = (declaration.LAST_USED,) if parsed.last_used else ()
    unused = () if parsed.last_used else (declaration.LAST_USED,)
    return Sync(
        source=f"aws:{location}",
        connector=declaration.DECLARATION.name,
        started_at=context.now,
        facts=parsed.facts,
        probes=(Probe(location, EXPECTED_KIND, True),),
        problems=parsed.problems,
        collected=declaration.COLLECTS + used,
        not_collected=(declaration.KEYS, *unused, *declaration.ELSEWHERE),
        held=declaration.build_whole_account_coverage(_list_accounts(parsed.facts)),
    )


def _list_accounts(facts: SightedFacts) -> set[str]:
    """List the accounts in the details, except those known only from a trusted root."""
    return {i.account for i in facts.identities if i.kind != "aws-root"}


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List the paths or API calls that a sync would read."""
    if location:
        return (probe_answer_file(location, EXPECTED_KIND),)
    return (
        Probe(declaration.WHO_AM_I, "the account", None),
        Probe(declaration.DETAILS, "users, groups, roles and policies", None),
        Probe(declaration.LIST_KEYS, "access keys of each user", None),
        Probe(declaration.KEY_USED, "last use of each access key", None),
        Probe(declaration.ALIASES, "the account's name", None),
    )


def _sync_live(context: SyncContext) -> Sync:
    """Scan the live account, after checking that boto3 is installed."""
    with require_boto3("a live AWS scan"):
        from answerable.connectors.aws.live_scan import scan_default_account
    return scan_default_account(context)
