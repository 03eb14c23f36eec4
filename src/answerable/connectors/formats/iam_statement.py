"""Parse IAM policy statements: principals, actions, resources and conditions.

Source: IAM User Guide, "IAM JSON policy element reference". An invalid statement is set
aside with a reason; nothing is guessed.
"""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from answerable.model.policy import (
    ConditionClause,
    PolicyEffect,
    PolicyLayer,
    Statement,
    UnreadStatement,
)

_STATEMENT_ELEMENTS = {
    name.lower(): name
    for name in (
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    )
}
_PRINCIPAL_KINDS = {
    name.lower(): name for name in ("AWS", "Service", "Federated", "CanonicalUser")
}
_NEEDS_RESOURCE = {
    PolicyLayer.IDENTITY,
    PolicyLayer.BOUNDARY,
    PolicyLayer.SCP,
    PolicyLayer.RCP,
    PolicyLayer.SESSION,
}
_NEEDS_PRINCIPAL = {
    PolicyLayer.TRUST,
    PolicyLayer.RESOURCE,
    PolicyLayer.RCP,
    PolicyLayer.ENDPOINT,
}


class StatementRefused(Exception):  # noqa: N818 - it carries a reason, it is no failure
    """Refusal of a statement, with its reason."""


class JsonNumber(str):
    """JSON number with its original digits."""

    __slots__ = ()


class PolicyJsonObject(dict[str, object]):
    """JSON object that records its repeated keys."""

    duplicate_names: tuple[str, ...] = ()


def refuse_statement(reason: str) -> NoReturn:
    """Raise: the statement or document is refused for a reason."""
    raise StatementRefused(reason)


def _quote_name(name: object) -> str:
    """Quote a name from a policy for a message, shortened and printable."""
    text = str(name)
    return repr(text if len(text) <= 40 else text[:39] + "…")


def json_kind(value: object) -> str:
    """Return the JSON kind of a value, never the value itself."""
    if isinstance(value, dict):
        return "an object"
    if _is_list(value):
        return "a list"
    if value is None:
        return "null"
    if isinstance(value, str) and not isinstance(value, JsonNumber):
        return "text"
    return "true or false" if isinstance(value, bool) else "a number"


def _is_list(value: object) -> bool:
    """Return whether a value is a JSON array."""
    return isinstance(value, list | tuple)


def wrap_in_list(value: object) -> Sequence[object]:
    """Return a list, or a single value as a list of one."""
    if isinstance(value, list | tuple):
        return value
    return (value,)


def read_elements(
    tree: Mapping[object, object], canonical_names: Mapping[str, str]
) -> dict[str, object]:
    """Return the elements by canonical names; case is ignored."""
    doubled = getattr(tree, "duplicate_names", ())
    if doubled:
        refuse_statement(f"{_quote_name(doubled[0])} is repeated")
    elements: dict[str, object] = {}
    for key, value in tree.items():
        name = canonical_names.get(str(key).lower())
        if name is None:
            refuse_statement(f"unknown element {_quote_name(key)}")
        if name in elements:
            refuse_statement(f"{name} is repeated")
        elements[name] = value
    return elements


def parse_statement(
    raw_statement: object, position: int, layer: PolicyLayer, literal: bool
) -> Statement | UnreadStatement:
    """Parse one statement of an IAM policy, or return it as unreadable.

    Args:
        raw_statement: Decoded statement.
        position: Zero-based index; the sid of a statement without one.
        layer: Layer of the policy.
        literal: True if the policy's version has no variables.
    """
    sid = str(position)
    try:
        if not isinstance(raw_statement, dict):
            refuse_statement(
                f"a statement is an object (got {json_kind(raw_statement)})"
            )
        sid = _read_sid(raw_statement, sid)
        elements = read_elements(raw_statement, _STATEMENT_ELEMENTS)
        if type(elements.get("Sid", "")) is not str:
            refuse_statement("Sid is not a string")
        effect = elements.get("Effect")
        if effect not in ("Allow", "Deny"):
            refuse_statement("Effect is neither Allow nor Deny")
        actions, not_actions = _read_element_pair(elements, "Action", required=True)
        resources, not_resources = _read_element_pair(
            elements, "Resource", required=layer in _NEEDS_RESOURCE
        )
        if layer is PolicyLayer.TRUST and (resources or not_resources):
            refuse_statement("a trust policy has no Resource")
        principals, not_principals = _read_principal_elements(elements, layer)
        conditions = _read_conditions(elements.get("Condition", {}), literal)
        return Statement(
            sid=sid,
            effect=PolicyEffect.ALLOW if effect == "Allow" else PolicyEffect.DENY,
            actions=actions,
            not_actions=not_actions,
            resources=_escape_variables(resources, literal),
            not_resources=_escape_variables(not_resources, literal),
            principals=principals,
            not_principals=not_principals,
            conditions=conditions,
        )
    except StatementRefused as why:
        return UnreadStatement(sid, str(why))


def _read_sid(raw_statement: Mapping[object, object], position: str) -> str:
    """Return the `Sid`, else the position of the statement."""
    for key in ("Sid", "sid", "SID"):
        sid = raw_statement.get(key)
        if type(sid) is str and sid and sid.isprintable() and len(sid) <= 256:
            return sid
    return position


def _escape_variables(patterns: tuple[str, ...], literal: bool) -> tuple[str, ...]:
    """Escape `${` if literal: the policy version has no variables."""
    if not literal:
        return patterns
    return tuple(pattern.replace("${", "${$}{") for pattern in patterns)


def _read_element_pair(
    elements: Mapping[str, object], name: str, *, required: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read an element and its `Not` form; both together are refused."""
    negated = f"Not{name}"
    if name in elements and negated in elements:
        refuse_statement(f"both {name} and {negated}")
    if required and name not in elements and negated not in elements:
        refuse_statement(f"neither {name} nor {negated}")
    plain = _read_element_texts(elements[name], name) if name in elements else ()
    return plain, _read_element_texts(
        elements[negated], negated
    ) if negated in elements else ()


def _read_element_texts(value: object, label: str) -> tuple[str, ...]:
    """Read a text or a list of texts; an empty list is refused."""
    items = wrap_in_list(value)
    if not items:
        refuse_statement(f"{label} is an empty list")
    return tuple(_check_element_text(item, label) for item in items)


def _check_element_text(item: object, label: str) -> str:
    """Return a non-empty text; anything else is refused."""
    if type(item) is not str:
        refuse_statement(f"{label} contains {json_kind(item)} (expected a string)")
    if not item:
        refuse_statement(f"{label} contains an empty string")
    return _check_surrogates(item, label)


def _check_surrogates(text: str, label: str) -> str:
    """Return a text; one with a lone surrogate is refused."""
    # Half a surrogate pair is legal in JSON and cannot be stored anywhere.
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        refuse_statement(f"{label} contains an incomplete character")
    return text


def _read_principal_elements(
    elements: Mapping[str, object], layer: PolicyLayer
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Read `Principal` and `NotPrincipal`, where the layer has them."""
    plain, negated = "Principal" in elements, "NotPrincipal" in elements
    if plain and negated:
        refuse_statement("both Principal and NotPrincipal")
    if layer in _NEEDS_PRINCIPAL and not plain and not negated:
        refuse_statement("neither Principal nor NotPrincipal")
    if layer not in _NEEDS_PRINCIPAL and (plain or negated):
        refuse_statement(f"Principal is not allowed in a policy at the {layer} layer")
    if plain:
        return _read_principals(elements["Principal"], "Principal"), ()
    if negated:
        return (), _read_principals(elements["NotPrincipal"], "NotPrincipal")
    return (), ()


def _read_principals(value: object, label: str) -> tuple[tuple[str, str], ...]:
    """Read principals as pairs of kind and value."""
    if type(value) is str and value == "*":
        return (("AWS", "*"),)
    if not isinstance(value, dict):
        refuse_statement(f"{label} is {json_kind(value)} (expected * or an object)")
    pairs: list[tuple[str, str]] = []
    for name, given in read_elements(value, _PRINCIPAL_KINDS).items():
        pairs += [
            (name, text) for text in _read_element_texts(given, f"{label} {name}")
        ]
    if not pairs:
        refuse_statement(f"{label} is empty")
    return tuple(pairs)


def _read_conditions(block: object, literal: bool) -> tuple[ConditionClause, ...]:
    """Read the condition block as clauses."""
    clauses: list[ConditionClause] = []
    for operator, keys in _read_object_entries(block, "Condition"):
        clauses += [
            ConditionClause(
                operator,
                key,
                _escape_variables(_read_condition_values(values, operator), literal),
            )
            for key, values in _read_object_entries(
                keys, f"Condition {_quote_name(operator)}"
            )
        ]
    return tuple(clauses)


def _read_object_entries(value: object, label: str) -> list[tuple[str, object]]:
    """Return an object's entries; repeated names are refused."""
    if not isinstance(value, dict):
        refuse_statement(f"{label} is {json_kind(value)} (expected an object)")
    doubled = getattr(value, "duplicate_names", ())
    if doubled:
        refuse_statement(f"{_quote_name(doubled[0])} is repeated in {label}")
    return [(_check_element_text(name, label), below) for name, below in value.items()]


def _read_condition_values(value: object, operator: str) -> tuple[str, ...]:
    """Read one or several values of a condition key."""
    return tuple(_read_condition_value(item, operator) for item in wrap_in_list(value))


def _read_condition_value(item: object, operator: str) -> str:
    """Return a condition value as text."""
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, str):
        return _check_surrogates(str(item), f"Condition {_quote_name(operator)}")
    if isinstance(item, int) or (isinstance(item, float) and abs(item) < 1e300):
        return _format_number(item)
    refuse_statement(
        f"Condition {_quote_name(operator)} contains {json_kind(item)} (expected a "
        "value)"
    )


def _format_number(number: float) -> str:
    """Format a number as text; one too long is refused."""
    try:
        return repr(number)
    except ValueError:  # an int longer than the interpreter converts
        refuse_statement("Condition contains a number that is too long to read")
