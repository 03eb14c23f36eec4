"""Provide a wrapped server's credential, in HTTP fields or environment variables.

A process keeps the environment of its start. The starter of a wrapper sends no token,
so there is nothing to exchange at the token service.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace

from answerable.gateway.stdio.wrapped_server_settings import WrappedServer
from answerable.gateway.upstream_credentials.credential import PresentedCredential
from answerable.gateway.upstream_credentials.provider import (
    LEAKED_EVENT,
    STALE_EVENT,
    CredentialProvider,
)
from answerable.gateway.upstream_credentials.secret_sources import (
    CredentialUnavailable,
    read_secret_text,
)
from answerable.gateway.upstream_credentials.static_credential_cache import (
    REFUSED_EVENT,
)
from answerable.model.errors import EnvironmentFailure
from answerable.server.secret_fingerprints import build_fingerprinter


def build_credential_provider(
    wrapped_server: WrappedServer, print_line: Callable[[str], None]
) -> CredentialProvider:
    """Build the credential provider; a client's own command gets no URL's credential.

    Args:
        wrapped_server: The wrapped server.
        print_line: Writes a line to standard error.
    """
    server = wrapped_server.server
    if wrapped_server.argv and server.url:
        server = replace(server, credential=None)

    def alarm(event: str, name: str, what: str) -> None:
        if event == REFUSED_EVENT:
            print_line(f"no credential for {name}: {what}")
        elif event == STALE_EVENT:
            print_line(
                f"{name} rejected the credential; the gateway renews the credential: {what}"
            )
        elif event == LEAKED_EVENT:
            print_line(
                f"{name} returned its credential: the response was withheld ({what})"
            )

    return CredentialProvider(
        replace(wrapped_server.config, servers=(server,)),
        time.time,
        lambda work: work.close(),
        build_fingerprinter(wrapped_server.store),
        alarm,
    )


async def fetch_process_credential(
    wrapped_server: WrappedServer, credentials: CredentialProvider
) -> PresentedCredential | None:
    """Fetch the credential for the environment of a server's process; None for none.

    Raises:
        EnvironmentFailure: One is configured, and cannot be fetched.
    """
    kept, name = wrapped_server.server.credential, wrapped_server.server.name
    if kept is None or not kept.as_env:
        return None
    given = await credentials.fetch_static(name)
    if given is None:
        try:  # a credential that no record could identify is not used
            build_fingerprinter(wrapped_server.store)("")
        except EnvironmentFailure as error:
            raise EnvironmentFailure(
                f"cannot start {name}: {error.message}", error.hint
            ) from None
        raise EnvironmentFailure(
            f"cannot start {name}: it has no credential",
            f"see servers.{name}.credential",
        )
    return given


def read_secret_files(files: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Read the secrets of a client's own command, by name.

    Raises:
        EnvironmentFailure: One cannot be read, or other users may access it.
    """
    read: dict[str, str] = {}
    for name, path in files:
        try:
            read[name] = read_secret_text(path)
        except CredentialUnavailable as error:
            raise EnvironmentFailure(
                f"cannot use the secret in {path}: {error.message}",
                "see `secrets` of the server",
            ) from None
    return read


def build_own_command_environment(wrapped_server: WrappedServer) -> dict[str, str]:
    """Return the environment for a client's own command, without credentials.

    A variable that holds a credential is for its server alone, under another name.
    """
    kept = (each.credential for each in wrapped_server.config.servers)
    names = {each.env for each in kept if each is not None}
    return {name: value for name, value in os.environ.items() if name not in names}
