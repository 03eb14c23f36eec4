"""In a container: probes by address, a volume's root, no passwd entry, killed queries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from answerable.model.errors import UsageError
from answerable.server.listening_sockets import InheritedSocket
from answerable.server.wire.host_check import ServedNames
from answerable.store.store import EvidenceStore
from answerable.store.store_layout import open_layout
from answerable.usecases.operations.doctor import check_installation
from answerable.web.runtime import sign_in_setup
from tests.connectors.config.readings import faults, read

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs another user id")
LOCAL = ServedNames(frozenset({"127.0.0.1:8470"}))
REMOTE = ServedNames(frozenset({"0.0.0.0:8470"}), is_remote=True)


@pytest.mark.parametrize(
    ("served", "host", "path", "accepted"),
    [
        (LOCAL, "10.1.2.3:8470", "/readyz", True),
        (LOCAL, "[fd00::7]:8470", "/metrics", True),
        (LOCAL, "[fd00::7]", "/healthz", True),
        (LOCAL, "10.1.2.3", "/healthz", True),
        (LOCAL, "evil.example", "/metrics", False),
        (LOCAL, "10.1.2.3.evil.example:8470", "/metrics", False),
        (LOCAL, "", "/metrics", False),
        (LOCAL, "10.1.2.3:8470", "/mcp/files", False),
        (REMOTE, "gateway.agents.svc:8470", "/metrics", True),
        (REMOTE, "gateway.agents.svc:8470", "/mcp/files", False),
        (REMOTE, "gateway.agents.svc:8470", "/metrics/x", False),
    ],
)
def test_a_status_page_is_read_by_address(
    served: ServedNames, host: str, path: str, accepted: bool
) -> None:
    assert served.accepts_host(host, path) is accepted


def test_a_listener_outside_loopback_is_remote() -> None:
    text = "listen: {insecure: true, gateway: [{address: '0.0.0.0:1'}, {unix: gw}]}\n"
    config = read(text).config
    assert config is not None
    remote, unix = config.listen.gateway
    assert InheritedSocket(3, remote, ("h",), "").served_names.is_remote
    assert not InheritedSocket(3, unix, ("h",), "").served_names.is_remote


@pytest.mark.parametrize(
    "text",
    [
        "listen: {api: '0.0.0.0:8470', %s}\n",
        "listen: {%s}\nsts: {url: 'https://sts.example', health: '0.0.0.0:1'}\n",
        "listen: {%s}\ncollector: {listen: [{address: '0.0.0.0:1'}]}\n",
    ],
)
def test_health_outside_loopback_has_a_permission_of_its_own(text: str) -> None:
    assert "outside loopback" in str(faults(text % "workers: 1"))
    assert "outside loopback" not in str(faults(text % "remote_health: true"))


def test_the_permission_of_health_opens_no_gateway() -> None:
    listeners = "{remote_health: true, gateway: [{address: '0.0.0.0:1'}]}"
    assert "listen.insecure: true" in str(faults(f"listen: {listeners}\n"))


def test_a_store_at_the_root_of_a_volume(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    items = {item["check"]: item for item in check_installation(tmp_path, now=1).items}  # type: ignore[index]
    assert items["store"]["ok"]
    open_layout(tmp_path, create=True)
    assert (tmp_path / "format.json").exists()


def test_a_file_of_that_name_is_no_volume(tmp_path: Path) -> None:
    (tmp_path / "lost+found").write_text("mine")
    with pytest.raises(UsageError, match="is not a store"):
        open_layout(tmp_path, create=True)


def open_store_as(uid: int, gid: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """Create a store as a user without passwd entry; root imports the modules."""
    script = (
        "import os, sys; from pathlib import Path;"
        "from answerable.store.store_layout import open_layout;"
        f"os.setgroups([]); os.setgid({gid}); os.setuid({uid});"
        "open_layout(Path(sys.argv[1]), create=True)"
    )
    return subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        env={},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume as `fsGroup` mounts it: of root, writable by a group."""
    for parent in (tmp_path, *tmp_path.parents[:3]):  # those that pytest made
        parent.chmod(parent.stat().st_mode | 0o711)
    folder = tmp_path / "volume"
    folder.mkdir()
    (folder / "lost+found").mkdir(mode=0o700)
    os.chown(folder, 0, 4242)
    folder.chmod(0o2775)
    return folder


@ROOT_ONLY
def test_a_volume_of_a_group_becomes_a_store(volume: Path) -> None:
    done = open_store_as(123456, 4242, volume)
    assert done.returncode == 0, done.stderr
    assert (volume / "format.json").stat().st_uid == 123456
    assert (volume / "keys").stat().st_mode & 0o777 == 0o700


@ROOT_ONLY
def test_a_folder_that_everybody_may_write_stays_refused(volume: Path) -> None:
    volume.chmod(0o777)
    done = open_store_as(123456, 4242, volume)
    assert f"cannot make {volume}: Operation not permitted" in done.stderr
    assert not (volume / "format.json").exists()


def test_the_sign_in_link_stays_out_of_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.isatty", lambda _: False)
    assert not sign_in_setup.is_output_logged()
    monkeypatch.setattr("os.getpid", lambda: 1)
    assert sign_in_setup.is_output_logged()
    monkeypatch.setattr("os.isatty", lambda _: True)
    assert not sign_in_setup.is_output_logged()


def test_in_a_pod_the_sign_in_link_is_in_a_private_file(tmp_path: Path) -> None:
    EvidenceStore.open(tmp_path, now=1).close()
    words = ["--store", str(tmp_path), "serve", "--only", "web"]
    with subprocess.Popen(
        [sys.executable, "-m", "answerable", *words, "--listen", "127.0.0.1:0"],
        env={**os.environ, "KUBERNETES_SERVICE_HOST": "10.0.0.1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(2)]
        process.terminate()
        shown, logged = process.communicate(timeout=60)
    (_, url), (name, path) = lines
    assert name == "sign-in-link"
    assert Path(path).stat().st_mode & 0o777 == 0o600
    link = Path(path).read_text().strip()
    assert link.startswith(f"{url}/sign-in#")
    assert link.partition("#")[2] not in shown + logged
