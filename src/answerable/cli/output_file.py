"""Write an answer to a file that the command line names."""

from pathlib import Path

from answerable.connectors.user_path import expand_user_path
from answerable.model.errors import EnvironmentFailure, UsageError


def write_output_file(name: str, text: str) -> None:
    """Write a file, which is replaced when it is complete.

    Raises:
        UsageError: The name is that of a folder, a pipe or a device.
        EnvironmentFailure: The file cannot be written.
    """
    check_output_file(name)
    path = expand_user_path(name)
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="")
        part.replace(path)
    except OSError as error:
        raise EnvironmentFailure(
            f"{name}: {error.strerror or 'cannot be written'}",
            "name a file in a folder that you may write",
        ) from None


def check_output_file(name: str) -> None:
    """Check that a name is that of a regular file, or of none yet.

    Raises:
        UsageError: It is not.
    """
    path = expand_user_path(name)
    if not name or (path.exists() and not path.is_file()):
        raise UsageError(
            f"{name or 'an empty name'} is not a regular file",
            "name a new file",
        )


def check_output_folder(name: str) -> None:
    """Check that a name is that of a folder, or of none yet.

    Raises:
        UsageError: It is not.
    """
    path = Path(name)
    if not name or (path.exists() and not path.is_dir()):
        raise UsageError(
            f"{name or 'an empty name'} is not a folder", "name a folder for the files"
        )
