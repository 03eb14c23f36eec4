"""Paint and size of every page of a large store, in a browser with a warm server."""

import random
import re
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

from answerable.model.ids import AgentId, build_agent_id
from bench.figures import BenchFigure, BenchRemark, Line, at_most
from bench.web import figures, gateway_decisions, large_store
from bench.web.chromium_pipe import (
    ChromiumPipe,
    PageLoad,
    find_chromium,
    run_chromium,
    sum_processor_seconds,
)
from bench.web.simulated_users import UserConnection, sign_in, wait_until_ready

PAINT, BYTES = 500, 200 * 1024
WIDTH, HEIGHT = 1440, 1080
LOADS = 2  # of each address; the first fills the caches
EACH = 2  # addresses of a page that is about one thing
_FINDING = re.compile(r'href="(/finding\?id=[^"]+)"')
Addresses = Mapping[str, Sequence[str]]


def build_url(path: str, **query: str) -> str:
    return f"{path}?{urlencode(query)}" if query else path


class LargeStoreIds:
    """Ids of a store, found by the API: of each kind a few, some of them the busiest."""

    def __init__(self, line: UserConnection, seed: int) -> None:
        self._line = line
        self._chance = random.Random(seed)
        self.agents = self._listed("agents", "name", "-name")
        self.identities = self._listed("identities", "name", "-name")
        self.credentials = self._listed("credentials", "name", "-name")
        self.people = self._listed("people", "name")
        self.findings = self._listed("findings")
        self.decisions = self._listed("decisions")
        self.asks = self._listed("asks")
        rows = line.json("/api/v1/trace?limit=1000&source=cloudtrail")["items"]
        self.events = self._some([row["event_id"] for row in rows])
        places = [row["hops"]["resource"]["value"] for row in rows]
        self.resources = self._some(sorted(set(places) - {""}))
        acted = [each for row in rows for each in row["identity_path"]]
        self.busiest = max(set(acted), key=acted.count)

    def _listed(self, name: str, *sorts: str) -> list[str]:
        found: list[str] = []
        for sort in sorts or ("",):
            query = {"limit": "300", **({"sort": sort} if sort else {})}
            said = self._line.json(build_url(f"/api/v1/{name}", **query))
            found += [item["id"] for item in said["items"]]
        return self._some(found)

    def _some(self, found: list[str]) -> list[str]:
        return self._chance.sample(found, min(EACH, len(found)))


def list_addresses(ids: LargeStoreIds) -> Addresses:
    """List addresses of every page, by its path."""

    def of(path: str, field: str, values: Sequence[str], **more: str) -> list[str]:
        return [build_url(path, **{field: each}, **more) for each in values]

    call = {"action": "s3:GetObject", "resource": ids.resources[0]}
    busiest = f"identity:{ids.busiest}"
    lists = ("/agents", "/identities", "/credentials", "/tools", "/people")
    plain = ("/findings/trend", "/changes", "/trace/hops", "/trace/saved", "/cases")
    plain += ("/reach/all", "/baselines", "/decisions", "/asks", "/keys", "/kills")
    subjects = [*ids.agents, ids.busiest, *ids.credentials[:1]]
    return {
        "/": ["/"],
        **{path: [path, build_url(path, q="a")] for path in lists},
        "/findings": ["/findings", build_url("/findings", state="open")],
        "/finding": of("/finding", "id", ids.findings),
        **{path: [path] for path in plain},
        "/agent": of("/agent", "id", ids.agents),
        "/identity": of("/identity", "id", [*ids.identities, ids.busiest]),
        "/credential": of("/credential", "id", ids.credentials),
        "/person": of("/person", "id", ids.people),
        "/search": of("/search", "q", ("report", "role", "p0001", "data-raeder")),
        "/show": of("/show", "id", [*ids.resources, "tool:mcp/server-7/*"]),
        "/trace": [
            "/trace",
            *of(
                "/trace",
                "q",
                (
                    busiest,
                    f'resource:"{ids.resources[0]}"',
                    "parquet outcome:success",
                    "source:gateway",
                ),
            ),
        ],
        "/trace/chains": ["/trace/chains", build_url("/trace/chains", q=busiest)],
        "/trace/compare": of("/trace/compare", "q", ("since:2d", "since:7d")),
        "/event": of("/event", "id", ids.events),
        "/proof": of("/proof", "id", ids.events),
        "/decision": of("/decision", "id", ids.decisions),
        "/ask": of("/ask", "id", ids.asks),
        "/baseline": of("/baseline", "agent", ids.agents),
        "/reach": [
            *of("/reach", "subject", subjects),
            *of("/reach", "subject", subjects[:1], rows="none"),
        ],
        "/can": of("/can", "subject", subjects, **call),
        "/who-can": [
            build_url("/who-can", **call),
            build_url("/who-can", action="iam:CreateUser", resource="*"),
        ],
        "/what-if": of("/what-if", "subject", subjects),
        "/what-if/cuts": of(
            "/what-if/cuts", "subject", subjects, resource=ids.resources[0]
        ),
        "/kill": of("/kill", "subject", [*ids.agents, ids.busiest]),
        "/tools/diff": ["/tools/diff"],
        "/evidence": ["/evidence"],
    }


def measure_pages(folder: Path, command: str, *, quick: bool) -> Iterator[Line]:
    """Load every page in a browser; yield its slowest paint and its largest size."""
    command = f"{command} --only pages"
    chromium = find_chromium()
    if chromium is None:
        yield BenchRemark("Paints are not measured: no Chromium is installed.", command)
        return
    identities = figures.QUICK_IDENTITIES if quick else figures.IDENTITIES
    events = figures.QUICK_EVENTS if quick else figures.EVENTS
    store = folder / "store"
    if not store.is_dir():
        large_store.write_store(folder, identities, events, figures.SEED)
    decided = folder / "decisions"
    if not decided.exists():
        gateway_decisions.write_decisions(store, list_agents(), figures.SEED)
        decided.touch()
    with figures.run_web(store) as (at, link, server):
        cookie = sign_in(at, link)
        wait_until_ready(at)
        ids = LargeStoreIds(UserConnection(at, cookie), figures.SEED)
        addresses = list_addresses(ids)
        with run_chromium(chromium, WIDTH, HEIGHT) as browser:
            name, _, value = cookie.partition("=")
            browser.open_tab((name, value), f"http://{at}/")
            loads = {
                path: [load_page(browser, f"http://{at}", each) for each in some]
                for path, some in addresses.items()
            }
            used = {
                path: [
                    measure_processor(browser, f"http://{at}", each, server)
                    for each in some
                ]
                for path, some in addresses.items()
            }
    yield from _page_figures(loads, used, identities, events, command)


def list_agents() -> list[AgentId]:
    """List the first agents of the store."""
    return [
        build_agent_id("claude-code", f"p{n % large_store.PERSONS:04}-{n}")
        for n in range(gateway_decisions.AGENTS)
    ]


def load_page(browser: ChromiumPipe, at: str, address: str) -> list[PageLoad]:
    """Load a page some times; the first load fills the caches."""
    found = [browser.load(at + address) for _ in range(LOADS)]
    shown = " ".join(f"{each.paint:.0f}" for each in found)
    sys.stderr.write(
        f"{address[:100]}: {found[0].status}, paint {shown} ms, "
        f"answered {found[-1].answered:.0f} ms, {found[-1].bytes:,} bytes"
        f"{' ' + found[0].errors[0] if found[0].errors else ''}\n"
    )
    return found


def measure_processor(
    browser: ChromiumPipe, at: str, address: str, server: int
) -> float:
    """Return the processor milliseconds of server and browser for one load."""
    before = sum_processor_seconds(server) + sum_processor_seconds(browser.pid)
    browser.load(at + address)
    after = sum_processor_seconds(server) + sum_processor_seconds(browser.pid)
    return (after - before) * 1000


def _page_figures(
    loads: Mapping[str, Sequence[Sequence[PageLoad]]],
    used: Mapping[str, Sequence[float]],
    identities: int,
    events: int,
    command: str,
) -> Iterator[BenchFigure | BenchRemark]:
    goal = at_most(PAINT, f"<= {PAINT} ms")
    every = [load for some in loads.values() for each in some for load in each]
    for path, some in loads.items():
        warm = [statistics.median(load.paint for load in each[1:]) for each in some]
        yield BenchFigure(f"{path}, paint", "ms", (max(warm),), command, goal)
    for path, some_used in used.items():
        what = f"{path}, processor of server and browser"
        yield BenchFigure(what, "ms", (max(some_used),), command)
    size = at_most(BYTES / 1024, f"<= {BYTES // 1024} KiB")
    for path, some in loads.items():
        largest = max(load.bytes for each in some for load in each)
        yield BenchFigure(f"{path}, size", "KiB", (largest / 1024,), command, size)
    failed = sum(load.status != 200 for load in every)
    wrong = sum(bool(load.errors) for load in every)
    yield BenchFigure("pages that failed", "", (failed,), command, at_most(0, "0"))
    yield BenchFigure(
        "pages with a script error", "", (wrong,), command, at_most(0, "0")
    )
    yield BenchRemark(
        f"{len(loads)} pages with {sum(map(len, loads.values()))} addresses, each loaded "
        f"{LOADS} times, over {identities:,} identities, {events:,} events and "
        f"{large_store.AGENTS:,} agents.",
        command,
    )
