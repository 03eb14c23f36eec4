"""Chromium over the pipe of its DevTools protocol: pages opened, paints and sizes read.

The pipe needs no package: messages are JSON, each followed by a zero byte, on the file
descriptors 3 (to the browser) and 4 (from it).
"""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE = 120.0  # seconds, until an answer or a paint
# A load is over when the page has painted: the entry is there, or comes.
_PAINTED = """new Promise((done) => {
  const [page] = performance.getEntriesByType('navigation');
  const give = (paint) => done({
    paint: paint.startTime, answered: page.responseEnd, status: page.responseStatus,
    bytes: page.decodedBodySize, sent: page.encodedBodySize,
  });
  new PerformanceObserver((list) => {
    for (const each of list.getEntries())
      if (each.name === 'first-contentful-paint') give(each);
  }).observe({type: 'paint', buffered: true});
})"""


def find_chromium() -> str | None:
    """Return the path of a Chromium, None if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@dataclass(frozen=True, slots=True)
class PageLoad:
    """One load of a page.

    Attributes:
        paint: Milliseconds from navigation to the first contentful paint.
        answered: Milliseconds from navigation to the last byte of the page.
        status: HTTP status.
        bytes: Size of the page, uncompressed.
        sent: Size of the page as sent.
        errors: Uncaught errors of scripts.
    """

    paint: float
    answered: float
    status: int
    bytes: int
    sent: int
    errors: tuple[str, ...]


@dataclass
class ChromiumPipe:
    """One tab of a browser without windows."""

    to: int
    from_: int
    pid: int
    session: str = ""
    _last: int = 0
    _unread: bytes = b""
    _events: list[dict[str, Any]] = field(default_factory=list)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command; return its result."""
        self._last += 1
        said: dict[str, Any] = {
            "id": self._last,
            "method": method,
            "params": parameters,
        }
        if self.session:
            said["sessionId"] = self.session
        os.write(self.to, json.dumps(said).encode() + b"\0")
        while True:
            message = self._read()
            if message.get("id") == self._last:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                result: dict[str, Any] = message["result"]
                return result
            self._events.append(message)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            if not select.select([self.from_], [], [], PATIENCE)[0]:
                raise RuntimeError(f"the browser is silent for {PATIENCE:g} seconds")
            chunk = os.read(self.from_, 1 << 20)
            if not chunk:
                raise RuntimeError("the browser ended")
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def wait_for(self, method: str) -> None:
        """Wait for an event since the last load."""
        while not any(each.get("method") == method for each in self._events):
            self._events.append(self._read())

    def open_tab(self, cookie: tuple[str, str], url: str) -> None:
        """Open a tab with a cookie of a site."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")
        name, value = cookie
        self.call("Network.setCookie", name=name, value=value, url=url)

    def load(self, url: str) -> PageLoad:
        """Load a page, and wait until it has painted."""
        self._events.clear()
        gone = self.call("Page.navigate", url=url)
        if "errorText" in gone:
            raise RuntimeError(f"{url}: {gone['errorText']}")
        self.wait_for("Page.loadEventFired")
        found = self.call(
            "Runtime.evaluate",
            expression=_PAINTED,
            awaitPromise=True,
            returnByValue=True,
            timeout=PATIENCE * 1000,
        )
        errors = tuple(
            str(each["params"]["exceptionDetails"].get("text", ""))
            for each in self._events
            if each.get("method") == "Runtime.exceptionThrown"
        )
        return PageLoad(**found["result"]["value"], errors=errors)


@contextmanager
def run_chromium(program: str, width: int, height: int) -> Iterator[ChromiumPipe]:
    """Run a browser with a profile of its own."""
    read_by_it, write_to_it = os.pipe()
    read_from_it, write_by_it = os.pipe()
    with tempfile.TemporaryDirectory(prefix="answerable-chromium-") as profile:
        process = subprocess.Popen(
            [
                *("/bin/sh", "-c", f'exec 3<&{read_by_it} 4>&{write_by_it}; exec "$@"'),
                *("sh", program, "--headless=new", "--no-sandbox", "--disable-gpu"),
                *("--remote-debugging-pipe", "--no-first-run", "--mute-audio"),
                f"--user-data-dir={Path(profile)}",
                f"--window-size={width},{height}",
                "about:blank",
            ],
            pass_fds=(read_by_it, write_by_it),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_by_it)
        os.close(write_by_it)
        try:
            yield ChromiumPipe(write_to_it, read_from_it, process.pid)
        finally:
            os.close(write_to_it)
            os.close(read_from_it)
            process.terminate()
            process.wait(timeout=60)
            _wait_until_writable(Path(profile))


def _wait_until_writable(profile: Path) -> None:
    """Wait until the browser's helpers let go of the profile."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            shutil.rmtree(profile)
        except OSError:
            time.sleep(0.1)
        else:
            profile.mkdir()
            return
