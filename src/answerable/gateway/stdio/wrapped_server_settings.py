"""Settings of the server that `gateway stdio` wraps: configuration and folders."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from answerable.model.cedar_policy import CedarPolicySet
from answerable.model.config import Config, UpstreamServer


@dataclass(frozen=True, slots=True)
class WrappedServer:
    """Wrapped server.

    Attributes:
        server: The server in that configuration.
        argv: Command in place of the server's own; empty for that.
        store: Folder of the store.
        state: State folder of the gateway.
        policies: Cedar policies of the configuration.
        read_at: Time at which the configuration was read, UTC nanoseconds.
        secrets: Secrets of the client's own command, by name.
    """

    config: Config
    server: UpstreamServer
    argv: tuple[str, ...]
    store: Path
    state: Path
    policies: CedarPolicySet
    read_at: int
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
