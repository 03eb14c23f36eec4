"""Read the file of one directory export."""

from answerable.connectors.api_response_file import probe_answer_file, read_answer_file
from answerable.connectors.people.declaration import DECLARATION
from answerable.connectors.people.parse import parse
from answerable.model.connector import SyncContext
from answerable.model.errors import ParseError, UsageError
from answerable.model.sighting import Probe, Sync

_EXPECTED_KIND = "users of a directory, as JSON or CSV"
_HINT = "docs/ownership.md lists the supported exports"


def sync(location: str, context: SyncContext) -> Sync:
    """Read the people of an export; unreadable entries are listed in `problems`.

    Args:
        location: A JSON or CSV file.
        context: Context of the scan.

    Raises:
        UsageError: The location is missing or has other content.
        ParseError: The file is neither JSON nor CSV.
        EnvironmentFailure: It is not readable.
    """
    source = f"{DECLARATION.name}:{location}"
    if not location:
        raise UsageError(f"{source}: no file given", _HINT)
    data = read_answer_file(location, _EXPECTED_KIND)
    try:
        facts, problems, collected = parse(
            data, location, source=source, now=context.now
        )
    except ParseError as error:
        error.hint = _HINT
        raise
    return Sync(
        source=source,
        connector=DECLARATION.name,
        started_at=context.now,
        facts=facts,
        probes=(Probe(location, _EXPECTED_KIND, True),),
        problems=problems,
        collected=collected,
        not_collected=tuple(w for w in DECLARATION.collects if w not in collected),
    )


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List the file that a sync would read."""
    if not location:
        return (Probe(f"{DECLARATION.name}:FILE", _EXPECTED_KIND, False),)
    return (probe_answer_file(location, _EXPECTED_KIND),)
