"""A path as a user typed it.

Connectors and the command line share this: `Path.expanduser` alone raises RuntimeError
where a user is not known, and that would be told as a bug.
"""

from pathlib import Path

from answerable.model.errors import UsageError


def expanded(text: str) -> Path:
    """Make a path of what a user typed; `~` and `~NAME` at its start are homes.

    Raises:
        UsageError: There is no such user, or no home is known.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        pass
    if text.partition("/")[0] == "~":
        raise UsageError(f"no home directory is known (got {text!r})", "name it whole")
    raise UsageError(
        f"no such user (got {text!r})",
        "~NAME is the home of the user NAME; a file that is called so is ./~NAME",
    )
