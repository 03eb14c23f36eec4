"""authgent under the same load, in its own environment."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from bench.federation.load import TokenLoadOrder
from bench.peer_tools import install_tools, tool_version
from tests.sts.running_service import ACCESS, EXCHANGE, free_port

SECONDS = 60  # until it listens


@dataclass(frozen=True, slots=True)
class RivalService:
    """A running rival service.

    Attributes:
        name: With its version.
        pid: Of its process.
        port: It listens at.
        shown: The form of an exchange.
    """

    name: str
    pid: int
    port: int
    shown: dict[str, str]

    def build_order(self, clients: int, count: int, core: int = -1) -> TokenLoadOrder:
        """Build a load; authgent accepts the same token every time."""
        return TokenLoadOrder(
            self.port, clients=clients, count=count, core=core, shown=self.shown
        )


@contextmanager
def run_authgent(root: Path, folder: Path) -> Iterator[RivalService | None]:
    """Run authgent; None if it cannot be installed."""
    bin_ = install_tools(root, folder, "peers", "authgent-server")
    if bin_ is None:
        yield None
        return
    port = free_port()
    home = folder / "authgent"
    home.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{port}"
    settings = {
        "AUTHGENT_DATABASE_URL": f"sqlite+aiosqlite:///{home / 'authgent.db'}",
        "AUTHGENT_SERVER_URL": url,
        "AUTHGENT_TOKEN_RATE_LIMIT": str(10**9),
    }
    argv = (str(bin_ / "authgent-server"), "run", "--host", "127.0.0.1", "--port")
    with (
        (home / "log").open("wb") as log,
        subprocess.Popen(
            (*argv, str(port)),
            cwd=home,
            env=os.environ | settings,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            _wait_until_ready(process, url)
            name = f"authgent {tool_version(bin_, 'authgent-server')}"
            yield RivalService(name, process.pid, port, _register_client(url))
        finally:
            process.terminate()


def _register_client(url: str) -> dict[str, str]:
    """Register a client, get its token, and build the exchange request."""
    said = {"client_name": "bench", "scope": "read"}
    grants = ["client_credentials", EXCHANGE]
    client = _post(
        url + "/register", json.dumps({**said, "grant_types": grants}), "json"
    )
    known = {key: client[key] for key in ("client_id", "client_secret")}
    asked = {"grant_type": "client_credentials", "scope": "read", **known}
    token = _post(url + "/token", urlencode(asked), "x-www-form-urlencoded")
    return {
        "grant_type": EXCHANGE,
        "client_id": client["client_id"],
        "subject_token": token["access_token"],
        "subject_token_type": ACCESS,
        "audience": "https://files.example",
        "scope": "read",
    }


def _post(url: str, body: str, kind: str) -> Mapping[str, str]:
    fields = {"Content-Type": f"application/{kind}"}
    with urlopen(Request(url, body.encode(), fields)) as reply:  # noqa: S310 - ours
        answer: Mapping[str, str] = json.load(reply)
        return answer


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            urlopen(url + "/health").close()  # noqa: S310 - ours
        except (URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("authgent did not come up")
