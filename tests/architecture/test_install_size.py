"""What `pip install answerable` brings stays under 300 MB."""

import re
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

LIMIT = 300 * 1000 * 1000
PIN = re.compile(r"([^#\s\\][^\\]*?)(?: \\)?")


def locked(lock: Path) -> list[str]:
    """Name the distributions that a lock installs on this machine."""
    names = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        if pin := PIN.fullmatch(line):
            requirement = Requirement(pin[1])
            if requirement.marker is None or requirement.marker.evaluate():
                names.append(requirement.name)
    return names


def size(installed: Distribution) -> int:
    """Add up the bytes of an installed distribution's files."""
    paths = (Path(str(installed.locate_file(f))) for f in installed.files or [])
    return sum(path.stat().st_size for path in paths if path.is_file())


def test_the_core_install_is_at_most_300_megabytes(root: Path) -> None:
    names = locked(root / "requirements" / "core.txt")
    sizes = {name: size(distribution(name)) for name in names}
    assert all(sizes.values()), f"a distribution without files: {sizes}"
    assert "duckdb" in sizes
    assert sum(sizes.values()) <= LIMIT, sizes


def test_a_lock_is_read_with_its_markers(tmp_path: Path) -> None:
    lock = tmp_path / "core.txt"
    lock.write_text(
        "# written by hand\n"
        "kept==1.0 ; python_full_version >= '3.11' \\\n    --hash=sha256:00\n"
        "plain==2.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\n"
        "dropped==3.0 ; python_full_version < '3' \\\n    --hash=sha256:00\n"
    )
    assert locked(lock) == ["kept", "plain"]
