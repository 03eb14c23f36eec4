"""The picture that the README opens with: the investigation view of the sample estate.

python -m tests.web.browser.readme_screenshot docs/images/investigation.png
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

from answerable.cli.main import main
from answerable.cli.sample import write_sample
from answerable.cli.sample.account import CUSTOMER_BUCKET
from tests.web.chromium import CHROMIUM
from tests.web.conftest import SOURCES

QUESTION = f"resource:{CUSTOMER_BUCKET}/*"
SIZE = {"width": 1280, "height": 640}
SECONDS = 60


def store(folder: Path) -> Path:
    """Scan the sample estate and take its trail in."""
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        write_sample(Path(), time.time_ns())
        own = ["--quiet", "--store", "store"]
        assert main([*own, "scan", *SOURCES]) == 0
        assert main([*own, "ingest", "cloudtrail:trail"]) == 0
    return folder / "store"


def take_screenshot(place: Path, link: str) -> None:
    """Follow the link, ask, and keep what is shown."""
    from playwright.sync_api import sync_playwright

    url = link.partition("/sign-in")[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM))
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(link)
        page.wait_for_url(lambda url: "/sign-in" not in url)
        page.goto(f"{url}/trace?{urlencode({'q': QUESTION})}")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=place)
        browser.close()


def run(place: Path) -> None:
    """Make the picture."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        serve = ["serve", "--only", "web", "--listen", "127.0.0.1:0"]
        own = [sys.executable, "-m", "answerable", "--store", str(store(Path(name)))]
        with subprocess.Popen(
            [*own, *serve], stdout=subprocess.PIPE, text=True, env={**os.environ}
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.fullmatch(r"sign-in (\S+)\s*", line):
                    take_screenshot(place, found[1])
                    break
            process.terminate()
            process.wait(SECONDS)
    print(f"{place}: {place.stat().st_size} bytes")


if __name__ == "__main__":
    run(Path(sys.argv[1]))
