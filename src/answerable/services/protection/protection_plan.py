"""Plan of `protect`: changed files, moved secrets, and parts that stay as they are."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from answerable.services.protection.os_keyring import PREFIX
from answerable.services.protection.unrecognised_values import UnrecognisedValue


@dataclass(frozen=True, slots=True)
class ProtectionRequest:
    """Request to protect the clients of a home.

    Attributes:
        owner: Mail address or handle of the person who answers for the agents; empty if
            not known.
        home: Home directory.
        folder: Project folder; None for none.
        clients: Agent clients; empty for all.
        mode: Mode of new agents: observe, shadow or enforce.
        config_path: The `answerable.yaml`, which may not exist yet.
        gateway_command: Words that start `answerable`, the first an absolute path.
        store: Store that the configuration names; None for the default.
        is_repository: Protect the committed files of the folder alone, with paths that
            hold on every machine; no hook is installed.
        is_managed: The clients' files are distributed to a fleet, and hold no key.
        uses_keyring: Move keys to the operating system's keyring, not to files.
    """

    owner: str
    home: Path
    folder: Path | None
    clients: tuple[str, ...]
    mode: str
    config_path: Path
    gateway_command: tuple[str, ...]
    store: Path | None = None
    is_repository: bool = False
    uses_keyring: bool = False
    is_managed: bool = False

    @property
    def secret_folder(self) -> str:
        """Return the place of moved keys: a folder, or the keyring's entries."""
        if not self.uses_keyring:
            return "secrets"
        digest = hashlib.sha256(str(self.config_path).encode()).hexdigest()
        return f"{PREFIX}{digest[:12]}"

    def locate_secret(self, place: str) -> Path:
        """Return the path of a moved key, or its entry in the keyring."""
        if place.startswith(PREFIX):
            return Path(place)
        return self.config_path.parent / place

    def name_config_for(self, client: str) -> str:
        """Return the path of the configuration in the format of a client's file.

        VS Code replaces variables (code.visualstudio.com/docs/reference/variables-reference);
        the other clients start servers in the folder that they have opened.
        """
        if not self.is_repository or self.folder is None:
            return str(self.config_path)
        path = self.config_path.relative_to(self.folder).as_posix()
        return f"${{workspaceFolder}}/{path}" if client == "vscode" else path


@dataclass(frozen=True, slots=True)
class FileChange:
    """Change of one file. Both contents may hold secrets and stay out of the repr.

    Attributes:
        path: The file.
        client: Agent client that reads it; empty for the gateway's configuration.
        before: Present content, empty for a new file.
        after: New content.
        what: Changes in words, without values.
        exists: False for a new file.
        target: File that is changed where the path, or a folder of it, is a link.
    """

    path: Path
    client: str
    before: bytes
    after: bytes
    what: tuple[str, ...]
    exists: bool = True
    target: Path | None = None

    def __repr__(self) -> str:
        return f"FileChange({str(self.path)!r}, {self.what!r})"


@dataclass(frozen=True, slots=True)
class MovedSecret:
    """Literal secret that moves out of a client's file.

    Attributes:
        client: Client that held it.
        server: Server of the configuration that gets it.
        name: Variable, header or argument that held it.
        path: File of mode 0600, or entry `keyring:...`, that holds it from now on.
        value: The secret, kept out of the repr.
    """

    client: str
    server: str
    name: str
    path: Path
    value: str

    def __repr__(self) -> str:
        return f"MovedSecret({self.client!r}, {self.server!r}, {self.name!r})"


@dataclass(frozen=True, slots=True)
class Refusal:
    """File, server or secret that stays as it is.

    Attributes:
        path: The file.
        client: Agent client that reads it.
        server: Server entry; empty for the whole file.
        reason: Reason in words, without values.
        keys: Names of the literal keys of a server entry that stay in the file.
    """

    path: Path
    client: str
    server: str
    reason: str
    keys: tuple[str, ...] = ()

    def describe(self) -> str:
        """Describe the part and the reason in one line, without values."""
        server = f" {self.server}" if self.server else ""
        return f"{self.path}{server}: {self.reason}"

    def describe_keys(self) -> str:
        """Describe the keys that stay in the file, without values; empty for none."""
        if not self.keys:
            return ""
        names = ", ".join(dict.fromkeys(each or "unnamed" for each in self.keys))
        return f"a key stays in {self.path}: {self.server} {names}"


@dataclass(frozen=True, slots=True)
class ValueToCheck:
    """Value of a server entry that stays there, and that may be a secret."""

    client: str
    entry: str
    found: UnrecognisedValue


@dataclass(frozen=True, slots=True)
class ProtectedServer:
    """Server entry that a client reaches through the gateway.

    Attributes:
        client: Agent client.
        entry: Name in the client's file.
        server: Name in the configuration.
    """

    client: str
    entry: str
    server: str


@dataclass(frozen=True, slots=True)
class ProtectionPlan:
    """Changes that protect the clients of a home; nothing is written yet.

    Attributes:
        changes: The configuration first, then the clients' files.
        agents: Declared agents by name, one for each client.
        servers: Servers that this plan puts behind the gateway.
        mediated: Servers that are behind it already.
        uncovered: Servers of the configuration, of this plan, that the signed baseline
            of their agent does not cover.
        to_check: Values that may be secrets, and that stay in the clients' files.
    """

    changes: tuple[FileChange, ...]
    secrets: tuple[MovedSecret, ...]
    agents: tuple[str, ...]
    servers: tuple[ProtectedServer, ...]
    refused: tuple[Refusal, ...]
    mediated: tuple[ProtectedServer, ...] = ()
    uncovered: tuple[str, ...] = ()
    to_check: tuple[ValueToCheck, ...] = ()


class UndoOutcome(StrEnum):
    """Outcome of undoing the change of one file."""

    RESTORED = "restored"  # byte for byte
    MERGED = "merged"  # our change is undone, the client's own later edits stay
    REMOVED = "removed"  # a file that protect had created
    KEPT = "kept"  # it could not be undone


@dataclass(frozen=True, slots=True)
class UndoResult:
    """Result of undoing the change of one file."""

    path: Path
    outcome: UndoOutcome
    detail: str = ""
