"""Assemble the dependencies of one sign-in: provider, keys, browser, clock."""

import os
import secrets
import sys
import time
from collections.abc import Callable
from functools import partial

from answerable.federation.oidc_login.requests import LoginSecrets
from answerable.server.login.browser import has_browser, open_in_browser
from answerable.server.login.loopback_listener import LoopbackListener
from answerable.server.login.provider_client import ProviderClient, load_provider_keys
from answerable.services.federation.oidc_sign_in import SignInEnvironment

_BYTES = 32  # of each fresh value; a verifier has 43 letters then (RFC 7636 4.1)


def build_sign_in_environment(
    ca_file: str, print_line: Callable[[str], None]
) -> SignInEnvironment:
    """Build what a sign-in needs: HTTP client, browser, printing.

    Args:
        ca_file: File of the provider's certificate authorities, empty for the system's.
        print_line: Prints a line for the person.

    Raises:
        EnvironmentFailure: The file cannot be used.
    """
    ask = ProviderClient(ca_file)
    terminal = sys.stdin.isatty() and sys.stderr.isatty()
    browser = has_browser(os.environ, sys.platform, terminal=terminal)
    return SignInEnvironment(
        ask=ask,
        keys=partial(load_provider_keys, ask),
        listen=LoopbackListener,
        show=open_in_browser if browser else _no_browser,
        print_line=print_line,
        generate_secrets=generate_sign_in_secrets,
        now=time.time,
        monotonic=time.monotonic,
        sleep=time.sleep,
    )


def generate_sign_in_secrets() -> LoginSecrets:
    """Generate the random state, nonce and PKCE verifier of one sign-in."""
    return LoginSecrets(*(secrets.token_urlsafe(_BYTES) for _ in range(3)))


def _no_browser(_: str) -> bool:
    """Return False: the substitute on a machine without a browser."""
    return False
