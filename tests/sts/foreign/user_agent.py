"""A scripted browser: cookies, redirects, and forms sent back as they came."""

import html
import re
import ssl
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from urllib.parse import urlencode, urljoin

FORM = re.compile(r"<form[^>]*\baction=\"([^\"]*)\"[^>]*>(.*?)</form>", re.DOTALL)
INPUT = re.compile(r"<input\b[^>]*>")
ATTRIBUTE = re.compile(r"\b(name|value)=\"([^\"]*)\"")


class UserAgent:
    """One browser; what a person would click is clicked.

    Args:
        tls: Whom it trusts; the system's authorities where None.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        secure = urllib.request.HTTPSHandler(context=tls)
        self._open = urllib.request.build_opener(cookies, secure).open

    def go(self, url: str, form: dict[str, str] | None = None) -> tuple[str, str]:
        """Go to a page, and on through its redirects; give address and text."""
        data = urlencode(form).encode() if form is not None else None
        try:
            with self._open(url, data, timeout=60) as page:
                return page.url, page.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.url, error.read().decode()

    def sign_in(self, url: str, account: str) -> tuple[str, str]:
        """Follow the address of an authorization request as an account."""
        return self.go(f"{url}&{urlencode({'login_hint': account})}")

    def enter(self, url: str) -> tuple[str, str]:
        """Follow the address of a device's page, and confirm each form there."""
        where, page = self.go(url)
        for _ in range(3):
            found = FORM.search(page)
            if found is None:
                break
            action, fields = found.groups()
            where, page = self.go(
                urljoin(where, html.unescape(action)), _fields(fields)
            )
        return where, page


def _fields(text: str) -> dict[str, str]:
    inputs = (dict(ATTRIBUTE.findall(each)) for each in INPUT.findall(text))
    return {each["name"]: each.get("value", "") for each in inputs if "name" in each}
