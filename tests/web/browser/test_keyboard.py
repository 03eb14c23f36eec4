"""The pages by keyboard alone, and the investigation from a question to its proof."""

from urllib.parse import parse_qs, urlsplit

from tests.web.browser.conftest import Demo, Look, settled

QUESTION = "tool:*send_mail*"


def test_a_question_is_asked_and_an_answer_opened_by_keyboard(
    look: Look, demo: Demo
) -> None:
    with look() as page:
        page.goto(f"{demo.url}/agents")
        page.keyboard.press("/")
        page.keyboard.type(QUESTION)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/trace?" in url)
        asked = parse_qs(urlsplit(page.url).query)["q"][0]
        assert asked == QUESTION
        settled(page)
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        marked = page.locator("main .current")
        assert marked.count() == 1
        href = marked.locator("a[href]").first.get_attribute("href")
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: url.endswith(href))


def test_y_copies_the_permalink(look: Look, demo: Demo) -> None:
    with look(permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto(f"{demo.url}/trace?q={QUESTION}")
        settled(page)
        page.keyboard.press("y")
        page.get_by_text("link copied").wait_for()
        link = page.evaluate("navigator.clipboard.readText()")
        assert link.startswith(f"{demo.url}/trace?")
        page.goto(link)
        assert "send_mail" in page.inner_text("main")


def test_every_page_is_reached_by_tab_and_shows_where_one_is(
    look: Look, demo: Demo
) -> None:
    with look() as page:
        page.goto(demo.url)
        seen = set()
        for _ in range(20):
            page.keyboard.press("Tab")
            seen.add(page.evaluate("document.activeElement.textContent.trim()"))
            drawn = page.evaluate(
                "getComputedStyle(document.activeElement).outlineStyle !== 'none'"
            )
            assert drawn, page.evaluate("document.activeElement.outerHTML")
        assert {"Overview", "Agents", "Decisions", "Evidence"} <= seen


def test_a_chain_is_exported_and_proven(look: Look, demo: Demo) -> None:
    wide = {"width": 1920, "height": 1080}
    with look(accept_downloads=True, viewport=wide) as page:
        page.goto(f"{demo.url}/trace?q={QUESTION}")
        settled(page)
        with page.expect_download() as export:
            page.get_by_role("link", name="csv").click()
        assert "send_mail" in export.value.path().read_text()
        page.get_by_role("link", name="proof").first.click()
        page.wait_for_url(lambda url: "/proof?" in url)
        assert "root" in page.inner_text("main")
