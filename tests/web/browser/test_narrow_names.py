"""On a narrow screen, a name of a chain stands on one line, and no page is wider."""

from tests.web.browser.conftest import HEIGHT, NARROW, Demo, Look, settled

# Names of which a part stands on another line than the part before it.
BROKEN = """() => [...document.querySelectorAll("details.chain > summary .id")]
  .filter((name) => {
    const range = document.createRange();
    range.selectNodeContents(name);
    const shown = [...range.getClientRects()].filter((each) => each.width > 2);
    return new Set(shown.map((each) => Math.round(each.bottom / 8))).size > 1;
  })
  .map((name) => name.textContent)"""
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_names_of_chains_are_not_broken_on_a_narrow_screen(
    look: Look, demo: Demo
) -> None:
    with look(viewport={"width": NARROW, "height": HEIGHT}) as page:
        page.goto(f"{demo.url}/trace/chains")
        settled(page)
        assert page.locator("details.chain > summary .id").count() > 10
        assert page.evaluate(BROKEN) == []
        assert page.evaluate(WIDER) <= 0
