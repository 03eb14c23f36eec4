"""The live demo, a browser that looks at it, and what is held of every page.

One demo runs for all tests: the sample estate and the office share a store, and the
agent goes on working while pages are looked at.
"""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from answerable.cli.demo.environment import LOG, can_attest_processes
from tests.web.chromium import CHROMIUM

SECONDS = 600
PATIENCE = 120_000  # ms
WIDTHS = (390, 768, 1440, 1920)
NARROW, WIDE = 390, 1440  # px: of these, both schemes are looked at
HEIGHT = 1080
AXE = Path(".node-web/node_modules/axe-core/axe.min.js")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = str(Path(__file__).parent)
    lacking = "" if CHROMIUM.exists() else "needs Chromium (apt-get install chromium)"
    lacking = lacking or ("" if can_attest_processes() else "needs Linux 6.5")
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.world)
            if lacking:
                item.add_marker(pytest.mark.skip(reason=lacking))


@dataclass
class Demo:
    """`answerable demo --serve`, running.

    Attributes:
        place: Its folder.
        process: It.
        link: To sign in with, once.
        lines: What it said so far.
    """

    place: Path
    process: "subprocess.Popen[str]"
    link: str = ""
    lines: list[str] = field(default_factory=list)
    _heard: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return self.link.partition("/sign-in")[0]

    def describe_end(self) -> str:
        """Describe how the demo ended: exit code, last lines, last lines of its log."""
        log = self.place / LOG
        said = log.read_text(errors="replace").splitlines() if log.exists() else []
        ended = f"the demo ended with {self.process.poll()}"
        return "\n".join((ended, *self.lines[-20:], *said[-20:]))

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._heard:
                self.lines.append(line.strip())
                self._heard.notify_all()

    def wait_for_line(self, pattern: str) -> "re.Match[str]":
        """Wait for a line; give the first that fits."""
        found: list[re.Match[str]] = []

        def heard() -> bool:
            found[:] = [m for x in self.lines if (m := re.fullmatch(pattern, x))]
            return bool(found) or self.process.poll() is not None

        with self._heard:
            self._heard.wait_for(heard, SECONDS)
        assert found, "\n".join(self.lines)
        return found[0]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    place = tmp_path_factory.mktemp("live") / "kept"
    process = subprocess.Popen(
        [sys.executable, "-m", "answerable", "demo", "--serve", "--keep", str(place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    demo = Demo(place, process)
    reading = threading.Thread(target=demo.read)
    reading.start()
    try:
        demo.link = demo.wait_for_line(r"(http://127\.0\.0\.1:\d+/sign-in#\S+)")[1]
        demo.wait_for_line(r".*exchange_rate CHF: ask [0-9a-f]{32}")
        yield demo
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reading.join()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="session")
def person_browser(chromium: Any, demo: Demo) -> Iterator[Any]:
    """Browser of the person who followed the printed link and made a key at once.

    A key can be made only within minutes of the sign-in, however slow the tests are.
    """
    context = chromium.new_context(accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(demo.link)
    page.wait_for_url(lambda url: "/sign-in" not in url)
    page.goto(f"{demo.url}/keys")
    page.get_by_role("button", name="Create a key").click()
    page.get_by_text("in this browser", exact=True).wait_for()
    page.close()
    yield context
    context.close()


@pytest.fixture(scope="session")
def signed_in(person_browser: Any) -> Any:
    """State of the signed-in browser, without its key."""
    return person_browser.storage_state()


@contextmanager
def open_page(
    chromium: Any, demo: Demo, state: Any = None, **more: Any
) -> Iterator[Any]:
    """Lend a page of a browser of its own; what every page is held to is checked.

    No error in the console, no uncaught error, no request to another host, and a
    Content-Security-Policy without `unsafe-` on each of our pages.
    """
    assert demo.process.poll() is None, demo.describe_end()
    context = chromium.new_context(storage_state=state, **more)
    wrong: list[str] = []
    own = urlsplit(demo.url).netloc

    def route(route: Any) -> None:
        host = urlsplit(route.request.url).netloc
        if host == own:
            route.continue_()
        else:
            wrong.append(f"request to another host: {route.request.url}")
            route.abort()

    def said(message: Any) -> None:
        if message.type in ("error", "warning"):
            wrong.append(f"console: {message.text} ({page.url})")

    def answered(response: Any) -> None:
        if response.request.resource_type == "document":
            policy = response.headers.get("content-security-policy", "none")
            if "unsafe-" in policy or "default-src 'none'" not in policy:
                wrong.append(f"policy of {response.url}: {policy}")

    context.set_default_timeout(SECONDS * 1000)
    context.route("**/*", route)
    page = context.new_page()
    page.on("console", said)
    page.on("pageerror", lambda error: wrong.append(f"uncaught: {error} ({page.url})"))
    page.on("response", answered)
    try:
        yield page
        assert wrong == []
    finally:
        context.close()


Look = Callable[..., Any]


@pytest.fixture
def look(chromium: Any, demo: Demo, signed_in: Any) -> Look:
    """Open browsers that are signed in."""
    return lambda **more: open_page(chromium, demo, signed_in, **more)


@pytest.fixture(scope="session")
def screens(root: Path) -> Path:
    """Where pictures are left to be looked at."""
    place = root / "build" / "screens"
    place.mkdir(parents=True, exist_ok=True)
    return place


@pytest.fixture(scope="session")
def axe(root: Path) -> str:
    """The text of axe-core."""
    place = root / AXE
    if not place.exists():
        pytest.skip("needs axe-core: make world")
    return place.read_text(encoding="utf-8")


def violations(page: Any, axe: str) -> list[str]:
    """Name what axe finds, of any impact."""
    page.evaluate(axe)
    found = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{each['impact']} {each['id']}: {node['html'][:200]}"
        for each in found
        for node in each["nodes"]
    ]


def settled(page: Any) -> None:
    """Wait until what comes late has come, and nothing moves."""
    page.wait_for_load_state("load")
    time.sleep(0.3)
