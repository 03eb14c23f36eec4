"""Paint and size of every page of a large store, in a browser with a warm server.

Each address is loaded once, to fill the caches. When the server has nothing more to do and
the page no longer says that its answer is being computed, it is loaded again and measured.
A command that the server has started for another page is not waited for. A run ends after
five minutes; the next one continues where it stopped.
"""

import json
import random
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlencode

from answerable.model.ids import AgentId
from answerable.reach.aws.query_context import MOST_AT_COMMAND
from answerable.web.pages.reach.question import REMOVED_FIELDS
from bench.figures import BenchFigure, BenchRemark, Line, at_most
from bench.web import figures, gateway_decisions, large_store
from bench.web.chromium_pipe import (
    ChromiumPipe,
    PageLoad,
    find_chromium,
    run_chromium,
)
from bench.web.simulated_users import (
    UserConnection,
    cpu_seconds,
    sign_in,
    strip_fields,
    wait_until_ready,
)

PAINT, BYTES = 500, 200 * 1024
WIDTH, HEIGHT = 1440, 1080
EACH = 2  # addresses of a page that is about one thing
SECONDS = 240.0  # of a run, once the server is ready
SETTLING = 60.0  # seconds, until the server has nothing more to do for a page
COMPUTING = 600.0  # seconds, until a page no longer says that it is being computed
IDLE, TICK = 0.02, 0.25  # processor seconds in a quarter of a second: it rests
PENDING = ("being counted", "being computed", "being compared")
FOLLOWING = "/what-if/cuts"  # it follows every path
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
        self.statement = self._find_statement(self.credentials[0])

    def _listed(self, name: str, *sorts: str) -> list[str]:
        found: list[str] = []
        for sort in sorts or ("",):
            query = {"limit": "300", **({"sort": sort} if sort else {})}
            said = self._line.json(build_url(f"/api/v1/{name}", **query))
            found += [item["id"] for item in said["items"]]
        return self._some(found)

    def _find_statement(self, subject: str) -> str:
        """Find a statement of an identity that gives a subject a permission."""
        rows = self._line.json(build_url("/api/v1/reach", subject=subject))["items"]
        return next(
            f"{each['policy']}#{each['statement']}"
            for row in rows
            for each in row["determining"]
            if each["layer"] == "identity"
        )

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
        "/what-if": of(
            "/what-if",
            "subject",
            ids.credentials[:1],
            **{REMOVED_FIELDS[0]: ids.statement},
        ),
        "/what-if/cuts": of(
            "/what-if/cuts", "subject", subjects[:1], resource=ids.resources[0]
        ),
        "/kill": of("/kill", "subject", ids.agents),
        "/tools/diff": ["/tools/diff"],
        "/evidence": ["/evidence"],
    }


@dataclass(frozen=True)
class MeasuredPage:
    """A page of a warm server.

    Attributes:
        first: Milliseconds until the first load painted; it fills the caches.
        warm: The load that counts.
        processor: Milliseconds of the server's processor for one more load.
        waited: Seconds until the server had nothing more to do for the page.
        is_pending: Whether it still says that it is being computed, or the server works.
    """

    first: float
    warm: PageLoad
    processor: float
    waited: float
    is_pending: bool


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
    kept = folder / "pages.json"
    found = _read_measured(kept)
    with figures.run_web(store) as (at, link, server):
        cookie = sign_in(at, link)
        wait_until_ready(at)
        until = time.monotonic() + SECONDS
        line = UserConnection(at, cookie)
        addresses = list_addresses(LargeStoreIds(line, figures.SEED))
        with run_chromium(chromium, WIDTH, HEIGHT) as browser:
            name, _, value = cookie.partition("=")
            browser.open_tab((name, value), f"http://{at}/")
            for address in (each for some in addresses.values() for each in some):
                if address in found or time.monotonic() > until:
                    continue
                found[address] = measure_page(browser, line, at, address, str(server))
                print_measured(address, found[address])
                kept.write_text(json.dumps({a: asdict(p) for a, p in found.items()}))
    every = [each for some in addresses.values() for each in some]
    left = [each for each in every if each not in found]
    if not left:
        kept.unlink()  # the next run measures all of them again
    loads = {
        path: [found[each] for each in some if each in found]
        for path, some in addresses.items()
    }
    yield from _page_figures({p: f for p, f in loads.items() if f}, identities, command)
    told = f"; {len(left)} are left for the next run" if left else ""
    yield BenchRemark(
        f"{len(loads)} pages with {len(every)} addresses, each measured once the server "
        f"had nothing more to do for it, over {identities:,} identities, {events:,} events "
        f"and {large_store.AGENTS:,} agents{told}. Above {MOST_AT_COMMAND:,} identities, "
        f"{FOLLOWING} says that it does not follow every path, with status 400.",
        command,
    )


def _read_measured(kept: Path) -> dict[str, MeasuredPage]:
    """Read the pages that an earlier run measured."""
    if not kept.exists():
        return {}
    return {
        address: MeasuredPage(**{**said, "warm": PageLoad(**said["warm"])})
        for address, said in json.loads(kept.read_text()).items()
    }


def measure_page(
    browser: ChromiumPipe, line: UserConnection, at: str, address: str, server: str
) -> MeasuredPage:
    """Measure one address of a warm server."""
    url = f"http://{at}{address}"
    first = browser.load(url)
    began = time.monotonic()
    rests = pending = False
    while time.monotonic() < began + (COMPUTING if pending else SETTLING):
        before = cpu_seconds(server)
        time.sleep(TICK)
        rests = cpu_seconds(server) - before <= IDLE
        pending = is_pending(line, address) if rests else pending
        if rests and not pending:
            break
    waited = time.monotonic() - began
    warm = browser.load(url)
    before = cpu_seconds(server)
    line.get(address)
    used = (cpu_seconds(server) - before) * 1000
    return MeasuredPage(first.paint, warm, used, waited, pending or not rests)


def is_pending(line: UserConnection, address: str) -> bool:
    """Return whether a page says that its answer is being computed."""
    _, body, fields = line.get(address)
    page = strip_fields(body, fields)
    return any(each in page for each in PENDING)


def print_measured(address: str, page: MeasuredPage) -> None:
    """Print the figures of a page as soon as they are known."""
    load = page.warm
    sys.stderr.write(
        f"{address[:100]}: {load.status}, paint {load.paint:.0f} ms (first "
        f"{page.first:.0f}), answered {load.answered:.0f} ms, processor "
        f"{page.processor:.0f} ms, {load.bytes:,} bytes"
        f"{f', waited {page.waited:.0f} s' if page.waited > 1 else ''}"
        f"{', not complete' if page.is_pending else ''}"
        f"{' ' + load.errors[0] if load.errors else ''}\n"
    )


def list_agents() -> list[AgentId]:
    """List the first agents of the store."""
    return [large_store.name_agent(n) for n in range(gateway_decisions.AGENTS)]


def _page_figures(
    loads: Mapping[str, Sequence[MeasuredPage]], identities: int, command: str
) -> Iterator[BenchFigure]:
    goal = at_most(PAINT, f"<= {PAINT} ms")
    every = [(path, page) for path, some in loads.items() for page in some]
    for path, some in loads.items():
        slowest = max(page.warm.paint for page in some)
        yield BenchFigure(f"{path}, paint", "ms", (slowest,), command, goal)
    for path, some in loads.items():
        used = max(page.processor for page in some)
        yield BenchFigure(f"{path}, processor of the server", "ms", (used,), command)
    size = at_most(BYTES / 1024, f"<= {BYTES // 1024} KiB")
    for path, some in loads.items():
        largest = max(page.warm.bytes for page in some)
        yield BenchFigure(f"{path}, size", "KiB", (largest / 1024,), command, size)
    refused = (FOLLOWING,) if identities > MOST_AT_COMMAND else ()
    failed = sum(
        page.warm.status != (400 if path in refused else 200) for path, page in every
    )
    slowest, page = max(every, key=lambda each: each[1].waited)
    yield BenchFigure(
        f"the longest until a page was complete ({slowest})",
        "s",
        (page.waited,),
        command,
    )
    wrong = sum(bool(page.warm.errors) for _, page in every)
    pending = sum(page.is_pending for _, page in every)
    none = at_most(0, "0")
    yield BenchFigure("pages that failed", "", (failed,), command, none)
    yield BenchFigure("pages with a script error", "", (wrong,), command, none)
    yield BenchFigure("pages that were not complete", "", (pending,), command, none)
