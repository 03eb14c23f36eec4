"""What one wrapper stands in front of."""

from dataclasses import dataclass
from pathlib import Path

from answerable.model.cedar import CedarRules
from answerable.model.config import Config, Server


@dataclass(frozen=True, slots=True)
class Wrapped:
    """What to wrap.

    Attributes:
        config: The configuration.
        server: The server, one of it.
        argv: A command in place of the server's own; empty for that.
        store: Folder of the store.
        state: The gateway's own folder.
        policies: The Cedar policies of the configuration.
    """

    config: Config
    server: Server
    argv: tuple[str, ...]
    store: Path
    state: Path
    policies: CedarRules
