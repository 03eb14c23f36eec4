"""Crawler of the pages: follows every link of a store from the overview.

    python -m tests.web.link_crawl STORE...

It asks the dispatcher in this process, as an administrator who owns agents.
"""

import html
import re
import sys
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from answerable.model.ids import PersonId
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import WebRole
from tests.web.dispatcher_harness import DispatcherHarness

ANA = PersonId("person:ana@corp.example")
_LINK = re.compile(r'(?:href|src|hx-get|data-from|data-late)="(/[^"]*)"')


@dataclass
class CrawlResult:
    """What a crawl found.

    Attributes:
        asked: Number of requests by shape: path and names of parameters.
        dead: Status, target and the page with the link.
        largest: Size in bytes of the largest page by path, uncompressed.
        left: Links that were not followed: at the limit of their shape.
    """

    asked: Counter[str] = field(default_factory=Counter)
    dead: list[tuple[int, str, str]] = field(default_factory=list)
    largest: Counter[str] = field(default_factory=Counter)
    left: int = 0


def crawl(
    store: Path, most: int = sys.maxsize, spools: tuple[Path, ...] = ()
) -> CrawlResult:
    """Follow the links of a store, at most so many of a shape."""
    cache = StoreCache(store, None, spools)
    harness = DispatcherHarness(cache, person=ANA)
    cookie, _ = harness.signed_in(WebRole.ADMIN, WebRole.OWNER, person=ANA)
    found, seen, waiting = CrawlResult(), {"/"}, deque([("/", "")])
    while waiting:
        target, origin = waiting.popleft()
        shape = describe_shape(target)
        if found.asked[shape] >= most:
            found.left += 1
            continue
        found.asked[shape] += 1
        answer = harness.get(target, cookie=cookie)
        if answer.status not in (200, 303):
            found.dead.append((answer.status, target, origin))
            continue
        if "html" not in answer.fields.get("content-type", ""):
            continue
        path = urlsplit(target).path
        found.largest[path] = max(found.largest[path], len(answer.body))
        for link in list_links(answer.text):
            if link not in seen:
                seen.add(link)
                waiting.append((link, target))
    cache.close()
    assert harness.failures == []
    return found


def list_links(page: str) -> list[str]:
    """List the local targets of a page that are asked with GET."""
    found = (html.unescape(each).partition("#")[0] for each in _LINK.findall(page))
    return list(dict.fromkeys(found))


def describe_shape(target: str) -> str:
    """Return the path and the names of the parameters of a link."""
    parts = urlsplit(target)
    return " ".join((parts.path, *sorted(name for name, _ in parse_qsl(parts.query))))


if __name__ == "__main__":
    for place in sys.argv[1:]:
        result = crawl(Path(place))
        print(f"{place}: {result.asked.total()} links, {len(result.dead)} dead")
        for status, target, origin in result.dead:
            print(f"  {status} {target}\n      on {origin}")
        for path, size in result.largest.most_common(5):
            print(f"  {path}: at most {size:,} bytes")
