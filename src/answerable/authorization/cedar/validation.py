"""Validation of policy texts by Cedar: rules, or every fault.

The result of one policy does not depend on the others, so a large set can be validated
in parts by several processes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from answerable.authorization.cedar.actions import ACTIONS
from answerable.authorization.cedar.approved_schemas import (
    NOTHING_APPROVED,
    Approved,
    declared,
    stamp,
)
from answerable.authorization.cedar.conditions import compile_conditions
from answerable.authorization.cedar.json_cache import Forms
from answerable.authorization.cedar.lexer import Piece, parted
from answerable.authorization.cedar.parser_differentials import prefix_paths
from answerable.authorization.cedar.schema import (
    Uses,
    WholeArguments,
    go_together,
    schema_text,
    uses_of,
)
from answerable.authorization.cedar.scopes import (
    mention_of,
    misnamed,
    named_entities,
    scope_of,
)
from answerable.model.cedar_policy import CedarRule
from answerable.model.decision import Effect, Layer

if TYPE_CHECKING:
    import cedarpy

ASK = "ask"
_ACTION = "Action"
_CALL = "tools/call"
BATCH = 100  # policies that Cedar reads at once: a few ms, in which others wait


class Judged(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Validation result of one policy text.

    Attributes:
        rule: The policy, not yet placed in a file; None if invalid.
        faults: Messages, from Cedar and from our checks.
    """

    rule: CedarRule | None
    faults: tuple[str, ...]


@dataclass(slots=True)
class _Policy:
    """Working state of one policy.

    Attributes:
        uses: Argument types that it reads.
        action: The only method it applies to; empty if there are several.
    """

    piece: Piece
    rule: CedarRule | None = None
    uses: Uses = field(default_factory=dict)
    action: str = ""
    faults: list[str] = field(default_factory=list)


def judge(
    pieces: Iterable[Piece],
    approved: Approved = NOTHING_APPROVED,
    forms: Forms | None = None,
) -> list[Judged]:
    """Parse policies with Cedar and validate them against the schema.

    Args:
        pieces: Policy texts, or fragments found in their place.
        forms: Cache of JSON forms.
    """
    forms = Forms(written) if forms is None else forms
    policies = [_Policy(piece) for piece in pieces]
    others = [each for each in policies if not _take_alike(each, forms)]
    for start in range(0, len(others), BATCH):
        batch = others[start : start + BATCH]
        if not _take_together(batch):
            for each in batch:
                _take_alone(each)
    for each in policies:
        _hold_to(each, approved)
    _validate([each for each in policies if each.rule is not None])
    return [Judged(each.rule, tuple(each.faults)) for each in policies]


# Parsing.


def written(text: str) -> str:
    """Convert a policy text to Cedar's JSON form.

    Raises:
        ValueError: Cedar cannot parse it.
    """
    import cedarpy  # 0.1 s, where there are policies alone

    return cedarpy.policies_to_json_str(text)


def _take_alike(policy: _Policy, forms: Forms) -> bool:
    """Take the JSON of a known shape; return whether there was one."""
    piece = policy.piece
    is_one = piece.ended and not piece.open_line and not piece.heads
    found = forms.written(piece.text) if is_one else ""
    if found:
        _take(policy, *_policies_in(found))
    return bool(found)


def _take_together(batch: list[_Policy]) -> bool:
    if any(each.piece.open_line for each in batch):
        return False
    try:
        found = _parsed("\n".join(each.piece.text for each in batch))
    except ValueError:
        return False
    if len(found) != len(batch):
        return False
    for each, parsed in zip(batch, found, strict=True):
        _take(each, parsed)
    return True


def _take_alone(policy: _Policy) -> None:
    piece = policy.piece
    why = _wrong(piece)
    if not why:
        _take(policy, *_parsed(piece.text))
        return
    if not piece.heads:
        policy.faults.append(why)
        return
    # Several policies in one: each is looked at by itself.
    *those, last = parted(piece)
    for each in those:
        whole = Piece(each.text + ";", each.line, each.id, each.open_line, True, ())
        said = f" of `{each.id}`" if each.id and each.id != piece.id else ""
        where = f" (line {each.line})" if each.line != piece.line else ""
        what = _wrong(whole) or "no `;` at its end"
        policy.faults.append(f"{what}{said}{where}")
    if what := _wrong(last):
        said = f" of `{last.id}`" if last.id else ""
        policy.faults.append(f"{what}{said} (line {last.line})")


def _wrong(piece: Piece) -> str:
    """Return the fault of a policy text; empty if there is none."""
    if piece.open_line:
        where = "" if piece.open_line == piece.line else f" {piece.open_line}"
        return f"a string does not end on its line{where}"
    if not piece.ended:
        return "no `;` at its end"
    try:
        found = _parsed(piece.text)
    except ValueError as error:
        return str(error)
    return "" if len(found) == 1 else "one policy was expected"


def _parsed(text: str) -> list[Mapping[str, Any]]:
    """Parse a text with Cedar.

    Raises:
        ValueError: Cedar cannot parse it.
    """
    return _policies_in(written(text))


def _policies_in(found: str) -> list[Mapping[str, Any]]:
    """Return the policies of a JSON form, templates included."""
    read = json.loads(found)
    both = {**read["templates"], **read["staticPolicies"]}
    return [both[f"policy{position}"] for position in range(len(both))]


# Rules from parsed policies.


def _take(policy: _Policy, parsed: Mapping[str, Any]) -> None:
    if any(_has_slot(parsed[key]) for key in ("principal", "resource")):
        policy.faults.append("a template: it would allow nothing")
        return
    asks = ASK in parsed.get("annotations", {})
    if asks and parsed["effect"] == "permit":
        policy.faults.append("`@ask` belongs on a forbid that an owner may lift")
        return
    try:
        policy.uses = uses_of(parsed["conditions"])
    except WholeArguments:
        what = "`context` and `context.arguments` are read by member"
        policy.faults.append(what)
        return
    except RecursionError:
        policy.faults.append("nested too deeply")
        return
    said = [parsed[key] for key in ("principal", "resource", "conditions")]
    entities = dict.fromkeys(named_entities(said))
    policy.faults += [what for each in entities if (what := misnamed(*each))]
    policy.action = _only_action(parsed["action"], entities)
    policy.rule = _rule(policy, parsed, tuple(entities), asks=asks)


def _only_action(head: Mapping[str, Any], entities: Iterable[tuple[str, str]]) -> str:
    """Return the one method that a policy applies to; empty if there are several."""
    if head["op"] != "==" or any(kind.endswith(_ACTION) for kind, _ in entities):
        return ""
    kind, action = head["entity"]["type"], head["entity"]["id"]
    return action if kind == _ACTION and action in ACTIONS else ""


def _has_slot(scope: Mapping[str, Any]) -> bool:
    return "slot" in scope or "slot" in scope.get("in", {})


def _rule(
    policy: _Policy,
    parsed: Mapping[str, Any],
    entities: tuple[tuple[str, str], ...],
    *,
    asks: bool,
) -> CedarRule:
    scope = scope_of(parsed)
    conditions = parsed["conditions"]
    layer, compiled = Layer.TABLE, b""
    if conditions:
        simple = compile_conditions(conditions) is not None
        layer = Layer.CONSTRAINT if simple else Layer.CEDAR
        compiled = msgspec.json.encode(conditions) if simple else b""
    denies = Effect.ASK if asks else Effect.DENY
    mentions = (mention_of(*each) for each in entities if not misnamed(*each))
    return CedarRule(
        id="",
        line=0,
        effect=Effect.ALLOW if parsed["effect"] == "permit" else denies,
        principal=scope.principal,
        actions=scope.actions,
        resource=scope.resource,
        kind=scope.kind,
        layer=layer,
        conditions=compiled,
        text=policy.piece.text,
        mentions=tuple(sorted({each for each in mentions if each})),
        reads=tuple(sorted(policy.uses)),
        prefixes=prefix_paths(conditions),
    )


def _hold_to(policy: _Policy, approved: Approved) -> None:
    """Type the arguments of a policy about one tool by its approved schema."""
    rule = policy.rule
    schema = approved.get(rule.resource, "") if rule is not None else ""
    if rule is None or not schema:
        return
    policy.rule = msgspec.structs.replace(rule, approved=stamp(schema))
    if policy.action == _CALL:
        policy.uses = declared(schema).hold(policy.uses)


def _validate(policies: list[_Policy]) -> None:
    """Validate policies against the schema, grouped by compatible argument types.

    A policy about one method is validated against that method alone, because Cedar
    would check every other action too.
    """
    groups: dict[str, list[tuple[dict[Any, Any], list[_Policy]]]] = {}
    for each in policies:
        alike = groups.setdefault(each.action, [])
        for uses, members in alike:
            if go_together(uses, each.uses):
                uses.update(each.uses)
                members.append(each)
                break
        else:
            alike.append((dict(each.uses), [each]))
    for action, alike in groups.items():
        for uses, members in alike:
            _validate_group(schema_text(uses, action), members)


def _validate_group(schema: str, members: list[_Policy]) -> None:
    import cedarpy

    parsed = cedarpy.Schema.from_str(schema)
    for start in range(0, len(members), BATCH):
        _hold(members[start : start + BATCH], parsed)


def _hold(batch: list[_Policy], schema: "cedarpy.Schema") -> None:
    import cedarpy

    text = "\n".join(each.piece.text for each in batch)
    found = cedarpy.validate_policies(text, schema)
    if len(batch) > 1 and not all(error.policy_id for error in found.errors):
        # Of a text that Cedar cannot read, it does not say whose fault that is.
        for each in batch:
            _hold([each], schema)
        return
    for error in found.errors:
        position = int(error.policy_id.removeprefix("policy") or 0)
        said = error.error.removeprefix(f"for policy `{error.policy_id}`, ")
        batch[position].faults.append(said + _held(batch[position]))
    if not found.validation_passed and not found.errors:
        for each in batch:
            each.faults.append("Cedar rejects it without a reason")


def _held(policy: _Policy) -> str:
    rule = policy.rule
    return " (arguments as approved)" if rule is not None and rule.approved else ""
