"""Hostile traffic at the gateway, next to a load.

Run as `python -m bench.gateway.hostile_load`, with an `HostileTraffic` as JSON on standard input;
at its end it prints how many requests of each kind it sent. It runs at the lowest
priority: the processors are those of the gateway, which is what is measured.
"""

import itertools
import json
import os
import socket
import sys
import threading
import time
from collections import Counter
from contextlib import suppress

import msgspec

from bench.gateway import fairness
from tests.attacks.starvation import hostile_requests
from tests.gateway.request_builders import META

_ROUND = 400  # requests
_LARGE = 0.01  # of the requests: each has 3.8 MB


class HostileTraffic(msgspec.Struct, frozen=True):
    """Parameters of the traffic.

    Attributes:
        where: HOST:PORT of the gateway.
        token: Of a caller with an agent, whose small calls are hostile.
        large_token: Of another one, whose calls have 3.8 MB: they wait for their turn.
        tool: That it may call.
        seconds: How long.
        rate: Requests a second.
        idle: Connections held open without a byte, opened again as they are closed.
    """

    where: str
    token: str
    large_token: str
    tool: str
    seconds: float
    rate: float
    idle: int


def send(attack: HostileTraffic) -> Counter[str]:
    """Send until the time is over; count requests by kind.

    Large calls wait for their caller's turn, so they have a thread and a caller of their
    own.
    """
    makes = hostile_requests.of_gateway(attack.where, attack.token)
    del makes["honest"]
    sent: Counter[str] = Counter()
    until = time.monotonic() + attack.seconds
    held: list[socket.socket] = []
    large: Counter[str] = Counter()
    sender = threading.Thread(target=_send_large_calls, args=(attack, until, large))
    sender.start()
    while (began := time.monotonic()) < until:
        sent["idle connections"] += _open_idle_connections(held, attack)
        sent += hostile_requests.send(attack.where, makes, _ROUND)
        time.sleep(max(0.0, began + _ROUND / attack.rate - time.monotonic()))
    sender.join()
    return sent + large


def _send_large_calls(attack: HostileTraffic, until: float, sent: Counter[str]) -> None:
    """Send calls of 3.8 MB over several connections, one kind after the other."""
    kinds = itertools.cycle(name for name in fairness.WORST if "3.8 MB" in name)
    pause = _ROUND / attack.rate / int(_ROUND * _LARGE)
    while (began := time.monotonic()) < until:
        kind = next(kinds)
        make = {kind: lambda kind=kind: _large_request(attack, kind)}
        sent += hostile_requests.send(attack.where, make, hostile_requests.CLIENTS)
        time.sleep(max(0.0, began + pause - time.monotonic()))


def _large_request(attack: HostileTraffic, kind: str) -> bytes:
    said = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    params = {"name": attack.tool, "arguments": None, "_meta": META}
    text = json.dumps(said | {"params": params}, separators=(",", ":"))
    body = text.replace("null", fairness.WORST[kind][0], 1).encode()
    fields = {
        "host": attack.where,
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": hostile_requests.VERSION,
        "mcp-method": "tools/call",
        "mcp-name": attack.tool,
        "authorization": f"Bearer {attack.large_token}",
    }
    return hostile_requests.request("POST /mcp/files HTTP/1.1", fields, body)


def _open_idle_connections(held: list[socket.socket], attack: HostileTraffic) -> int:
    """Open the missing idle connections; return their number."""
    for each in [each for each in held if _is_closed(each)]:
        each.close()
        held.remove(each)
    host, _, port = attack.where.rpartition(":")
    opened = 0
    with suppress(OSError):
        while len(held) < attack.idle:
            held.append(socket.create_connection((host, int(port)), 5))
            opened += 1
    return opened


def _is_closed(wire: socket.socket) -> bool:
    try:
        return wire.recv(1, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


if __name__ == "__main__":
    os.nice(19)
    attack = msgspec.json.decode(sys.stdin.buffer.read(), type=HostileTraffic)
    sys.stdout.buffer.write(msgspec.json.encode(send(attack)))
