"""Start `gateway stdio`: read the configuration. At its end, ship the evidence."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

from answerable.connectors.config.parse.config_faults import ConfigError
from answerable.gateway.stdio.server_credential import read_secret_files
from answerable.gateway.stdio.wrapped_server_settings import WrappedServer
from answerable.model.errors import AnswerableError, UsageError
from answerable.server.policy_loading import read_config_and_policies
from answerable.server.restart_only_settings import resolve_store_folder
from answerable.server.state_folders import gateway_state
from answerable.server.store_access import (
    create_store,
    record_agents_of_config,
    ship_store_spool,
)
from answerable.services.protection.server_starts import recording_failed_start

_LOCK_TIMEOUT = 1.0  # seconds that a client waits for us at the end of its session


def load_wrapped_server(
    config_path: str,
    name: str,
    argv: tuple[str, ...],
    store: Path | None,
    default_store: Path | None,
) -> WrappedServer:
    """Read the configuration, and find the server in it.

    Args:
        config_path: Path of the configuration.
        name: Name of the server.
        argv: Command in place of the server's own; empty for that.
        store: Store named on the command line; None without one.
        default_store: Default store.

    Raises:
        ConfigError: Something in the file is invalid.
        UsageError: The file, or a server of that name, does not exist.
        EnvironmentFailure: The file may not be read, or no store can be created.
    """
    read_at = time.time_ns()
    reading = read_config_and_policies(config_path, store, default_store)
    config = reading.config
    if config is None or not reading.is_valid_except_rules:
        raise ConfigError(config_path, reading.faults)
    server = next((each for each in config.servers if each.name == name), None)
    if server is None:
        raise UsageError(
            f"no such server in {config_path} (got {name!r})",
            f"servers: {', '.join(each.name for each in config.servers) or 'none'}",
        )
    if server.hook:
        raise UsageError(
            f"{name} represents the built-in tools of a client, not an MCP server "
            f"(hook: {server.hook})",
            f"configure the client to run: answerable hook {server.hook} --config "
            f"{config_path}",
        )
    root = resolve_store_folder(config, store, default_store)
    if not root.exists():
        create_store(root)  # before the spool, which may lie in it
    state = gateway_state(config, root)
    with recording_failed_start(state, name):
        secrets = read_secret_files(server.secrets) if argv else {}
    return WrappedServer(
        config,
        server,
        argv,
        root,
        state,
        policies=reading.policies,
        read_at=read_at,
        secrets=secrets,
    )


def ship_evidence(
    wrapped_server: WrappedServer, print_line: Callable[[str], None]
) -> None:
    """Ship the records and the declared agents; refused records stay in the spool.

    They stay as well where another process has the store locked, or a signal ends us.

    Args:
        wrapped_server: The wrapped server.
        print_line: Writes a line to standard error.
    """
    for each in (signal.SIGTERM, signal.SIGHUP):
        # Ends the process at once: shipping may be interrupted anywhere.
        signal.signal(each, signal.SIG_DFL)
    shipped = ship_store_spool(
        wrapped_server.store, wrapped_server.state / "spool", _LOCK_TIMEOUT
    )
    if isinstance(shipped, AnswerableError):
        print_line(f"the evidence is waiting in the spool: {shipped.message}")
        return
    failed = record_agents_of_config(
        wrapped_server.store,
        wrapped_server.config,
        wrapped_server.read_at,
        _LOCK_TIMEOUT,
    )
    if failed is not None:
        print_line(f"the declared agents are not in the inventory: {failed.message}")
