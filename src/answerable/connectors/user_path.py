"""Expand `~` and `~NAME` in a path that a user typed.

Shared by connectors and the command line: `Path.expanduser` alone raises RuntimeError
for an unknown user, which would be reported as a bug.
"""

from pathlib import Path

from answerable.model.errors import UsageError


def find_home_folder() -> Path | None:
    """Find the home directory; None for a user without one in the password file."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def expand_user_path(text: str) -> Path:
    """Expand a user-typed path; a leading `~` or `~NAME` is a home.

    Raises:
        UsageError: The user or the home is unknown.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        pass
    if text.partition("/")[0] == "~":
        raise UsageError(
            f"the home directory is unknown (got {text!r})", "use an absolute path"
        )
    raise UsageError(
        f"no such user (got {text!r})",
        "~NAME is the home directory of the user NAME; for a file with this name, "
        "use ./~NAME",
    )
