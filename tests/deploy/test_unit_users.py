"""Four servers as systemd starts them: each a user of its own, three share a store."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.unit_restrictions import (
    FOLDER,
    NEEDS_ROOT,
    UNITS,
    UnitRestrictions,
    read_tmpfiles,
    read_unit,
)
from tests.web.runtime.test_process import Browser

# Of no passwd entry, as systemd-sysusers numbers its users; a group of its own for one.
IDS = {
    "root": 0,
    "answerable": 20001,
    "answerable-gateway": 20002,
    "answerable-web": 20003,
    "answerable-collector": 20004,
    "answerable-sts": 20005,
    "stranger": 20006,
}
GROUPS = {unit["User"]: unit["Group"] for unit in map(read_unit, UNITS)}
TRAIL = Path(__file__).parents[1] / "data" / "cloudtrail" / "day.json"
SECONDS = 120
LOGGED = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}  # the page writes its link to a file
# Names of the address that each unit prints.
ADDRESSES = {
    "answerable-collector": "collector",
    "answerable-gateway": "gateway",
    "answerable-token-service": "sts",
    "answerable-web": "web",
}
pytestmark = [pytest.mark.world, NEEDS_ROOT]


@dataclass
class Host:
    """Folders of a host, and the programs that run there.

    Attributes:
        lib: Folder that stands for `/var/lib`.
        bin: Folder of the installed programs.
    """

    folder: Path
    bin: Path

    @property
    def lib(self) -> Path:
        return self.folder / "lib"

    @property
    def store(self) -> Path:
        return self.lib / "answerable" / "store"

    def run_as(self, user: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program as a user, in its group alone and with the umask of a shell."""
        group = GROUPS.get(user, user)
        return subprocess.run(
            words,
            user=IDS[user],
            group=IDS[group],
            extra_groups=[],
            umask=0o022,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def answer_as(self, user: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `answerable` on the store as a user."""
        program = str(self.bin / "answerable")
        return self.run_as(user, program, *words, "--store", str(self.store))

    def count_rows(self, user: str) -> dict[str, int]:
        """Count the events of the store by source, as a user."""
        query = "SELECT source, count(*) AS n FROM events GROUP BY source"
        done = self.answer_as(user, "sql", query, "-o", "json")
        assert done.returncode == 0, done.stderr
        return {each["source"]: each["n"] for each in json.loads(done.stdout)["items"]}


@pytest.fixture(scope="module")
def host(installed: Path) -> Iterator[Host]:
    with tempfile.TemporaryDirectory(prefix="answerable-units-") as name:
        host = Host(Path(name), installed)
        host.folder.chmod(0o755)
        for each in ("lib", "etc", "run", "logs"):
            (host.folder / each).mkdir()
            (host.folder / each).chmod(0o755)
        shutil.copy(TRAIL, host.folder / "logs")
        (host.folder / "logs" / TRAIL.name).chmod(0o644)
        make_folders(host)
        for config in FOLDER.glob("*.yaml"):
            text = re.sub("/var/lib", str(host.lib), config.read_text())
            text = re.sub("/run", str(host.folder / "run"), text)
            text = re.sub(r"127\.0\.0\.1:84\d\d$", "127.0.0.1:0", text, flags=re.M)
            text = text.replace("url: http://127.0.0.1:0", "url: http://127.0.0.1:8472")
            text = text.replace("config:/etc/answerable", f"config:{host.folder}/etc")
            if "sources:" in text:
                text += f"  - source: cloudtrail:{host.folder}/logs\n    every: 1h\n"
            (host.folder / "etc" / config.name).write_text(text)
            (host.folder / "etc" / config.name).chmod(0o644)
        yield host


def make_folders(host: Host) -> None:
    """Make the folders that systemd makes at boot and when it starts a unit."""
    file = host.folder / "tmpfiles.conf"
    lines = []
    for words in read_tmpfiles():
        path = words[1].replace("/var/lib", str(host.lib))
        owner, group = (str(IDS[each]) for each in words[3:5])
        lines.append(" ".join([words[0], path, words[2], owner, group, words[5]]))
    file.write_text("".join(f"{line}\n" for line in lines))
    subprocess.run(["systemd-tmpfiles", "--create", str(file)], check=True)
    for path in UNITS:
        unit = read_unit(path)
        folder = host.folder / "run" / unit["RuntimeDirectory"]
        folder.mkdir()
        os.chown(folder, IDS[unit["User"]], IDS[unit["Group"]])


@contextlib.contextmanager
def start_unit(path: Path, host: Host) -> Iterator[dict[str, str]]:
    """Start a unit's command; yield the addresses and files that it names."""
    unit = read_unit(path)
    words = unit["ExecStart"].split()[1:]
    at = words.index("--config") + 1
    words[at] = str(host.folder / "etc" / Path(words[at]).name)
    restrictions = UnitRestrictions(path, IDS, host.lib)
    home = unit["Environment"].replace("HOME=/var/lib", str(host.lib))
    with subprocess.Popen(
        [str(host.bin / "answerable"), *words],
        preexec_fn=restrictions.apply,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "HOME": home, **LOGGED},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            said: dict[str, str] = {}
            while not said.get(ADDRESSES[path.stem], "").startswith("http://"):
                line = process.stdout.readline()
                assert line, process.communicate(timeout=SECONDS)
                name, _, where = line.strip().partition(" ")
                said[name] = where
            yield said
        finally:
            process.terminate()
            _, log = process.communicate(timeout=SECONDS)
            (host.folder / f"{path.stem}.log").write_text(log)
    assert process.returncode == 0, log


def wait_for_rows(host: Host, source: str) -> None:
    until = time.monotonic() + SECONDS
    while source not in host.count_rows("answerable-web"):
        assert time.monotonic() < until
        time.sleep(1)


@pytest.fixture(scope="module")
def used(host: Host) -> Host:
    """The host after each of four servers, running together, did its work."""
    with contextlib.ExitStack() as stack:
        said = {
            path.stem.removeprefix("answerable-"): stack.enter_context(
                start_unit(path, host)
            )
            for path in UNITS
        }
        gateway = Browser(said["gateway"]["gateway"].removeprefix("http://"))
        assert gateway.ask("POST", "/mcp/none")[0] == 403  # and that is recorded
        link = host.lib / "answerable-web" / "sign-in-link"
        page = Browser(said["web"]["web"].removeprefix("http://"))
        assert page.sign_in(link.read_text().strip()) == 303
        wait_for_rows(host, "cloudtrail")
        status, _, text = page.ask("GET", "/agents")
        assert status == 200, text
        service = Browser(said["token-service"]["sts"].removeprefix("http://"))
        status, _, keys = service.ask("GET", "/jwks")
        assert status == 200, keys
    return host


def test_each_server_records_in_the_store_and_any_of_them_verifies_it(
    used: Host,
) -> None:
    found = {user: used.count_rows(user) for user in GROUPS if user != "answerable-sts"}
    assert len(found) == 3
    for rows in found.values():
        assert rows.keys() >= {"cloudtrail", "gateway", "web"}
        assert rows == found["answerable-web"]
    for user in found:
        done = used.answer_as(user, "evidence", "verify")
        assert done.returncode == 0, done.stderr


def test_what_they_wrote_is_for_their_group_and_for_no_others(used: Host) -> None:
    owners = set()
    for path in used.lib.rglob("*"):
        facts = path.lstat()
        assert not facts.st_mode & 0o007, path
        owners.add(facts.st_uid)
        if path.is_relative_to(used.store):
            assert facts.st_gid == IDS["answerable"], path
    assert owners == {IDS[user] for user in GROUPS} | {0}
    assert {each.stat().st_uid for each in used.store.rglob("*")} == {
        IDS[user] for user in GROUPS if user != "answerable-sts"
    }


def list_allowed(host: Host, user: str, test: str) -> set[str]:
    """List the paths below `/var/lib` for which test(1) says yes to a user."""
    script = f'find "$1" 2>/dev/null | while read -r each; do test {test} "$each" && echo "$each"; done'
    done = host.run_as(user, "sh", "-c", script, "sh", str(host.lib))
    return {str(Path(line).relative_to(host.lib)) for line in done.stdout.splitlines()}


def list_folders(paths: set[str]) -> set[str]:
    """List the folders of servers, and the store, in which paths are."""
    parts = (Path(each).parts for each in paths)
    return {
        "store" if each[:2] == ("answerable", "store") else each[0]
        for each in parts
        if each and each != ("answerable",)
    }


def test_each_user_writes_its_own_state_and_the_store(used: Host) -> None:
    written = {user: list_allowed(used, user, "-w") for user in (*GROUPS, "stranger")}
    assert {user: list_folders(paths) for user, paths in written.items()} == {
        "answerable-gateway": {"store", "answerable-gateway"},
        # Approved pins, and nothing else of the gateway's.
        "answerable-web": {"store", "answerable-web", "answerable-gateway"},
        "answerable-collector": {"store", "answerable-collector", "answerable-gateway"},
        "answerable-sts": {"answerable-sts"},
        "stranger": set(),
    }
    for user in ("answerable-web", "answerable-collector"):
        gateways = {each for each in written[user] if each.startswith("answerable-gat")}
        assert gateways == {"answerable-gateway/pins"}


def test_no_server_reads_the_secrets_of_another(used: Host) -> None:
    everything = list_allowed(used, "root", "-e")
    secrets = {
        "answerable-gateway": {"answerable-gateway/shared.key"},
        "answerable-web": {"answerable-web/sign-in-link"},
        "answerable-sts": {
            each for each in everything if each.startswith("answerable-sts/")
        },
    }
    assert any(each.endswith(".pem") for each in secrets["answerable-sts"])
    for user in (*GROUPS, "stranger"):
        readable = list_allowed(used, user, "-r")
        for owner, names in secrets.items():
            assert names <= everything
            if owner != user:
                assert not names & readable, (user, owner)
    assert not list_folders(list_allowed(used, "stranger", "-r"))
    assert list_folders(list_allowed(used, "answerable-sts", "-r")) == {
        "answerable-sts"
    }


def test_a_user_of_another_group_cannot_use_the_store(used: Host) -> None:
    for user in ("answerable-sts", "stranger"):
        done = used.answer_as(user, "agents")
        assert done.returncode == 5, done.stderr
        assert done.stderr.startswith("error: permission denied: "), done.stderr


def test_a_key_of_the_store_that_others_may_read_stops_each_user(used: Host) -> None:
    key = used.store / "keys" / "fingerprint.key"
    key.chmod(0o664)
    try:
        done = used.answer_as("answerable-web", "evidence", "verify")
        assert done.returncode != 0
        assert f"{key} can be read by others than" in done.stdout
    finally:
        key.chmod(0o660)
