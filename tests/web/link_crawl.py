"""Crawler of the pages: follows the links of a store from the overview.

    python -m tests.web.link_crawl [--each N] [STORE...]

Without STORE, it crawls the sample, an empty store and, with one link of each shape, a copy
of the store in the folder that `ANSWERABLE_LARGE_STORE` names. `--each` limits the links of
one shape.

It asks the dispatcher in this process, as an administrator who owns agents. Each facet of
an investigation or of a list adds a term to the query, so that their combinations are
millions of links: a link with more than one term is not followed.
"""

import argparse
import html
import os
import re
import shutil
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qsl, urlsplit

from answerable.model.ids import PersonId
from answerable.store.store import EvidenceStore
from answerable.web.pages.reach.question import PATH_FIELDS, QUESTION_FIELDS
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import WebRole
from tests.estate.sample_stores import Stores
from tests.web.dispatcher_harness import DispatcherHarness

ANA = PersonId("person:ana@corp.example")
MOST_TERMS = 1  # a time range counts as one
_SAMPLE = ("home", "repo", "aws", "aws-keys", "cloudtrail")
# Parameters that name a question, a thing or a page of rows, and refine nothing.
_NAMING = frozenset({*QUESTION_FIELDS, *PATH_FIELDS, "id", "of", "form", "before", "q"})
_TERM = re.compile(r'(?:[^\s"]|"[^"]*")+')
_LINK = re.compile(r'(?:href|src|hx-get|data-from|data-late)="(/[^"]*)"')


@dataclass
class CrawlResult:
    """What a crawl found.

    Attributes:
        asked: Number of requests by shape: path and names of parameters.
        dead: Status, target and the page with the link.
        largest: Size in bytes of the largest page by path, uncompressed.
        left: Links that were not followed: at the limit of their shape.
        refined: Links that were not followed: of too many terms.
    """

    asked: Counter[str] = field(default_factory=Counter)
    dead: list[tuple[int, str, str]] = field(default_factory=list)
    largest: Counter[str] = field(default_factory=Counter)
    left: int = 0
    refined: int = 0


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
            if link in seen:
                continue
            seen.add(link)
            if count_terms(link) > MOST_TERMS:
                found.refined += 1
            else:
                waiting.append((link, target))
    cache.close()
    assert harness.failures == []
    return found


def list_links(page: str) -> list[str]:
    """List the local targets of a page that are asked with GET."""
    found = (html.unescape(each).partition("#")[0] for each in _LINK.findall(page))
    return list(dict.fromkeys(found))


def count_terms(target: str) -> int:
    """Count the terms of the query of a link, and its other filters."""
    fields = dict(parse_qsl(urlsplit(target).query))
    terms = _TERM.findall(fields.get("q", ""))
    ranges = sum(each.startswith("until:") for each in terms)
    return len(terms) - ranges + len(fields.keys() - _NAMING)


def describe_shape(target: str) -> str:
    """Return the path and the names of the parameters of a link."""
    parts = urlsplit(target)
    return " ".join((parts.path, *sorted(name for name, _ in parse_qsl(parts.query))))


def list_default_stores(folder: Path) -> Iterator[tuple[Path, int]]:
    """Make the stores of a crawl without arguments; yield each with its limit."""
    yield Stores.below(folder).of(*_SAMPLE), sys.maxsize
    empty = folder / "empty"
    EvidenceStore.open(empty, now=time.time_ns()).close()
    yield empty, sys.maxsize
    large = os.environ.get("ANSWERABLE_LARGE_STORE", "")
    if large:
        yield shutil.copytree(Path(large) / "store", folder / "large"), 1


def print_result(place: Path, result: CrawlResult) -> None:
    """Print what a crawl found: numbers of links, dead links and largest pages."""
    print(
        f"{place}: {result.asked.total():,} links followed, {len(result.dead)} dead; "
        f"not followed: {result.refined:,} of more than {MOST_TERMS} term, "
        f"{result.left:,} more of a shape"
    )
    for status, target, origin in result.dead:
        print(f"  {status} {target}\n      on {origin}")
    for path, size in result.largest.most_common(5):
        print(f"  {path}: at most {size:,} bytes", flush=True)


def main() -> int:
    """Crawl the named stores, print what was found; 1 if a link is dead."""
    parser = argparse.ArgumentParser(prog="python -m tests.web.link_crawl")
    parser.add_argument("stores", nargs="*", type=Path, metavar="STORE")
    parser.add_argument("--each", type=int, default=sys.maxsize, metavar="N")
    named = parser.parse_args()
    for place in named.stores:
        if not (place / "format.json").is_file():
            parser.error(f"not a store (got {place}): name the folder of --store")
    dead = 0
    with TemporaryDirectory() as folder:
        stores = [(place, named.each) for place in named.stores]
        for place, most in stores or list_default_stores(Path(folder)):
            result = crawl(place, most)
            print_result(place, result)
            dead += len(result.dead)
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
