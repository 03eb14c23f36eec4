"""Read AWS resources and their policies from a file of API responses or the live API."""

from answerable.connectors.api_response_file import probe_answer_file, read_answer_file
from answerable.connectors.aws_resources import declaration
from answerable.connectors.aws_resources.parse import EXPECTED_KIND, parse
from answerable.connectors.boto3_import import require_boto3
from answerable.model.connector import SyncContext
from answerable.model.sighting import Probe, Sync


def sync(location: str, context: SyncContext) -> Sync:
    """Read resources; unreadable parts are listed in `problems`.

    Args:
        location: File of answers, as docs/aws.md shows; empty for live.
        context: Context of the scan.

    Raises:
        UsageError: The file is missing or has other content.
        ParseError: The file is not JSON.
        EnvironmentFailure: The file is not readable; live: no credentials, no network,
            or boto3 is not installed.
    """
    if not location:
        return _sync_live(context)
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


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List the paths or API calls that a sync would read."""
    if location:
        return (probe_answer_file(location, EXPECTED_KIND),)
    calls = (declaration.WHO_AM_I, *declaration.PERMISSIONS)
    return tuple(
        Probe(call, "policies and settings of resources", None) for call in calls
    )


def _sync_live(context: SyncContext) -> Sync:
    """Scan the default region live, after checking that boto3 is installed."""
    with require_boto3("a live AWS scan"):
        from answerable.connectors.aws_resources.live_scan import scan_default_region
    return scan_default_region(context)
