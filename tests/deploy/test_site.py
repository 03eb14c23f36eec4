"""Documentation site: each page is built, searchable, and reads from no other host."""

import json
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]


class _Loaded(HTMLParser):
    """Addresses that a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        if tag in ("script", "img", "iframe"):
            self.found.append(facts.get("src") or "")
        if tag == "link" and facts.get("rel") in (
            "stylesheet",
            "preload",
            "preconnect",
        ):
            self.found.append(facts.get("href") or "")


@pytest.mark.world
def test_the_site_has_every_page_and_loads_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    tool = Path(sys.executable).with_name("zensical")
    if not tool.exists():
        pytest.skip("needs zensical")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    done = subprocess.run(
        [str(tool), "build"], cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    site = tmp_path / "dist" / "site"
    for page in (ROOT / "docs").glob("*.md"):
        name = "index" if page.name == "README.md" else page.stem
        assert (site / f"{name}.html").exists(), page.name
    for path in site.rglob("*.html"):
        loaded = _Loaded()
        loaded.feed(path.read_text())
        assert [each for each in loaded.found if urlsplit(each).netloc] == [], path.name
    assert json.loads((site / "search.json").read_text())
