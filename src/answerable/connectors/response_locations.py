"""Locations of sources that read saved responses: their paths, options and files."""

from collections.abc import Collection, Iterable

from answerable.connectors.api_response_file import probe_answer_file, read_answer_file
from answerable.connectors.bounded_folder import iterate_answer_files
from answerable.connectors.user_path import expand_user_path
from answerable.model.sighting import Probe, ReadProblem, ReadProblemKind


def parse_paths_and_options(
    location: str, option_names: Collection[str]
) -> tuple[list[str], dict[str, str]]:
    """Split a location, `PATH[,PATH...][,NAME=VALUE...]`, into paths and options."""
    paths: list[str] = []
    options: dict[str, str] = {}
    for part in location.split(","):
        name, mark, value = part.partition("=")
        if mark and name in option_names:
            options[name] = value
        elif part:
            paths.append(part)
    return paths, options


def probe_answer_files(
    paths: Iterable[str], suffixes: tuple[str, ...], expected: str
) -> tuple[Probe, ...]:
    """List the files of paths that a scan would read, and whether each exists."""
    return tuple(
        probe_answer_file(place, expected)
        for path in paths
        for place, _ in iterate_answer_files(path, suffixes, [])
    )


def read_bounded_answer(
    place: str, expected: str, limit: int, advice: str, problems: list[ReadProblem]
) -> bytes | None:
    """Read a file of answers; None and a problem if it is larger than the limit."""
    try:
        size = expand_user_path(place).stat().st_size
    except (OSError, ValueError):
        size = 0
    if size > limit:
        what = f"larger than {limit >> 20} MiB; {advice}"
        problems.append(ReadProblem(ReadProblemKind.TOO_LARGE, place, what))
        return None
    return read_answer_file(place, expected, limit)
