"""Dependencies of one sign-in: provider, keys, browser, clock."""

import os
import secrets
import sys
import time
from collections.abc import Callable
from functools import partial

from answerable.federation.oidc_login.requests import Sealed
from answerable.server.login.browser import has_browser, open_page
from answerable.server.login.loopback_listener import Loopback
from answerable.server.login.provider_client import AskProvider, keys_of
from answerable.services.federation.sign_in import Ways

_BYTES = 32  # of each fresh value; a verifier has 43 letters then (RFC 7636 4.1)


def ways_of(ca: str, tell: Callable[[str], None]) -> Ways:
    """Build the dependencies of a sign-in on this machine.

    Args:
        ca: File of the provider's certificate authorities, empty for the system's.
        tell: Prints a line for the person.

    Raises:
        EnvironmentRefused: The file cannot be used.
    """
    ask = AskProvider(ca)
    terminal = sys.stdin.isatty() and sys.stderr.isatty()
    browser = has_browser(os.environ, sys.platform, terminal=terminal)
    return Ways(
        ask=ask,
        keys=partial(keys_of, ask),
        listen=Loopback,
        show=open_page if browser else _no_browser,
        tell=tell,
        seal=fresh,
        now=time.time,
        ticks=time.monotonic,
        sleep=time.sleep,
    )


def fresh() -> Sealed:
    """Generate the random values of one sign-in."""
    return Sealed(*(secrets.token_urlsafe(_BYTES) for _ in range(3)))


def _no_browser(_: str) -> bool:
    return False
