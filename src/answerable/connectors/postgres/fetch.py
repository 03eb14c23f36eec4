"""Read the files of one PostgreSQL server: dumps, and responses of catalogue queries."""

from collections.abc import Iterator
from pathlib import PurePath

from answerable.connectors.api_response_file import (
    MAX_ANSWER_BYTES,
    probe_answer_file,
    read_answer_file,
)
from answerable.connectors.postgres.declaration import DECLARATION
from answerable.connectors.postgres.parse import EXPECTED_KIND, ServerName, parse
from answerable.connectors.response_locations import parse_paths_and_options
from answerable.connectors.user_path import expand_user_path
from answerable.model.connector import SyncContext
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.postgres_ids import normalise_postgres_host
from answerable.model.sighting import Probe, Sync

_SUFFIXES = (".sql", ".json")
_COLLECT_HINT = (
    "collect with: pg_dumpall --roles-only > roles.sql; "
    "pg_dump --schema-only --create DATABASE > DATABASE.sql"
)


def sync(location: str, context: SyncContext) -> Sync:
    """Read the files of one server; unreadable parts are listed in `problems`.

    Args:
        location: Files and folders with commas between them; `host=` and `dbname=` name
            the server and the database, which a dump may not name.
        context: Context of the scan.

    Raises:
        UsageError: A location is missing or has other content.
        ParseError: The only file has another form.
        EnvironmentFailure: A file is not readable.
    """
    source = f"{DECLARATION.name}:{location}"
    paths, options = parse_paths_and_options(location, DECLARATION.location_options)
    places = [place for path in paths for place in _list_files(path)]
    if not places:
        raise UsageError(f"{source}: no file contains a dump", _COLLECT_HINT)
    files: list[tuple[str, bytes]] = []
    left = MAX_ANSWER_BYTES
    for place in places:
        data = read_answer_file(place, EXPECTED_KIND, left)
        left -= len(data)
        files.append((place, data))
    host, _, port = options.get("host", "").partition(":")
    server = ServerName(
        host=normalise_postgres_host(host, port) if host else "",
        database=options.get("dbname", ""),
        fallback=PurePath(paths[0]).stem.lower(),
    )
    parsed = parse(files, server, source=source, now=context.now)
    return Sync(
        source=source,
        connector=DECLARATION.name,
        started_at=context.now,
        facts=parsed.facts,
        probes=tuple(Probe(place, EXPECTED_KIND, True) for place in places),
        problems=parsed.problems,
        collected=parsed.collected,
        not_collected=tuple(
            word for word in DECLARATION.collects if word not in parsed.collected
        ),
    )


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List the paths that a sync would read."""
    paths, _ = parse_paths_and_options(location, DECLARATION.location_options)
    if not paths:
        return (Probe(f"{DECLARATION.name}:FILE", EXPECTED_KIND, False),)
    return tuple(
        probe_answer_file(place, EXPECTED_KIND)
        for path in paths
        for place in _list_files(path)
    )


def _list_files(location: str) -> Iterator[str]:
    """List the file itself, or the dumps and answers in a folder."""
    try:
        path = expand_user_path(location)
        if not path.is_dir():
            yield location
            return
        names = sorted(c.name for c in path.iterdir() if c.suffix in _SUFFIXES)
    except OSError as error:
        why = error.strerror or "cannot be read"
        raise EnvironmentFailure(f"{location}: {why}") from None
    for name in names:
        yield f"{location.rstrip('/')}/{name}"
