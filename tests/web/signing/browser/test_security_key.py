"""A security key of Chromium's virtual authenticator signs in and signs statements."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from answerable.services.statements import owner_keys
from answerable.services.statements.policy_exceptions import read_policy_exceptions
from answerable.store.store import EvidenceStore
from tests.web.chromium import CHROMIUM
from tests.web.signing.browser.test_browser_signs import Serving, serving

__all__ = ["serving"]  # a fixture

pytestmark = [
    pytest.mark.world,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium"),
]
PATIENCE = 120_000  # ms
DEVICE = {
    "protocol": "ctap2",
    "transport": "usb",
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@dataclass
class Person:
    """A person at the page, with a device of their own."""

    page: Any
    url: str
    device: Any
    id: str

    def verify(self, *, possible: bool) -> None:
        """Let the device verify the person, or not."""
        said = {"authenticatorId": self.id, "isUserVerified": possible}
        self.device.send("WebAuthn.setUserVerified", said)

    def enroll(self) -> None:
        self.page.goto(f"{self.url}/keys")
        self.page.get_by_role("button", name="Enroll a security key").click()


@pytest.fixture
def person(serving: Serving, chromium: Any) -> Iterator[Person]:
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    device = context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    made = device.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    page.goto(serving.link.replace("127.0.0.1", "localhost"))
    page.wait_for_url(lambda url: "/sign-in" not in url)
    url = serving.url.replace("127.0.0.1", "localhost")
    yield Person(page, url, device, made["authenticatorId"])
    context.close()
    assert wrong == []


def test_a_security_key_is_enrolled_signs_a_statement_and_signs_in(
    serving: Serving, person: Person
) -> None:
    page, url = person.page, person.url
    person.verify(possible=False)
    person.enroll()
    page.get_by_text("no security key was enrolled").wait_for()
    person.verify(possible=True)
    person.enroll()
    page.get_by_text("Enrolled: this security key now signs as").wait_for()
    page.get_by_text("in this browser", exact=True).wait_for()

    # Re-authentication: the device signs the challenge of the page.
    page.context.clear_cookies()
    page.goto(f"{url}/agents")
    assert "/sign-in?next=" in page.url
    page.get_by_role("button", name="Sign in with your security key").click()
    page.wait_for_url(lambda url: url.endswith("/agents"))
    assert "ana@corp.example" in page.inner_text("header")

    # A browser without a record of the key signs too: the page names its credential.
    page.evaluate("indexedDB.deleteDatabase('answerable-owner-keys')")
    page.goto(f"{url}/ask?id={serving.decision}")
    page.get_by_role("button", name="Show what I would sign").click()
    page.get_by_role("button", name="Sign with your security key").click()
    page.wait_for_url(lambda url: "/ask" in url)
    assert "allowed" in page.locator("#main").inner_text()
    with EvidenceStore.open(serving.store, now=time.time_ns(), create=False) as store:
        assert len(read_policy_exceptions(store, time.time_ns()).active) == 1
        keys = owner_keys.read_owner_keys(store).values()
    assert [each.webauthn.origin for each in keys if each.webauthn] == [url]
