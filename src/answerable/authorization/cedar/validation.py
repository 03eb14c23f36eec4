"""Validate policy texts with Cedar; return the parsed rules, or every fault.

The result of one policy does not depend on the others, so a large set can be validated
in parts by several processes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from answerable.authorization.cedar.approved_schemas import (
    NO_APPROVED_SCHEMAS,
    ApprovedSchemas,
    parse_argument_schema,
    schema_digest,
)
from answerable.authorization.cedar.condition_compiler import compile_conditions
from answerable.authorization.cedar.json_cache import PolicyJsonCache
from answerable.authorization.cedar.lexer import PolicyText, split_at_policy_heads
from answerable.authorization.cedar.mcp_actions import RESOURCE_TYPES
from answerable.authorization.cedar.parser_differentials import find_prefix_comparisons
from answerable.authorization.cedar.scopes import (
    configuration_reference,
    find_entity_id_fault,
    find_policy_entities,
    parse_policy_scope,
)
from answerable.authorization.cedar.validation_schema import (
    ArgumentTypes,
    WholeArguments,
    build_cedar_schema,
    have_compatible_types,
    infer_argument_types,
)
from answerable.model.cedar_policy import CedarPolicy
from answerable.model.decision import DecisionEffect, DecisionLayer

if TYPE_CHECKING:
    import cedarpy

ASK_ANNOTATION = "ask"
_ACTION = "Action"
_CALL = "tools/call"
BATCH_SIZE = 100  # policies that Cedar reads at once: a few ms, in which others wait


class ValidatedPolicy(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Validation result of one policy text.

    Attributes:
        rule: The policy, not yet placed in a file; None if invalid.
        faults: Messages, from Cedar and from our checks.
    """

    rule: CedarPolicy | None
    faults: tuple[str, ...]


@dataclass(slots=True)
class _PolicyUnderValidation:
    """Working state of one policy.

    Attributes:
        uses: Argument types that it reads.
        action: The only method it applies to; empty if there are several.
    """

    piece: PolicyText
    rule: CedarPolicy | None = None
    uses: ArgumentTypes = field(default_factory=dict)
    action: str = ""
    faults: list[str] = field(default_factory=list)


def validate_policies(
    texts: Iterable[PolicyText],
    approved_schemas: ApprovedSchemas = NO_APPROVED_SCHEMAS,
    json_cache: PolicyJsonCache | None = None,
) -> list[ValidatedPolicy]:
    """Parse policies with Cedar and validate them against the schema.

    Args:
        texts: Policy texts, or fragments found in their place.
        json_cache: Cache of JSON forms.
    """
    json_cache = PolicyJsonCache(policies_to_json) if json_cache is None else json_cache
    policies = [_PolicyUnderValidation(piece) for piece in texts]
    others = [each for each in policies if not _use_cached_json(each, json_cache)]
    for start in range(0, len(others), BATCH_SIZE):
        batch = others[start : start + BATCH_SIZE]
        if not _parse_policy_batch(batch):
            for each in batch:
                _parse_single_policy(each)
    for each in policies:
        _apply_approved_schema(each, approved_schemas)
    _validate_by_schema([each for each in policies if each.rule is not None])
    return [ValidatedPolicy(each.rule, tuple(each.faults)) for each in policies]


# Parsing.


def policies_to_json(text: str) -> str:
    """Convert a policy text to Cedar's JSON form.

    Raises:
        ValueError: Cedar cannot parse it.
    """
    import cedarpy  # 0.1 s, where there are policies alone

    return cedarpy.policies_to_json_str(text)


def _use_cached_json(
    policy: _PolicyUnderValidation, json_cache: PolicyJsonCache
) -> bool:
    """Use the cached Cedar JSON of a policy; return whether there was some."""
    piece = policy.piece
    is_one = piece.ended and not piece.open_line and not piece.heads
    found = json_cache.to_json(piece.text) if is_one else ""
    if found:
        _check_parsed_policy(policy, *_policies_from_json(found))
    return bool(found)


def _parse_policy_batch(batch: list[_PolicyUnderValidation]) -> bool:
    """Parse several policies in one call of Cedar; return False if that fails."""
    if any(each.piece.open_line for each in batch):
        return False
    try:
        found = _parse_policies("\n".join(each.piece.text for each in batch))
    except ValueError:
        return False
    if len(found) != len(batch):
        return False
    for each, parsed in zip(batch, found, strict=True):
        _check_parsed_policy(each, parsed)
    return True


def _parse_single_policy(policy: _PolicyUnderValidation) -> None:
    """Parse one policy text; add a fault for each error in it."""
    piece = policy.piece
    why = _find_policy_text_fault(piece)
    if not why:
        _check_parsed_policy(policy, *_parse_policies(piece.text))
        return
    if not piece.heads:
        policy.faults.append(why)
        return
    # Several policies in one: each is looked at by itself.
    *those, last = split_at_policy_heads(piece)
    for each in those:
        whole = PolicyText(
            each.text + ";", each.line, each.id, each.open_line, True, ()
        )
        said = f" of `{each.id}`" if each.id and each.id != piece.id else ""
        where = f" (line {each.line})" if each.line != piece.line else ""
        what = _find_policy_text_fault(whole) or "the closing `;` is missing"
        policy.faults.append(f"{what}{said}{where}")
    if what := _find_policy_text_fault(last):
        said = f" of `{last.id}`" if last.id else ""
        policy.faults.append(f"{what}{said} (line {last.line})")


def _find_policy_text_fault(policy_text: PolicyText) -> str:
    """Return the fault of a policy text; empty if there is none."""
    if policy_text.open_line:
        where = (
            ""
            if policy_text.open_line == policy_text.line
            else f" {policy_text.open_line}"
        )
        return f"a string is not closed on its line{where}"
    if not policy_text.ended:
        return "the closing `;` is missing"
    try:
        found = _parse_policies(policy_text.text)
    except ValueError as error:
        return str(error)
    return "" if len(found) == 1 else "expected one policy"


def _parse_policies(text: str) -> list[Mapping[str, Any]]:
    """Parse a text with Cedar.

    Raises:
        ValueError: Cedar cannot parse it.
    """
    return _policies_from_json(policies_to_json(text))


def _policies_from_json(policy_set_json: str) -> list[Mapping[str, Any]]:
    """Return the policies of a JSON form, templates included."""
    read = json.loads(policy_set_json)
    both = {**read["templates"], **read["staticPolicies"]}
    return [both[f"policy{position}"] for position in range(len(both))]


# Rules from parsed policies.


def _check_parsed_policy(
    policy: _PolicyUnderValidation, parsed: Mapping[str, Any]
) -> None:
    """Check a parsed policy and build its rule; add a fault if it is not allowed."""
    if any(_has_template_slot(parsed[key]) for key in ("principal", "resource")):
        policy.faults.append(
            "policy templates are not supported: an unlinked template allows nothing"
        )
        return
    asks = ASK_ANNOTATION in parsed.get("annotations", {})
    if asks and parsed["effect"] == "permit":
        policy.faults.append(
            "`@ask` is allowed only on a forbid policy that an owner can override"
        )
        return
    try:
        policy.uses = infer_argument_types(parsed["conditions"])
    except WholeArguments:
        what = (
            "`context` and `context.arguments` cannot be used as whole values, only "
            "their members"
        )
        policy.faults.append(what)
        return
    except RecursionError:
        policy.faults.append("the policy is nested too deeply")
        return
    said = [parsed[key] for key in ("principal", "resource", "conditions")]
    entities = dict.fromkeys(find_policy_entities(said))
    policy.faults += [
        what for each in entities if (what := find_entity_id_fault(*each))
    ]
    policy.action = _single_mcp_method(parsed["action"], entities)
    policy.rule = _build_policy_rule(policy, parsed, tuple(entities), is_ask=asks)


def _single_mcp_method(
    action_scope: Mapping[str, Any], entities: Iterable[tuple[str, str]]
) -> str:
    """Return the one method that a policy applies to; empty if there are several."""
    if action_scope["op"] != "==" or any(
        kind.endswith(_ACTION) for kind, _ in entities
    ):
        return ""
    kind, action = action_scope["entity"]["type"], action_scope["entity"]["id"]
    return action if kind == _ACTION and action in RESOURCE_TYPES else ""


def _has_template_slot(scope: Mapping[str, Any]) -> bool:
    """Return whether a scope has a template slot such as `?principal`."""
    return "slot" in scope or "slot" in scope.get("in", {})


def _build_policy_rule(
    policy: _PolicyUnderValidation,
    parsed: Mapping[str, Any],
    entities: tuple[tuple[str, str], ...],
    *,
    is_ask: bool,
) -> CedarPolicy:
    """Build the rule of a parsed policy: scope, conditions, effect, layer."""
    scope = parse_policy_scope(parsed)
    conditions = parsed["conditions"]
    layer, compiled = DecisionLayer.TABLE, b""
    if conditions:
        simple = compile_conditions(conditions) is not None
        layer = DecisionLayer.CONSTRAINT if simple else DecisionLayer.CEDAR
        compiled = msgspec.json.encode(conditions) if simple else b""
    denies = DecisionEffect.ASK if is_ask else DecisionEffect.DENY
    mentions = (
        configuration_reference(*each)
        for each in entities
        if not find_entity_id_fault(*each)
    )
    return CedarPolicy(
        id="",
        line=0,
        effect=DecisionEffect.ALLOW if parsed["effect"] == "permit" else denies,
        principal=scope.principal,
        actions=scope.actions,
        resource=scope.resource,
        kind=scope.kind,
        layer=layer,
        conditions=compiled,
        text=policy.piece.text,
        mentions=tuple(sorted({each for each in mentions if each})),
        reads=tuple(sorted(policy.uses)),
        prefixes=find_prefix_comparisons(conditions),
    )


def _apply_approved_schema(
    policy: _PolicyUnderValidation, approved_schemas: ApprovedSchemas
) -> None:
    """Type the arguments of a policy about one tool by its approved schema."""
    rule = policy.rule
    schema = approved_schemas.get(rule.resource, "") if rule is not None else ""
    if rule is None or not schema:
        return
    policy.rule = msgspec.structs.replace(rule, approved=schema_digest(schema))
    if policy.action == _CALL:
        policy.uses = parse_argument_schema(schema).apply_to_argument_types(policy.uses)


def _validate_by_schema(policies: list[_PolicyUnderValidation]) -> None:
    """Validate policies against the schema, grouped by compatible argument types.

    A policy about one method is validated against that method alone, because Cedar
    would check every other action too.
    """
    groups: dict[str, list[tuple[dict[Any, Any], list[_PolicyUnderValidation]]]] = {}
    for each in policies:
        alike = groups.setdefault(each.action, [])
        for uses, members in alike:
            if have_compatible_types(uses, each.uses):
                uses.update(each.uses)
                members.append(each)
                break
        else:
            alike.append((dict(each.uses), [each]))
    for action, alike in groups.items():
        for uses, members in alike:
            _validate_policy_group(build_cedar_schema(uses, action), members)


def _validate_policy_group(schema: str, members: list[_PolicyUnderValidation]) -> None:
    """Validate policies against one schema, in batches."""
    import cedarpy

    parsed = cedarpy.Schema.from_str(schema)
    for start in range(0, len(members), BATCH_SIZE):
        _validate_policy_batch(members[start : start + BATCH_SIZE], parsed)


def _validate_policy_batch(
    batch: list[_PolicyUnderValidation], schema: "cedarpy.Schema"
) -> None:
    """Validate a batch with Cedar; add each error to the policy it names."""
    import cedarpy

    text = "\n".join(each.piece.text for each in batch)
    found = cedarpy.validate_policies(text, schema)
    if len(batch) > 1 and not all(error.policy_id for error in found.errors):
        # Of a text that Cedar cannot read, it does not say whose fault that is.
        for each in batch:
            _validate_policy_batch([each], schema)
        return
    for error in found.errors:
        position = int(error.policy_id.removeprefix("policy") or 0)
        said = error.error.removeprefix(f"for policy `{error.policy_id}`, ")
        batch[position].faults.append(said + _approved_schema_note(batch[position]))
    if not found.validation_passed and not found.errors:
        for each in batch:
            each.faults.append("Cedar rejected the policy without giving a reason")


def _approved_schema_note(policy: _PolicyUnderValidation) -> str:
    """Return a note for errors if an approved schema typed the arguments."""
    rule = policy.rule
    return " (arguments as approved)" if rule is not None and rule.approved else ""
