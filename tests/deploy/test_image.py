"""The container image: built without a registry, small, and run as an arbitrary user."""

import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "deploy" / "image" / "build"
TOOLS = ("buildah", "mmdebstrap", "podman", "unshare")
TAG = "localhost/answerable:test"
MAX_MEGABYTES = 250
URL = "http://127.0.0.1:18470"
RESTRICTED = (
    "--read-only",
    "--network=host",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--shm-size=0",
)
pytestmark = [
    pytest.mark.world,
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, TOOLS)),
        reason="needs root, buildah, mmdebstrap and podman",
    ),
]


ENVIRONMENT = {**os.environ, "STORAGE_DRIVER": "vfs"}


def podman(*words: str, timeout: int = 600) -> subprocess.CompletedProcess[str]:
    """Run podman where its runtime accepts the cgroups of this machine."""
    script = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec podman "$@"'
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", *words],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[int]:
    """Build the image; yield its size in megabytes."""
    folder = tmp_path_factory.mktemp("image")
    # Images of its own, apart from those of this machine.
    storage = folder / "storage.conf"
    places = f'graphroot = "{folder / "graph"}"\nrunroot = "{folder / "run"}"\n'
    storage.write_text(f'[storage]\ndriver = "vfs"\n{places}')
    ENVIRONMENT["CONTAINERS_STORAGE_CONF"] = str(storage)
    size = folder / "size"
    done = subprocess.run(
        [str(BUILD), str(wheel), "", TAG],
        env={**ENVIRONMENT, "SIZE_FILE": str(size)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    yield int(size.read_text())
    podman("rmi", "--force", TAG)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A volume that any user may write."""
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o711)
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def test_the_image_is_small_and_has_no_shell(image: int) -> None:
    assert image <= MAX_MEGABYTES
    for program in ("/bin/sh", "/bin/bash", "/usr/bin/apt", "/usr/bin/pip"):
        done = podman("run", "--rm", "--entrypoint", program, TAG, "-c", "true")
        assert done.returncode == 127, program
    inspected = json.loads(podman("inspect", TAG).stdout)[0]
    assert inspected["Config"]["User"] == "10001:0"
    assert "health" in str(inspected["Healthcheck"])


@pytest.mark.parametrize("user", ["10001:0", "123456:2000"])
def test_a_gateway_runs_as_any_user_and_ends_with_sigterm(
    image: int, data: Path, user: str
) -> None:
    config = "listen: {api: '127.0.0.1:18470', gateway: [{address: '127.0.0.1:0'}]}\n"
    (data / "answerable.yaml").write_text(config)
    name = f"answerable-test-{os.getpid()}"
    words = ["run", "--rm", "--detach", "--name", name, *RESTRICTED, "--user", user]
    done = podman(
        *words, "-v", f"{data}:/data", TAG, "serve", "--config", "/data/answerable.yaml"
    )
    assert done.returncode == 0, done.stderr
    try:
        until = time.monotonic() + 120
        while podman(
            "exec", name, "/usr/local/bin/answerable", "health", URL
        ).returncode:
            assert time.monotonic() < until, podman("logs", name).stderr
            time.sleep(0.5)
        connection = http.client.HTTPConnection("127.0.0.1", 18470)
        connection.request("GET", "/readyz", headers={"host": "10.1.2.3:18470"})
        assert connection.getresponse().status == 200
        connection.close()
    finally:
        stopped = podman("stop", "--time", "60", name)
    assert stopped.returncode == 0
    assert (data / "store" / "format.json").stat().st_uid == int(user.partition(":")[0])
    assert not list(data.glob("**/answerable-spill-*"))


def test_the_demo_runs_from_the_image(image: int, data: Path) -> None:
    words = ("-v", f"{data}:/data", TAG, "demo", "--keep", "/data/demo")
    done = podman("run", "--rm", *RESTRICTED, "--user", "10001:0", *words)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "this step ended" not in done.stdout


def test_the_image_of_the_other_architecture_is_built(
    image: int, wheel: Path, tmp_path: Path
) -> None:
    tag = "localhost/answerable:test-arm64"
    size = tmp_path / "size"
    done = subprocess.run(
        [str(BUILD), str(wheel), "arm64", tag],
        env={**ENVIRONMENT, "SIZE_FILE": str(size)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if shutil.which("aarch64-linux-gnu-strip"):
        assert int(size.read_text()) <= MAX_MEGABYTES
    inspected = json.loads(podman("inspect", tag).stdout)[0]
    assert (inspected["Architecture"], inspected["Os"]) == ("arm64", "linux")
    podman("rmi", "--force", tag)


def test_a_second_build_has_the_same_id(image: int, wheel: Path) -> None:
    tag = "localhost/answerable:test-again"
    done = subprocess.run(
        [str(BUILD), str(wheel), "", tag],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ids = {podman("inspect", each).stdout for each in (TAG, tag)}
    found = {json.loads(text)[0]["Id"] for text in ids}
    podman("rmi", "--force", tag)
    assert found == {done.stdout.split()[-1]}
