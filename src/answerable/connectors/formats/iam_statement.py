"""Parser of IAM policy statements.

Source: IAM User Guide, "IAM JSON policy element reference". An invalid statement is set
aside with a reason; nothing is guessed.
"""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from answerable.model.policy import (
    ConditionClause,
    Effect,
    Layer,
    Statement,
    UnreadStatement,
)

_STATEMENT = {
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
_PRINCIPALS = {
    name.lower(): name for name in ("AWS", "Service", "Federated", "CanonicalUser")
}
_NEEDS_RESOURCE = {
    Layer.IDENTITY,
    Layer.BOUNDARY,
    Layer.SCP,
    Layer.RCP,
    Layer.SESSION,
}
_NEEDS_PRINCIPAL = {Layer.TRUST, Layer.RESOURCE, Layer.RCP, Layer.ENDPOINT}


class Unread(Exception):  # noqa: N818 - it carries a reason, it is no failure
    """Refusal of a statement, with its reason."""


class Number(str):
    """JSON number with its original digits."""

    __slots__ = ()


class Object(dict[str, object]):
    """JSON object that records its repeated keys."""

    doubled: tuple[str, ...] = ()


def refuse(why: str) -> NoReturn:
    """Refuse the statement or the document with a reason."""
    raise Unread(why)


def _shown(name: object) -> str:
    text = str(name)
    return repr(text if len(text) <= 40 else text[:39] + "…")


def kind_of(value: object) -> str:
    """Return the JSON kind of a value, never the value itself."""
    if isinstance(value, dict):
        return "an object"
    if _is_list(value):
        return "a list"
    if value is None:
        return "null"
    if isinstance(value, str) and not isinstance(value, Number):
        return "text"
    return "true or false" if isinstance(value, bool) else "a number"


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def listed(value: object) -> Sequence[object]:
    """Return a list, or a single value as a list of one."""
    if isinstance(value, list | tuple):
        return value
    return (value,)


def elements_of(
    tree: Mapping[object, object], known: Mapping[str, str]
) -> dict[str, object]:
    """Return the elements by canonical names; case is ignored."""
    doubled = getattr(tree, "doubled", ())
    if doubled:
        refuse(f"{_shown(doubled[0])} is repeated")
    elements: dict[str, object] = {}
    for key, value in tree.items():
        name = known.get(str(key).lower())
        if name is None:
            refuse(f"unknown element {_shown(key)}")
        if name in elements:
            refuse(f"{name} is repeated")
        elements[name] = value
    return elements


def read_statement(
    item: object, position: int, layer: Layer, literal: bool
) -> Statement | UnreadStatement:
    """Parse one statement.

    Args:
        item: Decoded statement.
        position: Zero-based index; the sid of a statement without one.
        layer: Layer of the policy.
        literal: True if the policy's version has no variables.
    """
    sid = str(position)
    try:
        if not isinstance(item, dict):
            refuse(f"a statement is an object (got {kind_of(item)})")
        sid = _sid(item, sid)
        elements = elements_of(item, _STATEMENT)
        if type(elements.get("Sid", "")) is not str:
            refuse("Sid is not text")
        effect = elements.get("Effect")
        if effect not in ("Allow", "Deny"):
            refuse("Effect is neither Allow nor Deny")
        actions, not_actions = _pair(elements, "Action", required=True)
        resources, not_resources = _pair(
            elements, "Resource", required=layer in _NEEDS_RESOURCE
        )
        if layer is Layer.TRUST and (resources or not_resources):
            refuse("a trust policy has no Resource")
        principals, not_principals = _both_principals(elements, layer)
        conditions = _conditions(elements.get("Condition", {}), literal)
        return Statement(
            sid,
            Effect.ALLOW if effect == "Allow" else Effect.DENY,
            actions,
            not_actions,
            _spelled(resources, literal),
            _spelled(not_resources, literal),
            principals,
            not_principals,
            conditions,
        )
    except Unread as why:
        return UnreadStatement(sid, str(why))


def _sid(item: Mapping[object, object], position: str) -> str:
    for key in ("Sid", "sid", "SID"):
        sid = item.get(key)
        if type(sid) is str and sid and sid.isprintable() and len(sid) <= 256:
            return sid
    return position


def _spelled(patterns: tuple[str, ...], literal: bool) -> tuple[str, ...]:
    if not literal:
        return patterns
    return tuple(pattern.replace("${", "${$}{") for pattern in patterns)


def _pair(
    elements: Mapping[str, object], name: str, *, required: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    negated = f"Not{name}"
    if name in elements and negated in elements:
        refuse(f"both {name} and {negated}")
    if required and name not in elements and negated not in elements:
        refuse(f"neither {name} nor {negated}")
    plain = _texts(elements[name], name) if name in elements else ()
    return plain, _texts(elements[negated], negated) if negated in elements else ()


def _texts(value: object, what: str) -> tuple[str, ...]:
    """Read a text or a list of texts; an empty list is refused."""
    items = listed(value)
    if not items:
        refuse(f"{what} is an empty list")
    return tuple(_one_text(item, what) for item in items)


def _one_text(item: object, what: str) -> str:
    if type(item) is not str:
        refuse(f"{what} holds {kind_of(item)} (expected text)")
    if not item:
        refuse(f"{what} holds an empty text")
    return _whole(item, what)


def _whole(text: str, what: str) -> str:
    # Half a surrogate pair is legal in JSON and cannot be stored anywhere.
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        refuse(f"{what} holds half a character")
    return text


def _both_principals(
    elements: Mapping[str, object], layer: Layer
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    plain, negated = "Principal" in elements, "NotPrincipal" in elements
    if plain and negated:
        refuse("both Principal and NotPrincipal")
    if layer in _NEEDS_PRINCIPAL and not plain and not negated:
        refuse("neither Principal nor NotPrincipal")
    if layer not in _NEEDS_PRINCIPAL and (plain or negated):
        refuse(f"Principal has no place in a policy at the {layer} layer")
    if plain:
        return _principals(elements["Principal"], "Principal"), ()
    if negated:
        return (), _principals(elements["NotPrincipal"], "NotPrincipal")
    return (), ()


def _principals(value: object, what: str) -> tuple[tuple[str, str], ...]:
    if type(value) is str and value == "*":
        return (("AWS", "*"),)
    if not isinstance(value, dict):
        refuse(f"{what} holds {kind_of(value)} (expected * or an object)")
    pairs: list[tuple[str, str]] = []
    for name, given in elements_of(value, _PRINCIPALS).items():
        pairs += [(name, text) for text in _texts(given, f"{what} {name}")]
    if not pairs:
        refuse(f"{what} is empty")
    return tuple(pairs)


def _conditions(block: object, literal: bool) -> tuple[ConditionClause, ...]:
    clauses: list[ConditionClause] = []
    for operator, keys in _entries(block, "Condition"):
        clauses += [
            ConditionClause(operator, key, _spelled(_values(values, operator), literal))
            for key, values in _entries(keys, f"Condition {_shown(operator)}")
        ]
    return tuple(clauses)


def _entries(value: object, what: str) -> list[tuple[str, object]]:
    if not isinstance(value, dict):
        refuse(f"{what} holds {kind_of(value)} (expected an object)")
    doubled = getattr(value, "doubled", ())
    if doubled:
        refuse(f"{_shown(doubled[0])} is repeated in {what}")
    return [(_one_text(name, what), below) for name, below in value.items()]


def _values(value: object, operator: str) -> tuple[str, ...]:
    return tuple(_value(item, operator) for item in listed(value))


def _value(item: object, operator: str) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, str):
        return _whole(str(item), f"Condition {_shown(operator)}")
    if isinstance(item, int) or (isinstance(item, float) and abs(item) < 1e300):
        return _digits(item)
    refuse(f"Condition {_shown(operator)} holds {kind_of(item)} (expected a value)")


def _digits(number: float) -> str:
    try:
        return repr(number)
    except ValueError:  # an int longer than the interpreter converts
        refuse("Condition holds a number too long to read")
