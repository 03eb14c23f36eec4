"""Types of pinned MCP definitions: a server's tools, prompts and instructions.

A server chooses its own definitions, and an agent reads them. The first seen or
approved definition is therefore kept, and a different one is quarantined until a person
decides.
"""

import msgspec

from answerable.model.decision import HashableStrEnum


class PinningMode(HashableStrEnum):
    """Pinning mode of a server."""

    FIRST_USE = "first-use"  # the first seen definition, and later approved ones
    APPROVED = "approved"  # approved definitions only
    OFF = "off"


class DefinitionKind(HashableStrEnum):
    """Kind of a server's definition."""

    TOOL = "tool"
    PROMPT = "prompt"
    TEMPLATE = "template"  # of resources
    INSTRUCTIONS = "instructions"  # of the server itself; they have no name


class PinOrigin(HashableStrEnum):
    """Origin of a pin."""

    FIRST_USE = "first-use"
    APPROVED = "approved"


class QuarantineReason(HashableStrEnum):
    """Reason for the quarantine of an item."""

    NEW = "new"
    CHANGED = "changed"
    SHADOWS = "shadows"  # new, and named like a tool or prompt of another server
    AMBIGUOUS = "ambiguous"  # it can be read in more ways than one


class McpDefinition(msgspec.Struct, frozen=True, omit_defaults=True):
    """Definition of one item by its server.

    Attributes:
        name: Its name; of a template its URI template; empty for instructions.
        sha256: Of its canonical form, hex.
        fields: Pairs (field, canonical JSON), sorted; an overlong value is replaced by
            its digest.
        is_ambiguous: It can be read in more ways than one; then the digest is that of
            its bytes.
    """

    kind: DefinitionKind
    name: str
    sha256: str
    fields: tuple[tuple[str, str], ...] = ()
    is_ambiguous: bool = False

    @property
    def key(self) -> str:
        """Return the key of the definition among those of its server."""
        return get_definition_key(self.kind, self.name)


def get_definition_key(kind: DefinitionKind, name: str) -> str:
    """Return the key of an item within its server; the kind ends at the first colon."""
    return f"{kind}:{name}"


def split_definition_key(key: str) -> tuple[DefinitionKind, str]:
    """Split the key of an item into its kind and name."""
    kind, _, name = key.partition(":")
    return DefinitionKind(kind), name


def build_definition_id(server: str, kind: DefinitionKind, name: str) -> str:
    """Return the global id of an item, as used in decisions and revocations."""
    item = f"/{name}" if name else ""
    return f"{kind}:mcp/{server}{item}"


class DefinitionApproval(msgspec.Struct, frozen=True):
    """Signed approval of a definition or a server identity.

    Attributes:
        statement: SHA-256 of what they signed, hex; the store's log holds it.
    """

    person: str
    statement: str
    at: int


class DefinitionPin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Pin of an item: the definition that it must match.

    Attributes:
        definition: First seen or approved definition.
        at: Time of pinning, UTC nanoseconds.
        approval: Approval; None for a pin at first use.
    """

    definition: McpDefinition
    at: int
    approval: DefinitionApproval | None = None

    @property
    def pin_origin(self) -> PinOrigin:
        """Return how it was pinned: at first use or by an approval."""
        return PinOrigin.FIRST_USE if self.approval is None else PinOrigin.APPROVED


class QuarantinedDefinition(msgspec.Struct, frozen=True, omit_defaults=True):
    """Quarantined item, until a person decides.

    Attributes:
        definition: Last seen definition.
        why: Reason of the quarantine.
        at: Since when, UTC nanoseconds.
        like: Similarly named item, `tool:mcp/SERVER/NAME`; empty for none.
    """

    definition: McpDefinition
    why: QuarantineReason
    at: int
    like: str = ""


class PinnedServerIdentity(msgspec.Struct, frozen=True, omit_defaults=True):
    """Pinned identity of a server.

    Attributes:
        identity: Digest of its TLS key, of its command and program, or its URL.
        at: Time of pinning, UTC nanoseconds.
        approval: Approval; None for a pin at first use.
    """

    identity: str
    at: int
    approval: DefinitionApproval | None = None


class ServerPins(msgspec.Struct, frozen=True, omit_defaults=True):
    """Pins and quarantined items of one server.

    Attributes:
        servers: Pinned identities, the newest last.
        other: Newer identity that no person approved; empty for none.
        other_at: Time of its first connection, UTC nanoseconds.
        seen: Quarantined definitions, by item.
        opened: Time of the first list by kind, UTC nanoseconds.
        closed: Kinds with a complete first list; later items are new.
        is_full: Some new items exceeded a limit of number or name length; they are
            quarantined.
    """

    servers: tuple[PinnedServerIdentity, ...] = ()
    other: str = ""
    other_at: int = 0
    items: dict[str, DefinitionPin] = {}
    seen: dict[str, QuarantinedDefinition] = {}
    opened: dict[str, int] = {}
    closed: tuple[str, ...] = ()
    is_full: bool = False

    @property
    def has_identity_changed(self) -> bool:
        """Return whether the server's key or program changed without approval."""
        return bool(self.other and self.servers)


NO_PINS = ServerPins()
