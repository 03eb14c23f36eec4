"""Reads a file of AWS Organizations answers."""

from answerable.connectors.answer_file import probe_file, read_whole
from answerable.connectors.aws_org.parse import EXPECTED, parse
from answerable.connectors.aws_org.spec import SPEC
from answerable.model.connector import SyncContext
from answerable.model.errors import UsageError
from answerable.model.sighting import Probe, Sync


def sync(location: str, context: SyncContext) -> Sync:
    """Read an organisation; what could not be read is in `problems`.

    Args:
        location: The file.
        context: What the flow hands over.

    Raises:
        UsageError: The file is not there, or holds something else.
        ParseError: The file is not JSON.
        EnvironmentRefused: The file may not be read.
    """
    source = f"{SPEC.name}:{location}"
    if not location:
        raise UsageError(
            f"{source} names no file", "see docs/aws.md for how to make it"
        )
    parsed = parse(
        read_whole(location, EXPECTED), source=source, place=location, now=context.now
    )
    return Sync(
        source=source,
        connector=SPEC.name,
        started_at=context.now,
        facts=parsed.facts,
        probes=(Probe(location, EXPECTED, True),),
        problems=parsed.problems,
        collected=parsed.collected,
        not_collected=tuple(w for w in SPEC.collects if w not in parsed.collected),
        held=parsed.held,
    )


def where(location: str) -> tuple[Probe, ...]:
    """List what a sync would read."""
    if not location:
        return (Probe(f"{SPEC.name}:FILE", EXPECTED, False),)
    return (probe_file(location, EXPECTED),)
