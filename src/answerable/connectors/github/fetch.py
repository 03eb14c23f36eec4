"""Read the saved responses and exports about one GitHub organization."""

import os
import re
from collections.abc import Iterator

from answerable.connectors.bounded_folder import iterate_answer_files
from answerable.connectors.github.declaration import DECLARATION, LIVE_OPTIONS
from answerable.connectors.github.parse import (
    EXPECTED_KIND,
    GithubAnswerReader,
    parse,
)
from answerable.connectors.response_locations import (
    parse_paths_and_options,
    probe_answer_files,
    read_bounded_answer,
)
from answerable.model.connector import SyncContext
from answerable.model.errors import UsageError
from answerable.model.sighting import Probe, ReadProblem, Sync

_SUFFIXES = (".json", ".yml", ".yaml", "CODEOWNERS")
MAX_FILE_BYTES = 128 << 20
MAX_TOTAL_BYTES = 512 << 20
_SPLIT = "save it in parts"
_HINT = "collect with the commands of docs/github.md"


def sync(location: str, context: SyncContext) -> Sync:
    """Read one organization; unreadable parts are listed in `problems`.

    Args:
        location: Files and folders with commas between them, and options; live if it is
            the name of an organization.
        context: Context of the scan.

    Raises:
        UsageError: A location is missing, or has no answer of the GitHub API.
        EnvironmentFailure: A file is not readable; live: no credential, or a refused
            one.
    """
    source = f"{DECLARATION.name}:{location}"
    paths, options = parse_paths_and_options(location, DECLARATION.location_options)
    login = _find_live_name(paths, options)
    if login:
        return _sync_live(login, options, context)
    problems: list[ReadProblem] = []
    places = [
        p for path in paths for p in iterate_answer_files(path, _SUFFIXES, problems)
    ]
    if not places:
        raise UsageError(f"{source} names no file with API responses", _HINT)
    owner, _, name = options.get("repo", "").rpartition("/")
    reader = GithubAnswerReader(options.get("org", owner), name)
    parsed = parse(_iter_contents(places, problems), reader, source, context.now)
    if not parsed.recognised or not parsed.organization.login:
        found = (*problems, *parsed.problems)
        why = f": {found[0].what}" if found else ""
        raise UsageError(f"{source} has no supported API response{why}", _HINT)
    probes = tuple(Probe(place, EXPECTED_KIND, True) for place, _ in places)
    return parsed.build_sync(source, probes, (*problems, *parsed.problems), context.now)


def _sync_live(login: str, options: dict[str, str], context: SyncContext) -> Sync:
    """Scan a live organization."""
    from answerable.connectors.github.live_scan import scan_organization

    source, parsed, probes = scan_organization(login, options, context)
    return parsed.build_sync(source, probes, parsed.problems, context.now)


def _find_live_name(paths: list[str], options: dict[str, str]) -> str:
    """Return the organization of a live scan; empty for a scan of files.

    Raises:
        UsageError: Options of a live scan and files are mixed.
    """
    name = options.get("org", "") if not paths else ""
    if len(paths) == 1 and re.fullmatch(DECLARATION.live_name, paths[0]):
        name = "" if os.path.lexists(paths[0]) else paths[0]
    mixed = next((each for each in LIVE_OPTIONS if each in options), "")
    if mixed and not name:
        raise UsageError(
            f"{mixed}= is only for a live scan (got {(paths or ['no name'])[0][:80]!r})",
            "answerable scan github:ORG,app=ID,key=FILE",
        )
    return name


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List the paths or API calls that a sync would read."""
    paths, options = parse_paths_and_options(location, DECLARATION.location_options)
    if _find_live_name(paths, options):
        calls = (e for e in DECLARATION.reads if e.startswith(("GET ", "POST ")))
        return tuple(Probe(each, "a response of the API", None) for each in calls)
    if not paths:
        return (Probe(f"{DECLARATION.name}:FILE", EXPECTED_KIND, False),)
    return probe_answer_files(paths, _SUFFIXES, EXPECTED_KIND)


def _iter_contents(
    places: list[tuple[str, str]], problems: list[ReadProblem]
) -> Iterator[tuple[bytes, str, str]]:
    """Yield contents, path inside and path of each file; too large is a problem."""
    left = MAX_TOTAL_BYTES
    for place, inside in sorted(places, key=lambda pair: pair[1]):
        limit = min(left, MAX_FILE_BYTES)
        data = read_bounded_answer(place, EXPECTED_KIND, limit, _SPLIT, problems)
        if data is not None:
            left -= len(data)
            yield data, inside, place
