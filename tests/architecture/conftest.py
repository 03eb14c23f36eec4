"""Files of the project, for several architecture tests."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


def _project_files(root: Path) -> list[Path]:
    """List every file that is tracked, or would be on the next `git add`."""
    # The tests hide the home of whoever runs them, and its safe.directory with it.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    command += ["--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(command, cwd=root, capture_output=True, check=True)
    names = answer.stdout.decode("utf-8").split("\0")
    paths = (root / name for name in sorted(set(names)) if name)
    return [path for path in paths if path.is_file() and not path.is_symlink()]


@pytest.fixture
def project_files() -> Callable[[Path], list[Path]]:
    return _project_files


@pytest.fixture
def planted_checkout(tmp_path: Path) -> Path:
    """An empty checkout to plant violations in."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return tmp_path
