"""Load which MCP clients of this machine connect through the gateway."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from answerable.connectors.config.fetch import read_config_file
from answerable.connectors.config.parse.config_faults import ConfigError
from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.model.config import (
    Config,
    DeclaredAgent,
    StdioCallerRule,
    UpstreamServer,
)
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import AnswerableError
from answerable.model.ids import is_access_key_id
from answerable.model.inventory import Inventory
from answerable.services.inventory import snapshots
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.held_keys import HeldKey, KeyUse, judge_held_keys
from answerable.services.protection.logged_keys import (
    AWS_PARTNERS,
    describe_unlogged_key,
    find_logged_key_id,
)
from answerable.services.protection.observed_calls import RECENT
from answerable.services.protection.os_keyring import PREFIX
from answerable.services.protection.protection_plan import (
    ProtectionPlan,
    ProtectionRequest,
)
from answerable.services.protection.protection_state import read_present
from answerable.services.protection.server_starts import ServerStart, read_starts
from answerable.store.store import EvidenceStore
from answerable.usecases.protection.plan import build_protection_plan
from answerable.usecases.protection.status import (
    HOME_PLACE,
    PlaceOptions,
    build_protection_status,
)


@dataclass(frozen=True, slots=True)
class LoadedLineage:
    """Inventory and chains of a store."""

    inventory: Inventory
    chains: Sequence[ChainTimeline]


def find_protect_config(home: Path) -> Path:
    """Return the configuration that `protect` writes by default for a home."""
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(folder) if Path(folder).is_absolute() else home / ".config"
    return base / "answerable" / "answerable.yaml"


def name_place(config_path: Path, home: Path, repository: Path | None) -> PlaceOptions:
    """Return the options with which a command works on a configuration."""
    if config_path == find_protect_config(home):
        return PlaceOptions()
    here = Path.cwd()
    named = [
        str(path.relative_to(here) if path.is_relative_to(here) else path)
        for path in (config_path, repository or config_path)
    ]
    protect = "--config" if repository is None else "--repo"
    return PlaceOptions(("--config", named[0]), (protect, named[1]))


def is_protected(config_path: Path) -> bool:
    """Return whether `protect` has changed files for a configuration."""
    return (config_path.parent / "protection" / "protected.json").is_file()


def read_protect_config(config_path: Path) -> Config | None:
    """Read the configuration of `protect`; None where there is none.

    Raises:
        ConfigError: It is invalid.
    """
    if not config_path.exists():
        return None
    reading = read_config_file(str(config_path))
    if reading.config is None or reading.faults:
        raise ConfigError(str(config_path), reading.faults)
    return reading.config


def plan_present_files(
    config_path: Path,
    home: Path,
    folder: Path | None,
    clients: tuple[str, ...] = (),
    *,
    is_repository: bool = False,
) -> ProtectionPlan:
    """Plan the present files of a home's clients, only to see what is not mediated."""
    request = ProtectionRequest(
        owner="owner",
        home=home,
        folder=folder,
        clients=clients,
        mode="observe",
        config_path=config_path,
        gateway_command=("answerable",),
        is_repository=is_repository,
    )
    return build_protection_plan(request)


def load_protection_status(
    plan: ProtectionPlan,
    config: Config | None,
    store: EvidenceStore | None,
    now: int,
    lineage: LoadedLineage | None = None,
    *,
    complete: bool = False,
    records_missing: bool = False,
    options: PlaceOptions = HOME_PLACE,
    state: Path | None = None,
) -> Document:
    """Load the status of each server of each client.

    Args:
        plan: Plan for the clients' present files.
        config: The configuration; None where there is none.
        store: Its store; None where there is none.
        now: UTC nanoseconds.
        lineage: Inventory and chains of the store; None to load them.
        complete: Whether no record of the wrappers waits outside the store.
        records_missing: Records that wait could not be read into it.
        options: Options of the next steps.
        state: State folder of the gateway; None where it is not known.
    """
    uses: Sequence[KeyUse] = ()
    held = _HeldKeys([], {}) if config is None else _read_held_keys(config)
    if config is not None and store is not None:
        keys = held.logged
        if keys:
            lineage = lineage or LoadedLineage(
                snapshots.load_inventory(store, now=now), load_or_compute_chains(store)
            )
            uses = judge_held_keys(
                store,
                lineage.inventory,
                lineage.chains,
                keys,
                since=now - RECENT,
                until=now if complete else 0,
            )
    return build_protection_status(
        plan,
        config,
        store,
        now,
        uses,
        records_missing=records_missing,
        options=options,
        unrecognised=held.unlogged,
        starts=_read_known_starts(config, state),
    )


def _read_known_starts(
    config: Config | None, state: Path | None
) -> Mapping[str, ServerStart] | None:
    """Read the last starts of the servers; None where no place of them is known."""
    if config is None or state is None:
        return None
    return read_starts(state, [server.name for server in config.servers])


@dataclass(frozen=True, slots=True)
class _HeldKeys:
    """Keys that the gateway holds: those that logs name, and others by server."""

    logged: list[HeldKey]
    unlogged: dict[str, list[str]]


def _read_held_keys(config: Config) -> _HeldKeys:
    """Read the keys that the gateway holds, by the agent that may use each."""
    agents: dict[str, DeclaredAgent] = {
        caller.server: agent
        for agent in config.agents
        for caller in agent.callers
        if isinstance(caller, StdioCallerRule)
    }
    # The keyring has no times: the lock is as old as the first run of `protect`.
    moved = Path(config.place).parent / "protection" / "lock"
    held = _HeldKeys([], {})
    for server in config.servers:
        keys = _list_secret_places(server) if server.name in agents else ()
        unlogged: list[str] = []
        has_access_key = False
        for name, path in keys:
            secret = _read_secret(path)
            credential = find_logged_key_id(secret) if secret else ""
            if not credential:
                unlogged.append(describe_unlogged_key(name, secret))
                continue
            has_access_key = has_access_key or is_access_key_id(secret or "")
            dated = moved if path.startswith(PREFIX) else Path(path)
            with contextlib.suppress(OSError):
                since = dated.stat().st_mtime_ns
                agent = agents[server.name].id
                held.logged.append(HeldKey(credential, agent, server.name, since))
        if has_access_key:
            unlogged = [e for e in unlogged if e.partition(" ")[0] not in AWS_PARTNERS]
        if unlogged:
            held.unlogged[server.name] = unlogged
    return held


def _list_secret_places(server: UpstreamServer) -> Iterator[tuple[str, str]]:
    """Yield the name and place of each secret of a server."""
    for name, path in server.secrets:
        yield name.removeprefix(f"{server.name}."), path
    held = server.credential
    if held is not None and (held.file or held.keyring):
        place = held.file or f"{PREFIX}{held.keyring}"
        yield held.as_env or held.header or "Authorization", place


def _read_secret(path: str) -> str | None:
    """Read a secret; None where it cannot be read."""
    try:
        data = read_present(Path(path))
        return None if data is None else data.decode().strip()
    except (OSError, AnswerableError, UnicodeDecodeError):
        return None
