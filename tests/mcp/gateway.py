"""The gateway in front of the test server: a configuration, a caller, a process."""

import contextlib
import json
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.federation.sample_tokens import (
    AUD,
    EC,
    ISS,
    claims,
    document,
    header,
    public,
    sign,
)
from tests.mcp.running import ROOT, forwarder, started

SUBJECT = "svc-conformance"
OTHER = "svc-echoing"
# What the other agent may call; its servers may ask nothing back.
ECHOED = ["echo", "test_elicitation", "test_input_required_result_elicitation"]
# What the agent may do; the test server's tool `withheld` is on no list.
ALLOWED = {
    "server": "fixtures",
    "tools": [
        *("test_*", "json_schema_2020_12_tool", "echo", "greet", "slow*", "given_up"),
        *("failing_job", "protocol_error_job", "confirm_delete", "multi_input"),
    ],
    "resources": ["test://*"],
    "prompts": ["test_*"],
    "inputs": ["elicitation", "sampling", "roots"],
}


# The test server as the gateway starts it.
BY_COMMAND = {
    "command": [sys.executable, "-m", "tests.mcp.server", "--stdio"],
    "env": {"PYTHONPATH": str(ROOT)},
}


@dataclass(frozen=True)
class Gateway:
    """A gateway that runs.

    Attributes:
        url: Of the test server, as the gateway shows it.
        token: What its one agent's caller shows.
        folder: Where its configuration, store and state are.
    """

    url: str
    token: str
    folder: Path


def token(subject: str = SUBJECT) -> str:
    """Return an access token of the pinned issuer, good now."""
    now = int(time.time())
    return sign(
        header(), claims(sub=subject, client_id=subject, iat=now, exp=now + 3600)
    )


def configuration(
    server: dict[str, Any], *, workers: int = 1, port: int = 0, also: str = ""
) -> dict[str, Any]:
    """Return `answerable.yaml` for the test server.

    Args:
        server: Its section: by URL or by command.
        workers: Processes of the gateway.
        port: The gateway's own; 0 for any that is free.
        also: The one authority that clients reach it under, if not its own.
    """
    listener: dict[str, Any] = {"address": f"127.0.0.1:{port}"}
    if also:
        listener |= {"hosts": [also], "origins": [f"http://{also}"]}
    return {
        "store": "store",
        "listen": {
            "api": "127.0.0.1:0",
            "gateway": [listener],
            "workers": workers,
        },
        "issuers": {
            "corp": {
                "iss": ISS,
                "audience": AUD,
                "keys": "keys.json",
                "algs": ["ES256"],
                "bearer": True,
            }
        },
        "servers": {"fixtures": server},
        "default_mode": "enforce",
        "agents": {
            "conformance": {
                "owner": "ana@example.com",
                "mode": "enforce",
                "callers": [
                    {"issuer": "corp", "sub": SUBJECT},
                    {"stdio": "fixtures"},
                ],
                "allow": [ALLOWED],
            },
            "echoing": {
                "owner": "ben@example.com",
                "mode": "enforce",
                "callers": [{"issuer": "corp", "sub": OTHER}],
                "allow": [{"server": "fixtures", "tools": ECHOED}],
            },
        },
    }


def write(folder: Path, settings: dict[str, Any]) -> Path:
    """Write the configuration and the issuer's keys; JSON is YAML, too."""
    (folder / "keys.json").write_bytes(document(public(EC, kid="k1")))
    path = folder / "answerable.yaml"
    path.write_text(json.dumps(settings, indent=2))
    return path


@contextlib.contextmanager
def gateway(folder: Path, settings: dict[str, Any]) -> Iterator[Gateway]:
    """Run a gateway of one listener until the block ends."""
    path = write(folder, settings)
    argv = [sys.executable, "-m", "answerable", "serve", "--config", str(path)]
    with started(argv, lines=2) as said:
        _, url = said.splitlines()[1].split()
        yield Gateway(f"{url}/mcp/fixtures", token(), folder)


def wrapper(folder: Path, server: dict[str, Any]) -> list[str]:
    """Return the command that a client starts to have a gateway of its own."""
    path = write(folder, configuration(server))
    argv = [sys.executable, "-m", "answerable", "gateway", "stdio"]
    return [*argv, "--config", str(path), "--server", "fixtures"]


@contextlib.contextmanager
def with_token_added(
    folder: Path, server: dict[str, Any], workers: int = 1
) -> Iterator[str]:
    """Run a gateway behind a forwarder that adds the token; yield the URL of both."""
    port = _free_port()
    with (
        forwarder(port, token()) as authority,
        gateway(
            folder,
            configuration(server, workers=workers, port=port, also=authority),
        ),
    ):
        yield f"http://{authority}/mcp/fixtures"


def _free_port() -> int:
    """Return a port that nothing listens on at the moment.

    Gateway and forwarder each have to know the other's before they start.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
