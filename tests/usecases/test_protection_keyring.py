"""Keys move to the operating system's keyring where a real one answers."""

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringLocked, PasswordDeleteError

from answerable.connectors.config.fetch import read_config_file
from answerable.gateway.stdio.server_credential import read_secret_files
from answerable.gateway.upstream_credentials.secret_sources import (
    CredentialUnavailable,
    ProcessGroups,
    read_secret,
)
from answerable.model.errors import EnvironmentFailure
from answerable.services.protection import os_keyring
from answerable.services.protection.protection_plan import (
    ProtectionPlan,
    ProtectionRequest,
)
from answerable.usecases.protection.apply import apply_plan, recover, undo
from answerable.usecases.protection.plan import build_protection_plan
from tests.usecases.stranger_home import CANARIES, write_home


class MemoryKeyring(KeyringBackend):
    """Keyring of a test, which can be locked."""

    priority = 1  # type: ignore[assignment]  # a property there

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked(CANARIES[0])
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.entries.pop((service, username), None) is None:
            raise PasswordDeleteError


class Killed(BaseException):
    """The process ended here."""


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryKeyring]:
    before, made = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(made)
    monkeypatch.setattr(os_keyring, "_REAL_BACKENDS", (MemoryKeyring.__module__,))
    yield made
    keyring.set_keyring(before)


def plan(home: Path) -> ProtectionPlan:
    return build_protection_plan(
        ProtectionRequest(
            owner="ana@example.com",
            home=home,
            folder=None,
            clients=("cursor", "codex"),
            mode="observe",
            config_path=home / ".config/answerable/answerable.yaml",
            gateway_command=("/opt/bin/answerable",),
            uses_keyring=os_keyring.has_keyring(),
        )
    )


def files(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_keys_are_in_the_keyring_alone_until_unprotect(
    backend: MemoryKeyring, tmp_path: Path
) -> None:
    home, state = tmp_path / "home", tmp_path / "state"
    before = write_home(home)
    made = plan(home)
    apply_plan(made, state)
    moved = {secret.value for secret in made.secrets}
    assert moved == {CANARIES[3], CANARIES[6], CANARIES[7]}
    assert moved <= set(backend.entries.values())
    clients = [home / ".cursor", home / ".codex", home / ".config/answerable", state]
    for place in clients:
        for path, data in files(place).items():
            assert not [each for each in moved if each.encode() in data], path

    config = read_config_file(str(home / ".config/answerable/answerable.yaml")).config
    assert config is not None
    servers = {server.name: server for server in config.servers}
    credential = servers["search"].credential
    assert credential is not None
    assert read_secret(credential, ProcessGroups()) == CANARIES[3]
    backend.locked = True
    with pytest.raises(CredentialUnavailable) as locked:
        read_secret(credential, ProcessGroups())
    assert CANARIES[0] not in locked.value.message
    with pytest.raises(EnvironmentFailure):
        undo(state)
    backend.locked = False

    assert plan(home).changes == ()
    undo(state)
    for path, data in before.items():
        assert path.read_bytes() == data
    left = {name for _, name in backend.entries}
    assert all(name.endswith("/backups") for name in left)


def test_a_kill_between_two_entries_is_completed(
    backend: MemoryKeyring, tmp_path: Path
) -> None:
    home, state = tmp_path / "home", tmp_path / "state"
    before = write_home(home)

    def kill(step: str) -> None:
        if step.startswith("write answerable.yaml"):
            raise Killed

    with pytest.raises(Killed):
        apply_plan(plan(home), state, kill)
    assert recover(state) == "completed"
    assert plan(home).changes == ()
    undo(state)
    assert all(path.read_bytes() == data for path, data in before.items())


def test_a_secret_of_a_command_may_be_an_entry(backend: MemoryKeyring) -> None:
    backend.set_password("answerable", "x/db.PASSWORD", "pass word ☃")
    assert read_secret_files((("db", "keyring:x/db.PASSWORD"),)) == {
        "db": "pass word ☃"
    }
    with pytest.raises(EnvironmentFailure, match="no such entry"):
        read_secret_files((("db", "keyring:x/other"),))


def test_no_real_keyring_means_files(
    backend: MemoryKeyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.locked = True
    assert not os_keyring.has_keyring()
    keyring.set_keyring(NoKeyring())
    assert not os_keyring.has_keyring()
    keyring.set_keyring(MemoryKeyring())
    monkeypatch.setattr(os_keyring, "_REAL_BACKENDS", ("keyring.backends.macOS",))
    assert not os_keyring.has_keyring()  # such as one that writes plain text
    write_home(tmp_path)
    assert {secret.path.parent.name for secret in plan(tmp_path).secrets} == {"secrets"}
