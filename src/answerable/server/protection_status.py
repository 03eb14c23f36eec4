"""Load the protection status of this machine's clients, for commands and the web page."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from answerable.connectors.config.fetch import read_config_file
from answerable.connectors.config.parse.config_faults import ConfigError
from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.model.config import Config, DeclaredAgent, StdioCallerRule
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import AnswerableError
from answerable.model.ids import build_aws_credential_id, is_access_key_id
from answerable.model.inventory import Inventory
from answerable.services.inventory import snapshots
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.held_keys import HeldKey, KeyUse, judge_held_keys
from answerable.services.protection.observed_calls import RECENT
from answerable.services.protection.os_keyring import PREFIX
from answerable.services.protection.protection_plan import (
    ProtectionPlan,
    ProtectionRequest,
)
from answerable.services.protection.protection_state import read_present
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
    """Tell whether `protect` has changed files for a configuration."""
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
    """
    uses: Sequence[KeyUse] = ()
    if config is not None and store is not None:
        keys = [*_list_held_keys(config)]
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
    )


def _list_held_keys(config: Config) -> Iterator[HeldKey]:
    """Yield the AWS keys that the gateway holds, by the agent that may use each."""
    agents: dict[str, DeclaredAgent] = {
        caller.server: agent
        for agent in config.agents
        for caller in agent.callers
        if isinstance(caller, StdioCallerRule)
    }
    # The keyring has no times: the lock is as old as the first run of `protect`.
    moved = Path(config.place).parent / "protection" / "lock"
    for server in config.servers:
        paths = [path for _, path in server.secrets]
        held = server.credential
        if held is not None and (held.file or held.keyring):
            paths.append(held.file or f"{PREFIX}{held.keyring}")
        for path in paths if server.name in agents else ():
            try:
                text = (read_present(Path(path)) or b"").decode("ascii").strip()
                dated = moved if path.startswith(PREFIX) else Path(path)
                since = dated.stat().st_mtime_ns
            except (OSError, AnswerableError, UnicodeDecodeError):
                continue
            if is_access_key_id(text):
                key = build_aws_credential_id(text)
                yield HeldKey(key, agents[server.name].id, server.name, since)
