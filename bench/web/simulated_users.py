"""Simulated users: twenty users request pages with think time.

`python -m bench.web.simulated_users HOST:PORT LINK PID SECONDS` prints, as JSON, what each page took: seconds
from the request to its last byte, by name; and, asked alone, seconds of a processor.
"""

import gzip
import http.client
import json
import os
import random
import re
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

USERS = 20
THINKS = 2.0  # seconds, on average, between an answer and the next question
PATIENCE = 900.0  # seconds: until everything is read
ALONE = 5  # questions of a kind, one after the other: what each takes of a processor
_LINKED = re.compile(r'(?:href|src)="(/assets/[^"]+\.(?:css|js)[^"]*)"')

Queries = Mapping[str, Callable[[], str]]


@dataclass
class KnownIds:
    """Ids to query, discovered from the API."""

    chance: random.Random
    agents: list[str] = field(default_factory=list)
    identities: list[str] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    acting: list[str] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)


class UserConnection:
    """One connection of one signed-in user."""

    def __init__(self, at: str, cookie: str) -> None:
        self._at, self._cookie = at, cookie
        self._line = http.client.HTTPConnection(at, timeout=PATIENCE)

    def get(self, target: str) -> tuple[int, bytes, Mapping[str, str]]:
        fields = {"cookie": self._cookie, "accept-encoding": "gzip"}
        try:
            self._line.request("GET", target, headers=fields)
            answer = self._line.getresponse()
        except (http.client.HTTPException, ConnectionError):
            self._line.close()
            self._line.request("GET", target, headers=fields)
            answer = self._line.getresponse()
        body = answer.read()
        return answer.status, body, {n.lower(): v for n, v in answer.getheaders()}

    def json(self, target: str) -> Any:
        status, body, fields = self.get(target)
        if status != 200:
            raise RuntimeError(f"{target}: {status} {strip_fields(body, fields)[:300]}")
        return json.loads(strip_fields(body, fields))


def strip_fields(body: bytes, fields: Mapping[str, str]) -> str:
    if fields.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return body.decode()


def sign_in(at: str, link: str) -> str:
    """Redeem the printed link; return the cookie."""
    token = link.partition("#")[2]
    form = {"content-type": "application/x-www-form-urlencoded"}
    with closing(http.client.HTTPConnection(at, timeout=PATIENCE)) as line:
        line.request("POST", "/sign-in", urlencode({"token": token}), form)
        answer = line.getresponse()
        answer.read()
        said = answer.getheader("set-cookie") or ""
    if answer.status != 303:
        raise RuntimeError(f"sign-in: {answer.status}")
    return said.partition(";")[0]


def discover_ids(line: UserConnection, seed: int) -> KnownIds:
    """Discover ids to query."""
    known = KnownIds(random.Random(seed))
    for name in ("agents", "identities", "credentials", "people"):
        for sort in ("name", "-name", "owner"):
            said = line.json(f"/api/v1/{name}?limit=300&sort={sort}")
            getattr(known, name).extend(item["id"] for item in said["items"])
            if name == "people":
                break
    for item in line.json("/api/v1/trace?limit=1000&source=cloudtrail")["items"]:
        known.events.append(item["event_id"])
        known.acting.extend(item["identity_path"])
        known.resources.append(item["hops"]["resource"]["value"])
    known.acting = sorted(set(known.acting))
    known.resources = sorted(set(known.resources) - {""})
    return known


def build_requests(known: KnownIds) -> tuple[Queries, Queries]:
    """Return named requests of pages and API."""
    one = known.chance.choice

    def to(path: str, **query: Callable[[], str]) -> Callable[[], str]:
        return lambda: f"{path}?{urlencode({n: v() for n, v in query.items()})}"

    word = lambda: f"p{known.chance.randrange(2000):04}"  # noqa: E731 - a part
    agent, identity = lambda: one(known.agents), lambda: one(known.identities)
    credential, event = lambda: one(known.credentials), lambda: one(known.events)
    acting, resource = lambda: one(known.acting), lambda: one(known.resources)
    person = lambda: one(known.people)  # noqa: E731 - a part
    action = lambda: one(["s3:GetObject", "kms:Decrypt", "s3:PutObject"])  # noqa: E731
    pages = {
        "/": to("/"),
        "/agents": to("/agents"),
        "/agents, searched": to("/agents", q=word),
        "/identities": to("/identities"),
        "/identities, searched": to("/identities", q=word),
        "/credentials": to("/credentials"),
        "/people": to("/people"),
        "/tools": to("/tools"),
        "/agent": to("/agent", id=agent),
        "/identity": to("/identity", id=identity),
        "/credential": to("/credential", id=credential),
        "/person": to("/person", id=person),
        "/trace": to("/trace"),
        "/trace, an identity": to("/trace", q=lambda: f"identity:{acting()}"),
        "/trace, a resource": to("/trace", q=lambda: f'resource:"{resource()}"'),
        "/trace, a word": to("/trace", q=lambda: "parquet outcome:success"),
        "/event": to("/event", id=event),
        "/reach": to("/reach", subject=agent),
        "/who-can": to("/who-can", action=action, resource=resource),
        "/can": to("/can", subject=agent, action=action, resource=resource),
        "/decisions": to("/decisions"),
        "/asks": to("/asks"),
        "/baselines": to("/baselines"),
        "/evidence": to("/evidence"),
        "/proof": to("/proof", id=event),
    }
    calls = {
        "agents": to("/api/v1/agents"),
        "identities": to("/api/v1/identities"),
        "who-owns": to("/api/v1/who-owns", id=agent),
        "trace": to("/api/v1/trace"),
        "trace, an identity": to("/api/v1/trace", identity=acting),
        "event": to("/api/v1/event", id=event),
        "reach": to("/api/v1/reach", subject=agent),
        "can": to("/api/v1/can", subject=agent, action=action, resource=resource),
        "who-can": to("/api/v1/who-can", action=action, resource=resource),
        "coverage": to("/api/v1/coverage"),
    }
    return pages, calls


@dataclass
class UserTimings:
    """Measured times."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: dict[str, dict[int, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, name: str, status: int, seconds: float) -> None:
        with self.lock:
            self.took[name].append(seconds)
            self.statuses[name][status] += 1


def run_user(
    line: UserConnection, asks: Queries, until: float, seed: int, told: UserTimings
) -> None:
    """Run one user until the time is over."""
    chance = random.Random(seed)
    names = sorted(asks)
    time.sleep(chance.uniform(0, THINKS))
    while time.monotonic() < until:
        name = chance.choice(names)
        begun = time.perf_counter()
        status, _, _ = line.get(asks[name]())
        told.record(name, status, time.perf_counter() - begun)
        time.sleep(chance.expovariate(1 / THINKS))


def front_page_bytes(line: UserConnection) -> int:
    """Count the bytes of the front page and its resources, as sent."""
    _, body, fields = line.get("/")
    linked = dict.fromkeys(_LINKED.findall(strip_fields(body, fields)))
    return len(body) + sum(len(line.get(each)[1]) for each in linked)


def cpu_seconds(pid: str) -> float:
    """Return the processor seconds of a process (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def wait_until_ready(at: str) -> None:
    """Wait until the process is ready."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with closing(http.client.HTTPConnection(at, timeout=PATIENCE)) as line:
            line.request("GET", "/readyz")
            if line.getresponse().status == 200:
                return
        time.sleep(0.25)
    raise RuntimeError(f"not ready after {PATIENCE:g} seconds")


def measure_alone(line: UserConnection, asks: Queries, pid: str) -> dict[str, float]:
    """Return the processor time of each kind of request without other load."""
    taken = {}
    for name, ask in asks.items():
        used = cpu_seconds(pid)
        for _ in range(ALONE):
            line.get(ask())
        taken[name] = (cpu_seconds(pid) - used) / ALONE
    return taken


def main(at: str, link: str, pid: str, seconds: str, seed: int = 7) -> None:
    """Measure, and print."""
    cookie = sign_in(at, link)  # while the link is of use
    wait_until_ready(at)
    started = cpu_seconds(pid)
    line = UserConnection(at, cookie)
    known = discover_ids(line, seed)
    pages, calls = build_requests(known)
    asks = {**pages, **{f"API {name}": ask for name, ask in calls.items()}}
    first = {}
    for name, ask in asks.items():  # each page once, alone: nobody comes first
        begun = time.perf_counter()
        status, body, fields = line.get(ask())
        first[name] = time.perf_counter() - begun
        if status >= 500:
            sys.stderr.write(f"{name}: {status} {strip_fields(body, fields)[:500]}\n")
        sys.stderr.write(f"{name}: {status} {first[name]:.3f}\n")
    told, until = UserTimings(), time.monotonic() + float(seconds)
    used = cpu_seconds(pid)
    people = [
        threading.Thread(
            target=run_user,
            args=(UserConnection(at, cookie), asks, until, seed + nth, told),
        )
        for nth in range(USERS)
    ]
    for each in people:
        each.start()
    for each in people:
        each.join()
    used = cpu_seconds(pid) - used
    taken, paint = measure_alone(line, asks, pid), front_page_bytes(line)
    sys.stdout.write(
        json.dumps(
            {
                "started": started,
                "first": first,
                "alone": taken,
                "took": told.took,
                "statuses": told.statuses,
                "paint": paint,
                "processor": used,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:5])
