"""Fetch of AWS resources: a file of answers, or the live API."""

from answerable.connectors.api_answer_file import probe_file, read_whole
from answerable.connectors.aws_resources import declaration
from answerable.connectors.aws_resources.parse import EXPECTED, parse
from answerable.connectors.boto3_import import boto3_for
from answerable.model.connector import SyncContext
from answerable.model.sighting import Probe, Sync


def sync(location: str, context: SyncContext) -> Sync:
    """Read resources; unread parts are listed in `problems`.

    Args:
        location: File of answers, as docs/aws.md shows; empty for live.
        context: Context of the scan.

    Raises:
        UsageError: The file is missing or has other content.
        ParseError: The file is not JSON.
        EnvironmentRefused: The file is not readable; live: no credentials, no network,
            or boto3 is not installed.
    """
    if not location:
        return _live(context)
    source = f"{declaration.SPEC.name}:{location}"
    parsed = parse(
        read_whole(location, EXPECTED), source=source, place=location, now=context.now
    )
    return Sync(
        source=source,
        connector=declaration.SPEC.name,
        started_at=context.now,
        facts=parsed.facts,
        probes=(Probe(location, EXPECTED, True),),
        problems=parsed.problems,
        collected=parsed.collected,
        not_collected=tuple(
            w for w in declaration.SPEC.collects if w not in parsed.collected
        ),
        held=parsed.held,
    )


def where(location: str) -> tuple[Probe, ...]:
    """List the paths or API calls that a sync would read."""
    if location:
        return (probe_file(location, EXPECTED),)
    calls = (declaration.WHO_AM_I, *declaration.PERMISSIONS)
    return tuple(
        Probe(call, "what resources say of themselves", None) for call in calls
    )


def _live(context: SyncContext) -> Sync:
    with boto3_for("a live AWS scan"):
        from answerable.connectors.aws_resources.live_scan import collect
    return collect(context)
