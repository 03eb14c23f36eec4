"""An open list says that its data has changed, without a reload."""

import re
import time
from typing import Any

from answerable.store.store import EvidenceStore
from tests.usecases.owned_store import AGENT, ANA, A, attest
from tests.web.browser.conftest import PATIENCE
from tests.web.signing.browser.test_browser_signs import Serving, serving

__all__ = ["serving"]  # a fixture
NOTICE = "The data has changed since this page was made."


def test_an_open_list_says_that_its_data_has_changed_and_offers_to_refresh(
    serving: Serving, chromium: Any
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(serving.link)
    page.wait_for_url(lambda url: "/sign-in" not in url)
    page.goto(f"{serving.url}/agents?sort=-name")
    with page.expect_event("request", lambda request: "/updates?since=" in request.url):
        page.reload()
    assert NOTICE not in page.inner_text("body")
    with EvidenceStore.open(serving.store, now=time.time_ns()) as store:
        attest(store, A, ANA, AGENT, at=time.time_ns())
    page.get_by_text(NOTICE).wait_for()
    with page.expect_navigation(wait_until="load"):
        page.get_by_role("link", name="Refresh").click()
    assert re.fullmatch(r".*/agents\?sort=-name", page.url)
    assert NOTICE not in page.inner_text("body")
    assert wrong == []
    context.close()
