"""An AWS of our own, for the connectors that ask one."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Moto's server in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    home = tmp_path_factory.mktemp("moto")
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            # Each reset would load the images of AWS once an account and region.
            "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
        },
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(server, url)
        yield url
    finally:
        server.kill()  # it holds nothing, and on a signal it waits for its threads
        server.wait(timeout=60)


def _wait(server: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "moto's server ended"
        try:
            with urllib.request.urlopen(f"{url}/moto-api/data.json", timeout=60):  # noqa: S310 - our own server
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("moto's server did not start")


@pytest.fixture
def fresh(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server with nothing in it, and credentials that it takes."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    reset = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")  # noqa: S310 - our own server
    urllib.request.urlopen(reset, timeout=60).close()  # noqa: S310 - our own server
    return endpoint
