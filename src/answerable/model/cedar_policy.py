"""Types of the operator's Cedar policies, checked once when loaded.

The files are in Cedar's own language (docs/policies.md). The loader checks them and
classifies how each policy is evaluated; the decision path only evaluates.
"""

from dataclasses import dataclass, field

import msgspec

from answerable.model.decision import DecisionEffect, DecisionLayer
from answerable.model.json_key_lookalikes import KeyPath


@dataclass(frozen=True, slots=True)
class CedarFile:
    """Policy file as read.

    Attributes:
        name: As faults and decisions name it, e.g. `policies/mail.cedar`.
        data: Its bytes.
    """

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CedarFault:
    """Fault in a policy.

    Attributes:
        file: The file.
        line: First line of the policy, from 1.
        policy: Its id; empty for the whole file.
        what: One line: what is wrong.
    """

    file: str
    line: int
    policy: str
    what: str


class CedarPolicy(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Valid policy.

    Attributes:
        id: `FILE:ID`; ID is what its `@id` says, else `policy` and its position.
        line: First line, from 1.
        effect: Allow for a permit; deny for a forbid, ask for one with `@ask`.
        principal: The one agent that it is about, empty for any.
        actions: MCP methods that it is about, empty for any.
        resource: `tool:mcp/SERVER/NAME` or the like, `server:NAME` for all of a
            server, empty for anything.
        kind: Cedar type of what is acted on, empty for any.
        layer: Needed evaluation: a lookup (table), its conditions as they are
            compiled here (constraint), or Cedar.
        conditions: Cedar's JSON form of them, where they are compiled here.
        text: The policy itself.
        mentions: Configured entities that it names: `agent:declared/NAME`,
            `server:NAME`.
        reads: Members of the arguments that it reads, each by its path in them.
        prefixes: Values that it compares with a prefix pattern, each by its path
            from a variable on (`resource`, `name`).
        approved: Names the schema that a person approved of the one tool that it is
            about; empty for none.
    """

    id: str
    line: int
    effect: DecisionEffect
    principal: str
    actions: tuple[str, ...]
    resource: str
    kind: str
    layer: DecisionLayer
    conditions: bytes
    text: str
    mentions: tuple[str, ...]
    reads: tuple[KeyPath, ...]
    approved: str = ""
    prefixes: tuple[KeyPath, ...] = ()


class CedarPolicySet(msgspec.Struct, frozen=True):
    """Policy set in force.

    Attributes:
        rules: In the order of the files.
        digest: SHA-256 over names and bytes of the files, hex; empty without any.
    """

    rules: tuple[CedarPolicy, ...] = ()
    digest: str = ""

    def copy_for_evaluation(self) -> "CedarPolicySet":
        """Return a copy with only the parts that a decision needs."""
        rules = tuple(
            msgspec.structs.replace(
                rule,
                line=0,
                text=rule.text if rule.layer is DecisionLayer.CEDAR else "",
                mentions=(),
                approved="",
            )
            for rule in self.rules
        )
        return CedarPolicySet(rules, self.digest)


NO_CEDAR_POLICIES = CedarPolicySet()

MAX_WARNINGS = 20


def list_text_prefix_warnings(rules: CedarPolicySet) -> list[str]:
    """List warnings on policies that compare a text with a prefix.

    Such a pattern compares text. A call with a name that leads out of the prefix is an
    error; the policy's author should know that before an agent finds out.
    """
    found = [
        f"{rule.id}: compares {' and '.join(map('.'.join, rule.prefixes))} with a "
        "prefix; a value with `..`, an escaped `..` or a NUL there is an error"
        for rule in rules.rules
        if rule.prefixes
    ]
    more = len(found) - MAX_WARNINGS
    return found[:MAX_WARNINGS] + ([f"{more} more policies"] if more > 0 else [])
