"""Read a file of saved API responses that the user names, up to a size limit.

Shared by connectors that read such files; it does not interpret the content.
"""

from answerable.connectors.regular_file import read_named_file
from answerable.connectors.user_path import expand_user_path
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.sighting import Probe

MAX_ANSWER_BYTES = 512 << 20  # bytes


def read_answer_file(
    location: str, expected: str, limit: int = MAX_ANSWER_BYTES
) -> bytes:
    """Read a whole file, or the pipe of a shell's `<(COMMAND)`, up to a size limit.

    Args:
        location: Path; `~` is the user's home.
        expected: Expected content, for messages.
        limit: Maximum size, bytes.

    Raises:
        UsageError: It is missing, a folder, a named pipe, a socket or a device,
            or is larger than the limit.
        EnvironmentFailure: It is not readable.
    """
    try:
        path = expand_user_path(location)
        if path.is_dir():
            raise UsageError(
                f"{location} is a folder (expected a file with {expected})",
                "name one file; a scan reads several files as several sources",
            )
        if path.stat().st_size > limit:
            raise _too_large_error(location, expected, limit)
        data = read_named_file(path, limit + 1)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        hint = f"expected a file with {expected}"
        raise UsageError(f"{location}: no such file", hint) from None
    except OSError as error:
        why = error.strerror or "cannot be read"
        hint = "check the file's permissions"
        raise EnvironmentFailure(f"{location}: {why}", hint) from None
    if len(data) > limit:
        raise _too_large_error(location, expected, limit)
    return data


def probe_answer_file(location: str, expected: str) -> Probe:
    """Report as a probe whether a file exists, without opening it."""
    try:
        found = expand_user_path(location).exists()
    except (OSError, ValueError, UsageError):
        found = False
    return Probe(location, expected, found)


def _too_large_error(location: str, expected: str, limit: int) -> UsageError:
    """Build the usage error for a file above the size limit."""
    return UsageError(
        f"{location} is larger than {limit >> 20} MiB",
        f"expected a file that contains only {expected}",
    )
