"""Load generator for token exchanges over keep-alive connections.

Run as `python -m bench.federation.load`, with an `TokenLoadOrder` as JSON on standard input; a
`TokenLoadResult` is what it prints. A token is good once and so is a proof, so every request is
made of its own; all of them are signed before the first is sent.
"""

import asyncio
import base64
import hashlib
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import cast
from urllib.parse import urlencode

import msgspec
import uvloop
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length: "
_GIVEN = b"HTTP/1.1 200 "
_SHA256 = ec.ECDSA(hashes.SHA256())
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_LIFE = 900  # seconds of a subject token; a proof is good for 60 from when it is made


class TokenLoadOrder(msgspec.Struct, frozen=True):
    """Parameters of a load.

    Attributes:
        port: Where, on 127.0.0.1.
        url: The token service's `iss`, and audience of the subject tokens.
        iss: Issuer of the subject tokens.
        kid: Of its key.
        key: That key, private, PEM, on P-256.
        job: Claim that the rule looks at.
        audience: Of what is asked for.
        proofs: Each client has a key of its own and shows it (DPoP).
        clients: How many connections.
        count: How many requests of all together.
        rate: Requests a second of all together, 0 for as many as are answered.
        core: Processor to run on, -1 for any.
        shown: A form and fields to send instead, always the same.
    """

    port: int
    url: str = ""
    iss: str = ""
    kid: str = ""
    key: str = ""
    job: str = ""
    audience: str = ""
    proofs: bool = False
    clients: int = 1
    count: int = 1
    rate: float = 0.0
    core: int = -1
    shown: dict[str, str] = {}


class TokenLoadResult(msgspec.Struct, frozen=True):
    """Result of a load.

    Attributes:
        calls: How many were answered.
        failed: How many answers gave no token; the first is `example`.
        seconds: From the first request to the last answer.
        median: Seconds from when a request was due to its whole answer.
        slow: The same, of the slowest of a hundred (the 99th percentile).
        example: An answer that gave none.
    """

    calls: int
    failed: int
    seconds: float
    median: float
    slow: float
    example: str = ""


def run_load(order: TokenLoadOrder) -> TokenLoadResult:
    """Run the load in a process of its own.

    Raises:
        RuntimeError: It did not end well, or was given something else than tokens.
    """
    argv = (sys.executable, "-m", "bench.federation.load")
    done = subprocess.run(
        argv, input=msgspec.json.encode(order), capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode("utf-8", "replace")[-500:])
    load = msgspec.json.decode(done.stdout, type=TokenLoadResult)
    if load.failed or not load.calls:
        raise RuntimeError(f"{load.failed} of {load.calls} failed: {load.example}")
    return load


# Requests, made beforehand.


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _encode_segment(members: Mapping[str, object]) -> bytes:
    return _base64url(msgspec.json.encode(members))


class _SigningKey:
    """A key that signs tokens of one kind."""

    def __init__(
        self, private: ec.EllipticCurvePrivateKey, head: Mapping[str, object]
    ) -> None:
        self._private, self._head = private, _encode_segment(head)

    def sign(self, payload: Mapping[str, object]) -> str:
        signed = self._head + b"." + _encode_segment(payload)
        r, s = decode_dss_signature(self._private.sign(signed, _SHA256))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return (signed + b"." + _base64url(signature)).decode()


def _client_key() -> _SigningKey:
    """Create a client's DPoP key (RFC 9449 4.2)."""
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_numbers()
    x, y = (_base64url(n.to_bytes(32, "big")).decode() for n in (point.x, point.y))
    jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    return _SigningKey(private, {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk})


def _encode_request(
    order: TokenLoadOrder, form: Mapping[str, str], fields: Mapping[str, str]
) -> bytes:
    """Encode a request like a client library."""
    body = urlencode(form)
    lines = {
        "Host": f"127.0.0.1:{order.port}",
        "User-Agent": "bench/1",
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
        **fields,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST /token HTTP/1.1\r\n{head}\r\n{body}".encode()


def build_requests(order: TokenLoadOrder) -> list[deque[bytes]]:
    """Build all requests, by connection."""
    share = range(order.count // order.clients)
    if order.shown:
        again = _encode_request(order, order.shown, {})
        return [deque(again for _ in share) for _ in range(order.clients)]
    private = load_pem_private_key(order.key.encode(), None)
    issuer = _SigningKey(
        cast(ec.EllipticCurvePrivateKey, private),
        {"alg": "ES256", "typ": "JWT", "kid": order.kid},
    )
    made = []
    for _ in range(order.clients):
        prover = _client_key() if order.proofs else None
        made.append(deque(_build_request(order, issuer, prover) for _ in share))
    return made


def _build_request(
    order: TokenLoadOrder, issuer: _SigningKey, prover: _SigningKey | None
) -> bytes:
    now = int(time.time())
    # About what a platform says of a job.
    subject = issuer.sign(
        {
            "iss": order.iss,
            "sub": f"repo:corp/deploy@{order.job}",
            "aud": order.url,
            "iat": now,
            "nbf": now,
            "exp": now + _LIFE,
            "jti": secrets.token_hex(16),
            "job": order.job,
            "ref": "refs/heads/main",
            "repository": "corp/deploy",
            "repository_id": "456789",
            "workflow_ref": "corp/deploy/.ci/deploy.yml@refs/heads/main",
            "sha": hashlib.sha1(b"commit", usedforsecurity=False).hexdigest(),
        }
    )
    form = {
        "grant_type": _EXCHANGE,
        "subject_token": subject,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "audience": order.audience,
        "scope": "read",
    }
    if prover is None:
        return _encode_request(order, form, {})
    proof = prover.sign(
        {
            "jti": secrets.token_hex(16),
            "htm": "POST",
            "htu": f"{order.url}/token",
            "iat": now,
        }
    )
    return _encode_request(order, form, {"DPoP": proof})


# Sending them.


class _TokenConnection(asyncio.Protocol):
    """One connection."""

    def __init__(self, caller: "_TokenLoad", requests: deque[bytes]) -> None:
        self._caller, self._requests = caller, requests
        self._due = self._began = 0.0
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._caller.on_closed(len(self._requests))

    def send_first(self, due: float) -> None:
        self._due = due
        self._send_next()

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer."""
        self._answer = data = self._answer + data if self._answer else data
        head, end, body = data.partition(_END)
        if not end:
            return
        length = head.lower().partition(_LENGTH)[2].partition(b"\r")[0]
        if len(body) < int(length):
            return
        self._caller.record_answer(time.perf_counter() - self._began, data)
        self._answer = b""
        self._due += self._caller.pause
        self._send_next()

    def _send_next(self) -> None:
        now = time.perf_counter()
        if not self._requests:
            self._transport.close()
        elif self._due > now and self._caller.pause:
            # A timer is late by itself, which is nobody's waiting.
            self._caller.loop.call_later(self._due - now, self._send_request, 0.0)
        else:
            self._send_request(self._due if self._caller.pause else 0.0)

    def _send_request(self, due: float) -> None:
        """Send the next request; a late one is timed from its due time."""
        self._began = due or time.perf_counter()
        self._transport.write(self._requests.popleft())


class _TokenLoad:
    """All connections of a load."""

    def __init__(self, order: TokenLoadOrder) -> None:
        self.loop = asyncio.get_running_loop()
        self.pause = order.clients / order.rate if order.rate else 0.0
        self._order = order
        self._walls: list[float] = []
        self._failed = 0
        self._example = ""
        self._open = order.clients
        self._over = self.loop.create_future()

    async def run_requests(self, requests: list[deque[bytes]]) -> TokenLoadResult:
        """Run until every request has its response."""
        clients = []
        for mine in requests:
            make = partial(_TokenConnection, self, mine)
            _, client = await self.loop.create_connection(
                make, "127.0.0.1", self._order.port
            )
            clients.append(client)
        began = time.perf_counter()
        for number, client in enumerate(clients):
            client.send_first(began + number * self.pause / len(clients))
        await self._over
        walls = sorted(self._walls) or [0.0]
        return TokenLoadResult(
            len(walls), self._failed, time.perf_counter() - began,
            statistics.median(walls), walls[len(walls) * 99 // 100], self._example,
        )  # fmt: skip

    def record_answer(self, wall: float, answer: bytes) -> None:
        """Record one response."""
        self._walls.append(wall)
        if not answer.startswith(_GIVEN):
            self._failed += 1
            self._example = self._example or answer.decode("latin-1")

    def on_closed(self, left: int) -> None:
        """Handle a closed connection; before its last request it is a failure."""
        if left:
            self._failed += left
            self._example = self._example or "the connection was closed"
        self._open -= 1
        if not self._open:
            self._over.set_result(None)


async def _main() -> None:
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=TokenLoadOrder)
    if order.core >= 0:
        os.sched_setaffinity(0, {order.core})
    load = await _TokenLoad(order).run_requests(build_requests(order))
    sys.stdout.buffer.write(msgspec.json.encode(load))


if __name__ == "__main__":
    uvloop.run(_main())
