"""What a wrapped server is shown: in its fields, or in the environment of its process.

A process keeps what it was started with. Whoever starts a wrapper shows no token, so
there is none to get from the token service.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace

from answerable.gateway.credentials import LEAKED, STALE, Credentials
from answerable.gateway.shown.credential import Credential
from answerable.gateway.shown.held import REFUSED
from answerable.gateway.stdio.wrapped import Wrapped
from answerable.model.errors import EnvironmentRefused
from answerable.serving.fingerprints import fingerprints


def credentials_of(wrapped: Wrapped, tell: Callable[[str], None]) -> Credentials:
    """Give what the server is shown; words of the client's, nothing that a URL is.

    Args:
        wrapped: What to wrap.
        tell: Is given sentences for whoever reads standard error.
    """
    server = wrapped.server
    if wrapped.argv and server.url:
        server = replace(server, credential=None)

    def alarm(event: str, name: str, what: str) -> None:
        if event == REFUSED:
            tell(f"there is no credential for {name}: {what}")
        elif event == STALE:
            tell(f"{name} does not take its credential, which is got anew: {what}")
        elif event == LEAKED:
            tell(f"{name} gave back its credential, which was kept back ({what})")

    return Credentials(
        replace(wrapped.config, servers=(server,)),
        time.time,
        lambda work: work.close(),
        fingerprints(wrapped.store),
        alarm,
    )


async def given_to(wrapped: Wrapped, credentials: Credentials) -> Credential | None:
    """Get what the process of a server is started with, None where that is nothing.

    Raises:
        EnvironmentRefused: It should be started with one that there is not.
    """
    kept, name = wrapped.server.credential, wrapped.server.name
    if kept is None or not kept.as_env:
        return None
    given = await credentials.given(name)
    if given is None:
        raise EnvironmentRefused(
            f"cannot start {name}: there is no credential for it",
            f"see servers.{name}.credential",
        )
    return given


def environment_of(wrapped: Wrapped) -> dict[str, str]:
    """The environment for the client's own words: the client's, less what is kept there.

    A variable that holds a credential is for its server alone, under another name.
    """
    kept = (each.credential for each in wrapped.config.servers)
    names = {each.env for each in kept if each is not None}
    return {name: value for name, value in os.environ.items() if name not in names}
