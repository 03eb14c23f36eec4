"""systemd units: hardened, valid, and their commands run under their restrictions."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.connectors.config.readings import faults
from tests.deploy.unit_restrictions import (
    FOLDER,
    NEEDS_ROOT,
    NEEDS_SYSTEMD,
    UNITS,
    list_permitted_calls,
    read_tmpfiles,
    read_unit,
)

MAX_EXPOSURE = 2.0


def test_each_unit_has_a_user_of_its_own_and_the_signer_a_group_of_its_own() -> None:
    units = {path.stem: read_unit(path) for path in UNITS}
    users = {name: unit["User"] for name, unit in units.items()}
    assert users == {
        "answerable-gateway": "answerable-gateway",
        "answerable-web": "answerable-web",
        "answerable-collector": "answerable-collector",
        "answerable-token-service": "answerable-sts",
    }
    groups = {unit["User"]: unit["Group"] for unit in units.values()}
    assert groups.pop("answerable-sts") == "answerable-sts"
    assert set(groups.values()) == {"answerable"}
    declared = (FOLDER / "answerable.sysusers").read_text()
    found = dict(re.findall(r"(?m)^u (\S+) +-(?::(\S+))? ", declared))
    assert found == {**groups, "answerable-sts": ""}
    assert re.findall(r"(?m)^g (\S+)", declared) == ["answerable"]


def test_each_path_that_a_unit_writes_is_made_for_it_or_for_its_group() -> None:
    made = {words[1]: words for words in read_tmpfiles()}
    for unit in map(read_unit, UNITS):
        for path in unit.get("ReadWritePaths", "").split():
            _, _, mode, owner, group, _ = made[path]
            assert owner == unit["User"] or (mode, group) == ("2770", unit["Group"])
            assert mode[-1] == "0"


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


@pytest.mark.world
@NEEDS_SYSTEMD
def test_the_filter_of_the_units_refuses_privileged_calls() -> None:
    for path in UNITS:
        permitted = list_permitted_calls(path)
        assert {"read", "execve", "accept4"} <= permitted
        assert not {"ptrace", "mount", "setuid", "bpf"} & permitted


@pytest.mark.world
@NEEDS_ROOT
def test_the_users_and_folders_are_made_as_the_install_page_says(
    tmp_path: Path,
) -> None:
    page = (FOLDER.parents[1] / "docs" / "install.md").read_text()
    files = {"sysusers": "/etc/sysusers.d", "tmpfiles": "/etc/tmpfiles.d"}
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group"):
        (tmp_path / "etc" / name).write_text(f"root:x:0:{'0::/:' * (name[0] == 'p')}\n")
    for kind, folder in files.items():
        place = f"{folder}/answerable.conf"
        assert f"install -D -m 644 deploy/systemd/answerable.{kind} {place}\n" in page
        (tmp_path / place[1:]).parent.mkdir()
        shutil.copy(FOLDER / f"answerable.{kind}", tmp_path / place[1:])
    assert "systemd-sysusers && systemd-tmpfiles --create answerable.conf\n" in page
    run_at_root("systemd-sysusers", tmp_path)
    run_at_root("systemd-tmpfiles", tmp_path, "--create", "answerable.conf")
    text = (tmp_path / "etc" / "passwd").read_text()
    users = {line.split(":")[0]: line.split(":") for line in text.splitlines()}
    text = (tmp_path / "etc" / "group").read_text()
    groups = {line.split(":")[0]: int(line.split(":")[2]) for line in text.splitlines()}
    for unit in map(read_unit, UNITS):
        assert int(users[unit["User"]][3]) == groups[unit["Group"]]
        assert users[unit["User"]][6].endswith("nologin")
    for words in read_tmpfiles():
        facts = (tmp_path / words[1][1:]).stat()
        assert facts.st_mode & 0o7777 == int(words[2], 8)
        assert (facts.st_uid, facts.st_gid) == (
            int(users[words[3]][2]),
            groups[words[4]],
        )


def run_at_root(program: str, root: Path, *words: str) -> None:
    done = subprocess.run(
        [program, f"--root={root}", *words], capture_output=True, text=True, check=False
    )
    problems = [line for line in done.stderr.splitlines() if "Creating" not in line]
    assert (done.returncode, problems) == (0, []), done.stderr
