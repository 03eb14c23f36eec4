"""systemd units: hardened, valid, and their commands run under their restrictions."""

import ctypes
import os
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.connectors.config.readings import faults

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
MAX_EXPOSURE = 2.0
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, PR_SET_NO_NEW_PRIVS = 65, 1, 38  # prctl(2)
NEEDS_SYSTEMD = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="needs systemd-analyze"
)


def read_unit(path: Path) -> dict[str, str]:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(path)
    return dict(unit["Service"])


def test_the_units_are_of_four_servers_and_the_signer_has_its_own_user() -> None:
    users = {path.stem: read_unit(path)["User"] for path in UNITS}
    signer = users.pop("answerable-token-service")
    assert set(users) == {
        "answerable-gateway",
        "answerable-web",
        "answerable-collector",
    }
    assert set(users.values()) == {"answerable"}
    assert signer == "answerable-sts"
    declared = (FOLDER / "answerable.sysusers").read_text()
    assert set(re.findall(r"(?m)^u (\S+)", declared)) == {"answerable", signer}


@pytest.mark.parametrize("name", ["answerable.yaml", "token-service.yaml"])
def test_the_configurations_are_valid(name: str) -> None:
    assert faults((FOLDER / name).read_text()) == []


@pytest.mark.world
@NEEDS_SYSTEMD
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_systemd_accepts_the_unit(path: Path, tmp_path: Path) -> None:
    # Only the program must exist; verify exits 0 on unknown keys, but names them.
    here = tmp_path / path.name
    program = r"(?m)^ExecStart=\S+"
    here.write_text(re.sub(program, f"ExecStart={sys.executable}", path.read_text()))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(here)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", str(here)],
        capture_output=True,
        text=True,
    )
    (level,) = re.findall(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert float(level) <= MAX_EXPOSURE


def restrict() -> None:
    """Take the restrictions of the unit that a process can take itself."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0
    os.umask(0o077)


@pytest.mark.world
@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_the_command_of_the_unit_becomes_ready(path: Path, tmp_path: Path) -> None:
    words = read_unit(path)["ExecStart"].split()[1:]
    config = FOLDER / Path(words[words.index("--config") + 1]).name
    text = re.sub(r"/var/lib/\w+(-sts)?", str(tmp_path / "state"), config.read_text())
    text = re.sub(r"/run/[\w-]+", str(tmp_path), text)
    text = re.sub(r"127\.0\.0\.1:84\d\d$", "127.0.0.1:0", text, flags=re.M)
    text = text.replace("url: http://127.0.0.1:0", "url: http://127.0.0.1:8472")
    text = text.replace("config:/etc/answerable", f"config:{tmp_path}")
    (tmp_path / config.name).write_text(text)
    words[words.index("--config") + 1] = str(tmp_path / config.name)
    with subprocess.Popen(
        [sys.executable, "-m", "answerable", *words],
        preexec_fn=restrict,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.terminate()
        _, log = process.communicate(timeout=120)
    assert " http://127.0.0.1:" in first, log
    assert process.returncode == 0
