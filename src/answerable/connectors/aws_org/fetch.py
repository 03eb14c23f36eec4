"""Read an AWS organisation from a file of responses or the live API."""

from answerable.connectors.api_response_file import probe_answer_file, read_answer_file
from answerable.connectors.aws_org import declaration
from answerable.connectors.aws_org.parse import EXPECTED_KIND, parse
from answerable.connectors.boto3_import import require_boto3
from answerable.model.connector import Organization, SyncContext
from answerable.model.errors import UsageError
from answerable.model.sighting import Probe, Sync


def sync(location: str, context: SyncContext) -> Sync:
    """Read an organisation; unreadable parts are listed in `problems`.

    Args:
        location: A file; live: empty, or `role/NAME`.
        context: Context of the scan.

    Raises:
        UsageError: The file is missing or has other content.
        ParseError: The file is not JSON.
        EnvironmentFailure: The file is not readable; live: no credentials, no network,
            no organisation, or boto3 is not installed.
    """
    if is_live_location(location):
        return scan_live_organization(location, context).sync
    source = f"{declaration.DECLARATION.name}:{location}"
    parsed = parse(
        read_answer_file(location, EXPECTED_KIND),
        source=source,
        place=location,
        now=context.now,
    )
    return parsed.build_sync(
        source,
        Probe(location, EXPECTED_KIND, True),
        declaration.DECLARATION.collects,
        context.now,
    )


def is_live_location(location: str) -> bool:
    """Return whether a source's location asks for a live scan, not for files.

    Raises:
        UsageError: It is `role/` without a name.
    """
    role = declaration.parse_scan_role_name(location)
    if role == "":
        raise UsageError(
            f"{declaration.DECLARATION.name}:{location} no role given (expected "
            "role/NAME)",
            f"{declaration.DECLARATION.name}: without a role uses "
            f"{declaration.DEFAULT_ROLE}",
        )
    return role is not None


def scan_live_organization(location: str, context: SyncContext) -> Organization:
    """Scan the organisation live: its accounts and control policies.

    Raises:
        EnvironmentFailure: No credentials, no network, no organisation, no access, or
            boto3 is not installed.
    """
    with require_boto3("a live AWS scan"):
        from answerable.connectors.aws_org.live_scan import scan_organization
    return scan_organization(location, context)


def list_regions(context: SyncContext) -> tuple[str, ...] | None:
    """List the enabled regions of the context's account; None without permission.

    Raises:
        EnvironmentFailure: The account's role cannot be assumed.
    """
    from answerable.connectors.aws_org import live_scan

    try:
        return live_scan.list_enabled_regions(context)
    except live_scan.RegionsDenied:
        return None


def forget_account_session(context: SyncContext) -> None:
    """Drop the cached session of an account after its scan."""
    from answerable.connectors.aws_session import forget_session

    forget_session(context)


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List the paths or API calls that a sync would read."""
    if not is_live_location(location):
        return (probe_answer_file(location, EXPECTED_KIND),)
    organization = tuple(
        Probe(call, "accounts, units and control policies", None)
        for call in (declaration.WHO_AM_I, *declaration.PERMISSIONS)
    )
    role = declaration.parse_scan_role_name(location)
    return (
        *organization,
        Probe(declaration.ASSUME, f"role {role} in each account", None),
        Probe(declaration.REGIONS, "regions of each account", None),
    )
