"""Read the files of exported graphs."""

from answerable.connectors.api_response_file import probe_answer_file, read_answer_file
from answerable.connectors.bounded_folder import iterate_answer_files
from answerable.connectors.opengraph.declaration import DECLARATION
from answerable.connectors.opengraph.parse import ParsedGraphs
from answerable.connectors.user_path import expand_user_path
from answerable.model.connector import SyncContext
from answerable.model.errors import ParseError, UsageError
from answerable.model.sighting import Probe, ReadProblem, ReadProblemKind, Sync

_EXPECTED_KIND = "a graph of another collector"
_HINT = "docs/opengraph.md lists the supported exports"
_SUFFIXES = (".json",)


def sync(location: str, context: SyncContext) -> Sync:
    """Read graphs; nodes and edges that cannot be read are listed in `problems`.

    Args:
        location: A JSON file, or a folder with the parts of a graph.
        context: Context of the scan.

    Raises:
        UsageError: The location is missing, or a folder without a file.
        ParseError: The file is not a graph; of a folder, no file is.
        EnvironmentFailure: It is not readable.
    """
    source = f"{DECLARATION.name}:{location}"
    if not location:
        raise UsageError(f"{source}: no file given", _HINT)
    problems: list[ReadProblem] = []
    places = [p for p, _ in iterate_answer_files(location, _SUFFIXES, problems)]
    if not places:
        raise UsageError(f"{source} names no file with a graph", _HINT)
    parsed = ParsedGraphs()
    for place in places:
        try:
            parsed.read(read_answer_file(place, _EXPECTED_KIND), place)
        except ParseError as error:
            if len(places) == 1:
                error.hint = _HINT
                raise
            problems.append(ReadProblem(ReadProblemKind.INVALID, place, error.reason))
    if not parsed.parts:
        raise UsageError(f"{source} has no graph: {problems[0].what}", _HINT)
    problems += parsed.problems
    return Sync(
        source=source,
        connector=DECLARATION.name,
        started_at=context.now,
        facts=parsed.build_facts(source, context.now),
        probes=tuple(Probe(place, _EXPECTED_KIND, True) for place in places),
        problems=tuple(problems),
        collected=() if problems else DECLARATION.collects,
        not_collected=DECLARATION.collects if problems else (),
    )


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List the files that a sync would read."""
    if not location:
        return (Probe(f"{DECLARATION.name}:FILE", _EXPECTED_KIND, False),)
    if expand_user_path(location).is_dir():
        found = iterate_answer_files(location, _SUFFIXES, [])
        return tuple(probe_answer_file(place, _EXPECTED_KIND) for place, _ in found)
    return (probe_answer_file(location, _EXPECTED_KIND),)
