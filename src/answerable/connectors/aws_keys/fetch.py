"""Read output of list-access-keys from one file, or a folder with a file per user."""

from collections.abc import Iterator

from answerable.connectors.api_response_file import (
    MAX_ANSWER_BYTES,
    probe_answer_file,
    read_answer_file,
)
from answerable.connectors.aws_keys.declaration import DECLARATION
from answerable.connectors.aws_keys.parse import parse
from answerable.connectors.formats.access_key_lists import EXPECTED_KIND
from answerable.connectors.user_path import expand_user_path
from answerable.model.connector import SyncContext
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.sighting import Probe, Sync


def sync(location: str, context: SyncContext) -> Sync:
    """Read the answers; unreadable parts are listed in `problems`.

    Args:
        location: A file, or a folder whose `*.json` files are read.
        context: Context of the scan.

    Raises:
        UsageError: The location is missing or has other content.
        ParseError: The file is not JSON.
        EnvironmentFailure: It is not readable.
    """
    source = f"{DECLARATION.name}:{location}"
    places = list(_list_files(location))
    if not places:
        raise UsageError(
            f"{source}: no *.json file in the folder"
            if location
            else f"{source}: no file given",
            "collect with: aws iam list-access-keys --user-name NAME --output json",
        )
    files: list[tuple[str, bytes]] = []
    left = MAX_ANSWER_BYTES
    for place in places:
        data = read_answer_file(place, EXPECTED_KIND, left)
        left -= len(data)
        files.append((place, data))
    facts, problems = parse(files, source=source, now=context.now)
    nothing = bool(problems) and not facts.credentials
    return Sync(
        source=source,
        connector=DECLARATION.name,
        started_at=context.now,
        facts=facts,
        probes=tuple(Probe(place, EXPECTED_KIND, True) for place in places),
        problems=problems,
        collected=() if nothing else DECLARATION.collects,
        not_collected=DECLARATION.collects if nothing else (),
    )


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List the paths that a sync would read."""
    if not location:
        return (Probe(f"{DECLARATION.name}:FILE", EXPECTED_KIND, False),)
    return tuple(
        probe_answer_file(place, EXPECTED_KIND) for place in _list_files(location)
    )


def _list_files(location: str) -> Iterator[str]:
    """List the files of a location: the file itself, or a folder's `.json` files."""
    if not location:
        return
    try:
        path = expand_user_path(location)
        if not path.is_dir():
            yield location
            return
        names = sorted(child.name for child in path.iterdir() if child.is_file())
    except OSError as error:
        why = error.strerror or "cannot be read"
        raise EnvironmentFailure(f"{location}: {why}") from None
    except (ValueError, UsageError):
        yield location
        return
    for name in names:
        if name.endswith(".json"):
            yield f"{location.rstrip('/')}/{name}"
