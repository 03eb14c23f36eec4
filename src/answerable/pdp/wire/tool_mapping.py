"""Parse a tool's `x-authzen-mapping` (COAZ-MCP): from tool call to AuthZEN request.

A mapping comes from the governed server, so it is hostile text, and used only if a
person approved it. Only expressions that name a value are supported; nothing is
computed:

| expression | is |
|---|---|
| `$params.arguments.A.B`, `$params.arguments["A"]` | an argument |
| `$params.name` | the tool's name |
| `$token.CLAIM`, `$token.?CLAIM` | a claim |
| `$$text` | the text `$text`; anything else is itself |

`subject.id` is the token's `sub` or absent; `action.name` and `resource.type` are texts
that identify the tool's questions. Sources: COAZ-MCP draft 1, "Expressions and
Literals", "Mapping Envelopes", "Declared Mappings".
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import msgspec

from answerable.model.errors import AnswerableError
from answerable.model.json_members import build_unique_members, reject_constant

MAX_MAPPING = 16 << 10  # characters of a mapping
MAX_ENTRIES = 16
MAX_LEAVES = 128
MAX_DEPTH = 8
MAX_EXPRESSION = 256

_STEP = r"""(?:\.\??[A-Za-z_][A-Za-z0-9_]{0,63}|\["[^"\\\x00-\x1f]{1,64}"\])"""
_REFERENCE = re.compile(rf"\$(params|token)({_STEP}{{1,8}})")
_STEPS = re.compile(r"""\.\??([A-Za-z_][A-Za-z0-9_]*)|\["([^"]*)"\]""")
_ENTITIES = ("subject", "action", "resource", "context")

JsonPath: TypeAlias = tuple[str, ...]


class MappingRejected(AnswerableError):  # noqa: N818 - reads as the refusal it is
    """A mapping that is not used.

    Args:
        reason: Reason code for the log.
    """

    def __init__(self, reason: str, says: str) -> None:
        super().__init__(f"a mapping was rejected: {says}")
        self.why = reason


class MappingReference(msgspec.Struct, frozen=True):
    """Reference to a value.

    Attributes:
        root: `params` or `token`.
        keys: Path below the root.
    """

    root: str
    keys: JsonPath

    @property
    def argument_path(self) -> JsonPath:
        """Return the path within the arguments; empty for another reference."""
        is_one = self.root == "params" and self.keys[0] == "arguments"
        return self.keys[1:] if is_one else ()


class MappingConstant(msgspec.Struct, frozen=True):
    """A literal value, as JSON."""

    spelled: str


MappingLeaf = MappingReference | MappingConstant


class MappingEntry(msgspec.Struct, frozen=True):
    """One question that a mapping makes of a call.

    Attributes:
        type: Type of its resource.
        leaves: Path in the question -> value.
    """

    action: str
    type: str
    leaves: Mapping[JsonPath, MappingLeaf]


def parse_mapping(text: str) -> tuple[MappingEntry, ...]:
    """Parse a tool mapping: which evaluation a tool's arguments produce.

    Raises:
        MappingRejected: It is malformed, too large, or references other data.
    """
    if len(text) > MAX_MAPPING:
        raise MappingRejected("too-large", f"expected at most {MAX_MAPPING} characters")
    try:
        said = json.loads(
            text,
            object_pairs_hook=build_unique_members,
            parse_constant=reject_constant,
        )
    except (ValueError, RecursionError):
        raise MappingRejected("not-json", "expected JSON") from None
    if not isinstance(said, dict) or set(said) not in ({"evaluation"}, {"evaluations"}):
        says = "expected either evaluation or evaluations"
        raise MappingRejected("envelope", says)
    [(envelope, template)] = said.items()
    if not isinstance(template, dict):
        raise MappingRejected("envelope", f"expected {envelope} to be an object")
    entries = _parse_envelope_evaluations(envelope, template)
    read = tuple(_parse_mapping_entry(each) for each in entries)
    if sum(len(each.leaves) for each in read) > MAX_LEAVES:
        raise MappingRejected("too-large", f"expected at most {MAX_LEAVES} values")
    return read


def _parse_envelope_evaluations(
    envelope: str, template: dict[str, object]
) -> list[dict[str, object]]:
    """Return the evaluations of an envelope, each with the shared defaults."""
    if envelope == "evaluation":
        return [template]
    given = template.get("evaluations")
    if not isinstance(given, list) or not 0 < len(given) <= MAX_ENTRIES:
        says = f"expected 1 to {MAX_ENTRIES} evaluations"
        raise MappingRejected("envelope", says)
    defaults = {key: template[key] for key in _ENTITIES if key in template}
    found = []
    for each in given:
        if not isinstance(each, dict):
            raise MappingRejected("envelope", "an evaluation is not an object")
        if "subject" in each:
            # COAZ-MCP, "Declared Mappings": so no server can smuggle an identity in.
            raise MappingRejected(
                "subject", "an evaluation must not have its own subject"
            )
        found.append(defaults | each)
    return found


def _parse_mapping_entry(template: dict[str, object]) -> MappingEntry:
    """Parse one evaluation template; check the references in it."""
    leaves: dict[JsonPath, MappingLeaf] = {}
    for entity in _ENTITIES:
        if entity in template:
            leaves.update(_iterate_template_values((entity,), template[entity]))
    _check_subject_is_token(leaves)
    for leaf in leaves.values():
        _check_reference_allowed(leaf)
    action, type = (
        _get_literal_text(leaves, "action", "name"),
        _get_literal_text(leaves, "resource", "type"),
    )
    if ("resource", "id") not in leaves:
        raise MappingRejected("resource", "resource.id is missing")
    return MappingEntry(action, type, leaves)


def _iterate_template_values(
    path: JsonPath, value: object
) -> Iterator[tuple[JsonPath, MappingLeaf]]:
    """Yield each value of a template with its path."""
    if len(path) > MAX_DEPTH:
        raise MappingRejected("too-deep", f"expected at most {MAX_DEPTH} levels")
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _iterate_template_values((*path, key), inner)
    elif isinstance(value, list):
        if any(isinstance(inner, dict | list | str) for inner in value):
            raise MappingRejected("list", "expected a list of plain numbers")
        yield path, _build_literal(value)
    elif isinstance(value, str) and value.startswith("$"):
        yield path, _parse_expression(value)
    else:
        yield path, _build_literal(value)


def _build_literal(value: object) -> MappingConstant:
    """Build a literal value, as JSON."""
    return MappingConstant(json.dumps(value, sort_keys=True))


def _parse_expression(text: str) -> MappingLeaf:
    """Parse `$params...` or `$token...` as a reference, `$$...` as a literal."""
    if text.startswith("$$"):
        return _build_literal(text[1:])
    found = _REFERENCE.fullmatch(text) if len(text) <= MAX_EXPRESSION else None
    if found is None:
        says = "expected $params.arguments.NAME, $params.name or $token.CLAIM"
        raise MappingRejected("expression", says)
    steps = _STEPS.findall(found[2])
    return MappingReference(found[1], tuple(name or quoted for name, quoted in steps))


def _check_subject_is_token(leaves: Mapping[JsonPath, MappingLeaf]) -> None:
    """Reject a subject other than the token's."""
    allowed: dict[JsonPath, MappingLeaf] = {
        ("subject", "id"): MappingReference("token", ("sub",)),
        ("subject", "type"): _build_literal("identity"),
    }
    for keys, leaf in leaves.items():
        if keys[0] == "subject" and allowed.get(keys) != leaf:
            says = "expected a subject of type identity and id $token.sub"
            raise MappingRejected("subject", says)


def _check_reference_allowed(leaf: MappingLeaf) -> None:
    """Reject a reference to anything but arguments, the name and a claim."""
    if isinstance(leaf, MappingConstant):
        return
    is_claim = leaf.root == "token" and len(leaf.keys) == 1
    is_name = leaf.root == "params" and leaf.keys == ("name",)
    if not (is_claim or is_name or leaf.argument_path):
        says = "expected an argument, the tool's name or a claim"
        raise MappingRejected("reach", says)


def _get_literal_text(
    leaves: Mapping[JsonPath, MappingLeaf], entity: str, key: str
) -> str:
    """Return a value that must be a literal string."""
    leaf = leaves.get((entity, key))
    read = json.loads(leaf.spelled) if isinstance(leaf, MappingConstant) else None
    if not isinstance(read, str) or not read:
        says = f"expected {entity}.{key} to be a string, not an expression"
        raise MappingRejected(entity, says)
    return read
