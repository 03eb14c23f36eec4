"""Extract a revision of the git repository in a folder, without running its hooks."""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from answerable.model.errors import EnvironmentFailure, UsageError

_TIMEOUT = 120  # seconds


@contextmanager
def extract_revision(folder: Path, revision: str) -> Iterator[Path]:
    """Extract a revision into a temporary folder that is removed afterwards.

    Args:
        folder: Folder in a working copy.
        revision: Commit, branch or tag.

    Raises:
        UsageError: It is no repository, or has no such revision.
        EnvironmentFailure: git is not installed, or the disk cannot be written.
    """
    git = shutil.which("git")
    if git is None:
        raise EnvironmentFailure("git is not installed", "name a folder instead")
    if not revision or revision.startswith("-"):
        raise UsageError(
            f"not a revision (got {revision[:80]!r})", "name one: git:main"
        )
    with TemporaryDirectory(prefix="answerable-") as made:
        archive = Path(made, "revision.tar")
        command = [git, "-C", str(folder), "archive", "--format=tar"]
        command += [f"--output={archive}", revision]
        try:
            done = subprocess.run(  # noqa: S603 - fixed words; no option of the user
                command,
                env={"PATH": os.environ.get("PATH", ""), "HOME": made, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise EnvironmentFailure(
                f"git did not extract {revision[:80]!r} within {_TIMEOUT} s",
                "name a folder with a checkout",
            ) from None
        if done.returncode:
            raise UsageError(
                f"git has no revision {revision[:80]!r} in {folder}",
                "fetch it first, or name a folder with a checkout",
            )
        checkout = Path(made, "checkout")
        with tarfile.open(archive) as tar:
            tar.extractall(checkout, filter="data")
        archive.unlink()
        yield checkout
