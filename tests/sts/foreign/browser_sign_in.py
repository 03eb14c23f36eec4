"""A person signs in at the foreign issuer, by a scripted browser."""

import threading
from dataclasses import replace

from answerable.model.config import IssuerConfig
from answerable.model.token_claims import TokenType, TrustedIssuer
from answerable.server.login.sign_in_environment import build_sign_in_environment
from answerable.services.federation.stored_login import StoredLogin
from answerable.usecases.federation.sign_in_person import sign_in
from tests.sts.foreign.issuer import ForeignIssuer
from tests.sts.foreign.user_agent import UserAgent


def pinned(foreign: ForeignIssuer, client: str, *algs: str) -> IssuerConfig:
    pin = TrustedIssuer("corp", foreign.url, algs, (TokenType.ID_TOKEN,), 3600)
    return IssuerConfig(pin, client, "discovery", bearer=False, person="email")


def by_browser(
    at: IssuerConfig, account: str = "bo@example.com", agent: UserAgent | None = None
) -> tuple[StoredLogin, list[str]]:
    """Sign in with a scripted browser; give its last pages too."""
    browser, pages = agent or UserAgent(), list[str]()
    threads: list[threading.Thread] = []

    def go(url: str) -> None:
        pages.append(browser.sign_in(url, account)[1])

    def show(url: str) -> bool:
        threads.append(threading.Thread(target=go, args=(url,)))
        threads[-1].start()
        return True

    try:
        return sign_in(
            replace(build_sign_in_environment(at.ca, str), show=show), at, device=False
        ), pages
    finally:
        for each in threads:
            each.join()
