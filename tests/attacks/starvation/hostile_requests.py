"""Hostile and honest requests, each unlike the others, for a gateway or a token service."""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import uvloop

from tests.federation.sample_tokens import AUD, ISS
from tests.gateway.request_builders import META, VERSION
from tests.sts.running_service import (
    EXCHANGE,
    FILES,
    JWT,
    DpopClient,
    RunningService,
    ci_token,
)

CLIENTS = 8
Make = Callable[[], bytes]


def rnd(letters: int) -> str:
    return secrets.token_hex(letters // 2)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def request(head: str, fields: dict[str, str], body: bytes) -> bytes:
    fields = {**fields, "content-length": str(len(body))}
    lines = [head, *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def of_gateway(host: str, token: str) -> dict[str, Make]:
    """Requests of a caller who has a token, and of those who have none."""
    start = "POST /mcp/files HTTP/1.1"
    head, _, mark = token.split(".")

    def call(shown: str, name: str = "read", **more: Any) -> bytes:
        params = {"name": name, "arguments": {}, "_meta": META, **more}
        said = {"jsonrpc": "2.0", "id": rnd(40), "method": "tools/call"}
        fields = {
            "host": host,
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": VERSION,
            "mcp-method": "tools/call",
            "mcp-name": name,
            "authorization": f"Bearer {shown}",
            f"x-{rnd(20)}": rnd(200),
        }
        return request(start, fields, json.dumps(said | {"params": params}).encode())

    def unsigned() -> bytes:
        claimed = {"iss": ISS, "sub": rnd(60), "aud": AUD, "exp": int(time.time()) + 99}
        said = (json.dumps({"alg": "ES256", "kid": rnd(200)}), json.dumps(claimed))
        shown = ".".join(b64(each.encode()) for each in said)
        return call(f"{shown}.{b64(os.urandom(64))}")

    return {
        "no token": lambda: call(rnd(3000)),
        "unsigned token": unsigned,
        "changed token": lambda: call(f"{head}.{rnd(400)}.{mark}"),
        "unknown tool": lambda: call(token, rnd(1000)),
        "large arguments": lambda: call(token, arguments={"a": rnd(60_000)}),
        "state": lambda: call(token, requestState=rnd(2000)),
        "no JSON": lambda: request(start, {"host": host}, os.urandom(5000)),
        "no head": lambda: os.urandom(3000) + b"\r\n\r\n",
        "honest": lambda: call(token),
    }


def of_service(world: RunningService) -> dict[str, Make]:
    """Requests of workloads that a rule knows, and of others."""
    host = f"127.0.0.1:{world.port}"
    clients = [DpopClient(world) for _ in range(20)]

    def post(path: str, form: dict[str, str], proof: str = "") -> bytes:
        fields = {"host": host, "content-type": "application/x-www-form-urlencoded"}
        fields |= {"dpop": proof} if proof else {}
        return request(f"POST {path} HTTP/1.1", fields, urlencode(form).encode())

    def exchange(shown: str, **more: str) -> bytes:
        form = {
            "grant_type": EXCHANGE,
            "subject_token": shown,
            "subject_token_type": JWT,
            "audience": FILES,
        }
        return post("/token", form | more, secrets.choice(clients).proof())

    return {
        "no token": lambda: exchange(rnd(3000)),
        "no rule": lambda: exchange(ci_token(world, job=rnd(20))),
        "no audience": lambda: exchange(ci_token(world), audience=f"https://{rnd(80)}"),
        "no form": lambda: post("/token", {rnd(20): rnd(500) for _ in range(50)}),
        "introspect": lambda: post("/introspect", {"token": rnd(2000)}),
        "revoke": lambda: post("/revoke", {"token": rnd(2000)}),
        "no head": lambda: os.urandom(3000) + b"\r\n\r\n",
        "honest": lambda: exchange(ci_token(world)),
    }


def send(where: str, makes: dict[str, Make], count: int) -> Counter[str]:
    """Send that many over several connections; count them by kind."""
    sent: Counter[str] = Counter()
    names = list(makes)

    async def run() -> None:
        each = count // CLIENTS
        clients = (_client(where, makes, names, each, sent) for _ in range(CLIENTS))
        await asyncio.gather(*clients)

    uvloop.run(run())
    return sent


async def _client(
    where: str,
    makes: dict[str, Make],
    names: Sequence[str],
    count: int,
    sent: Counter[str],
) -> None:
    host, _, port = where.rpartition(":")
    writer: asyncio.StreamWriter | None = None
    for _ in range(count):
        name = secrets.choice(names)
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            if writer is None or writer.is_closing():
                reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(makes[name]())
            sent[name] += 1
            async with asyncio.timeout(60):
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                _, _, after = head.partition(b"content-length:")
                await reader.readexactly(int(after.partition(b"\r")[0] or 0))
            if b"connection: close" not in head:
                continue
        if writer is not None:
            writer.close()
    if writer is not None:
        writer.close()
