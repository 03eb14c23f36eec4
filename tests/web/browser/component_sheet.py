"""Picture of the components that docs/web-components.md lists, light and dark.

python -m tests.web.browser.component_sheet docs/images/components.png
"""

import re
import sys
from pathlib import Path

from answerable.web.template_rendering import template_environment
from tests.web.chromium import CHROMIUM

PAGE = Path("docs/web-components.md")
STYLES = Path("src/answerable/web/assets")
_ROW = re.compile(r"^\| `(.+)` \| (.+) \|$", re.MULTILINE)
# Of the sheet alone: how its examples stand.
_SHEET = """
body { display: grid; grid-template-columns: 1fr 1fr; }
.half { background: var(--ground); color: var(--text); padding: 1rem; }
.half > div { padding: .2rem 0; min-height: 1.9rem; }
html .scripted { display: revert !important; }
"""


def list_examples(page: Path) -> list[str]:
    """List the examples of the page."""
    return [found[0] for found in _ROW.findall(page.read_text(encoding="utf-8"))]


def build_sheet() -> str:
    """Build a page with all examples, once in each theme."""
    styles = (STYLES / "answerable.css").read_text(encoding="utf-8")
    dark = styles.partition(':root[data-theme="dark"] {')[2].partition("}")[0]
    made = "".join(
        f"<div>{template_environment().from_string(each).render()}</div>"
        for each in list_examples(PAGE)
    )
    more = f"{_SHEET} .dark {{ {dark} }}"
    halves = f'<div class="half">{made}</div><div class="half dark">{made}</div>'
    return (
        '<!doctype html><html lang="en" class="js" data-theme="light">'
        f"<style>{styles}{more}</style><body>{halves}</body></html>"
    )


def run(place: Path) -> None:
    """Draw the picture."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM))
        page = browser.new_page(viewport={"width": 1280, "height": 400})
        page.set_content(build_sheet())
        page.screenshot(path=place, full_page=True)
        browser.close()


if __name__ == "__main__":
    run(Path(sys.argv[1]))
