"""The wheel in a virtual environment of its own, as docs/install.md says."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
# Python of the system, which every user may run; the tests' own may not be.
SYSTEM_PYTHON = Path("/usr/bin/python3")


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout."""
    build = [UV, "build", "--wheel", "--no-build-isolation", "--out-dir", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@contextlib.contextmanager
def install_wheel(wheel: Path) -> Iterator[Path]:
    """Install a wheel where every user may read it; yield its `bin` folder."""
    with tempfile.TemporaryDirectory(prefix="answerable-installed-") as name:
        Path(name).chmod(0o755)
        venv = Path(name) / "venv"
        python = SYSTEM_PYTHON if SYSTEM_PYTHON.exists() else Path(sys.executable)
        subprocess.run([UV, "venv", "-q", "--python", python, str(venv)], check=True)
        install = [UV, "pip", "install", "-q", "--python", str(venv / "bin" / "python")]
        core = ROOT / "requirements" / "core.txt"
        subprocess.run([*install, "--require-hashes", "-r", str(core)], check=True)
        subprocess.run([*install, "--no-deps", str(wheel)], check=True)
        yield venv / "bin"
