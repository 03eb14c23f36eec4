"""Read the file of one exported graph."""

from answerable.connectors.api_answer_file import probe_answer_file, read_answer_file
from answerable.connectors.opengraph.declaration import DECLARATION
from answerable.connectors.opengraph.parse import parse
from answerable.model.connector import SyncContext
from answerable.model.errors import ParseError, UsageError
from answerable.model.sighting import Probe, Sync

_EXPECTED_KIND = "a graph of another collector"
_HINT = "docs/opengraph.md lists the exports it reads"


def sync(location: str, context: SyncContext) -> Sync:
    """Read a graph; nodes and edges that cannot be read are listed in `problems`.

    Args:
        location: A JSON file.
        context: Context of the scan.

    Raises:
        UsageError: The location is missing.
        ParseError: The file is not a graph.
        EnvironmentFailure: It is not readable.
    """
    source = f"{DECLARATION.name}:{location}"
    if not location:
        raise UsageError(f"{source}: no file given", _HINT)
    data = read_answer_file(location, _EXPECTED_KIND)
    try:
        facts, problems = parse(data, location, source=source, now=context.now)
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
        collected=() if problems else DECLARATION.collects,
        not_collected=DECLARATION.collects if problems else (),
    )


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List the file that a sync would read."""
    if not location:
        return (Probe(f"{DECLARATION.name}:FILE", _EXPECTED_KIND, False),)
    return (probe_answer_file(location, _EXPECTED_KIND),)
