"""Read one Google Cloud estate: from saved responses, or live by the official clients."""

import os
import re
from collections.abc import Iterator
from pathlib import PurePath

from answerable.connectors.api_response_file import probe_answer_file, read_answer_file
from answerable.connectors.bounded_folder import iterate_answer_files
from answerable.connectors.gcp.declaration import DECLARATION, LIVE_CALLS
from answerable.connectors.gcp.parse import EXPECTED_KIND, parse
from answerable.connectors.user_path import expand_user_path
from answerable.model.connector import SyncContext
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.sighting import Probe, ReadProblem, ReadProblemKind, Sync

_SUFFIXES = (".json", ".jsonl", ".ndjson", ".dump")
MAX_FILE_BYTES = 256 << 20
MAX_TOTAL_BYTES = 512 << 20
_HINT = "collect with the commands of docs/gcp.md"


def sync(location: str, context: SyncContext) -> Sync:
    """Read one estate; unreadable parts are listed in `problems`.

    Args:
        location: Files and folders with commas between them; live if it is empty or the
            name of an organization, folder or project.
        context: Context of the scan.

    Raises:
        UsageError: A location is missing, or has no answer of Google Cloud.
        EnvironmentFailure: A file is not readable; live: no credential or a refused
            one, or the clients are not installed.
    """
    paths = [each for each in location.split(",") if each]
    if _is_live(paths):
        return _sync_live("".join(paths), context)
    source = f"{DECLARATION.name}:{location}"
    problems: list[ReadProblem] = []
    places: list[str] = []
    contents = _iterate_contents(paths, places, problems)
    fallback = PurePath(paths[0]).stem.lower() if paths else ""
    parsed = parse(contents, source, context.now, fallback)
    if not places:
        raise UsageError(f"{source} contains no file with output of gcloud", _HINT)
    if not parsed.recognised:
        found = (*problems, *parsed.problems)
        why = f": {found[0].what}" if found else ""
        raise UsageError(f"{source} contains no supported output of gcloud{why}", _HINT)
    probes = tuple(Probe(place, EXPECTED_KIND, True) for place in places)
    return parsed.build_sync(source, probes, (*problems, *parsed.problems), context.now)


def _is_live(paths: list[str]) -> bool:
    """Return whether a location is empty, or names a system and no path."""
    if len(paths) != 1:
        return not paths
    known = re.fullmatch(DECLARATION.live_name, paths[0])
    return known is not None and not os.path.lexists(paths[0])


def _sync_live(scope: str, context: SyncContext) -> Sync:
    """Scan live, after checking that the clients are installed."""
    try:
        from answerable.connectors.gcp.live_scan import scan_scope
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("google", "requests"):
            raise
        raise EnvironmentFailure(
            "a live scan of Google Cloud needs its clients, which are not installed",
            "pip install 'answerable[gcp]'; files need none: answerable scan gcp:DIR",
        ) from None
    source, parsed, probes = scan_scope(scope, context)
    return parsed.build_sync(source, probes, parsed.problems, context.now)


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List the paths or API calls that a sync would read."""
    paths = [each for each in location.split(",") if each]
    if _is_live(paths):
        return tuple(Probe(each, "a response of the API", None) for each in LIVE_CALLS)
    return tuple(
        probe_answer_file(place, EXPECTED_KIND)
        for path in paths
        for place, _ in iterate_answer_files(path, _SUFFIXES, [])
    )


def _iterate_contents(
    paths: list[str], places: list[str], problems: list[ReadProblem]
) -> Iterator[tuple[bytes, str]]:
    """Yield content and path of each file; one that is too large is a problem.

    Args:
        places: Receives the path of each file.
    """
    left = MAX_TOTAL_BYTES
    found = (
        place
        for path in paths
        for place, _ in iterate_answer_files(path, _SUFFIXES, problems)
    )
    for place in found:
        places.append(place)
        limit = min(left, MAX_FILE_BYTES)
        try:
            size = expand_user_path(place).stat().st_size
        except (OSError, ValueError):
            size = 0
        if size > limit:
            what = f"larger than {limit >> 20} MiB; export one project or kind a file"
            problems.append(ReadProblem(ReadProblemKind.TOO_LARGE, place, what))
            continue
        data = read_answer_file(place, EXPECTED_KIND, limit)
        left -= len(data)
        yield data, place
