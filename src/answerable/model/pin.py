"""Pins: what an MCP server says of its tools and prompts, held to what it was.

A server's definitions are its own word, and what an agent reads of a tool is chosen by
whoever runs the server. So what was seen first, or what a person approved, is kept, and
what differs from it is in quarantine until a person says otherwise.
"""

import msgspec

from answerable.model.decision import Word


class Pinning(Word):
    """What a server's definitions are held to."""

    FIRST_USE = "first-use"  # what was seen first, and what was approved since
    APPROVED = "approved"  # what a person approved, and nothing else
    OFF = "off"


class Kind(Word):
    """What a server defines."""

    TOOL = "tool"
    PROMPT = "prompt"
    TEMPLATE = "template"  # of resources
    INSTRUCTIONS = "instructions"  # of the server itself; they have no name


class How(Word):
    """How a pin came about."""

    FIRST_USE = "first-use"
    APPROVED = "approved"


class Why(Word):
    """Why an item is in quarantine."""

    NEW = "new"
    CHANGED = "changed"
    SHADOWS = "shadows"  # new, and named like a tool or prompt of another server
    AMBIGUOUS = "ambiguous"  # it can be read in more ways than one


class Definition(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a server says of one item.

    Attributes:
        kind: What it is.
        name: Its name; of a template its URI template; empty for instructions.
        sha256: Of its canonical form, hex.
        fields: Pairs (field, canonical JSON), sorted; what is too long to keep stands
            as its digest.
        is_ambiguous: It can be read in more ways than one; then the digest is that of
            its bytes.
    """

    kind: Kind
    name: str
    sha256: str
    fields: tuple[tuple[str, str], ...] = ()
    is_ambiguous: bool = False

    @property
    def key(self) -> str:
        """What it is known by among the items of its server."""
        return item_key(self.kind, self.name)


def item_key(kind: Kind, name: str) -> str:
    """Name an item among those of its server; its kind ends at the first colon."""
    return f"{kind}:{name}"


def item_of(key: str) -> tuple[Kind, str]:
    """Give kind and name of an item by its key."""
    kind, _, name = key.partition(":")
    return Kind(kind), name


def item_id(server: str, kind: Kind, name: str) -> str:
    """Name an item anywhere, as decisions and kills name tools."""
    item = f"/{name}" if name else ""
    return f"{kind}:mcp/{server}{item}"


class Approval(msgspec.Struct, frozen=True):
    """A person's signed word that something is as it should be.

    Attributes:
        person: Who.
        statement: SHA-256 of what they signed, hex; the store's log holds it.
        at: When, UTC nanoseconds.
    """

    person: str
    statement: str
    at: int


class Pin(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an item is held to.

    Attributes:
        definition: As it was seen first, or approved.
        at: When it was pinned, UTC nanoseconds.
        approval: Who approved it; None where it was pinned at first use.
    """

    definition: Definition
    at: int
    approval: Approval | None = None

    @property
    def how(self) -> How:
        """How it came about."""
        return How.FIRST_USE if self.approval is None else How.APPROVED


class Seen(msgspec.Struct, frozen=True, omit_defaults=True):
    """An item in quarantine, until a person decides.

    Attributes:
        definition: As it was seen last.
        why: Why it is there.
        at: Since when, UTC nanoseconds.
        like: What it is named like, `tool:mcp/SERVER/NAME`; empty where nothing.
    """

    definition: Definition
    why: Why
    at: int
    like: str = ""


class PinnedServer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One identity that a server may have.

    Attributes:
        identity: Digest of its TLS key, of its command and program, or its URL.
        at: When it was pinned, UTC nanoseconds.
        approval: Who approved it; None where it was pinned at first use.
    """

    identity: str
    at: int
    approval: Approval | None = None


class Pins(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is pinned and seen of one server.

    Attributes:
        servers: Identities that it may have, the newest last.
        other: Another one that it had since, and no person approved; empty for none.
        other_at: When that was met first, UTC nanoseconds.
        items: Pins by item.
        seen: What is in quarantine, by item.
        opened: Kind -> when its first list was seen, UTC nanoseconds.
        closed: Kinds whose first set is whole: what comes later is new.
        is_full: Some new items were too many to keep, or their names too long; they are
            in quarantine.
    """

    servers: tuple[PinnedServer, ...] = ()
    other: str = ""
    other_at: int = 0
    items: dict[str, Pin] = {}
    seen: dict[str, Seen] = {}
    opened: dict[str, int] = {}
    closed: tuple[str, ...] = ()
    is_full: bool = False

    @property
    def is_another(self) -> bool:
        """Whether the server has become another one."""
        return bool(self.other and self.servers)


NO_PINS = Pins()
