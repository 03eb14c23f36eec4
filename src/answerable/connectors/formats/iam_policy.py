"""IAM policy documents, whole grammar, read into `model.policy` without guessing.

Source: IAM User Guide, "Grammar of the IAM JSON policy language" and "IAM JSON policy
element reference". A statement that does not follow it is set aside with a reason and
the rest is kept, so that what it might have changed can be shown as open.
"""

import json
from collections.abc import Mapping, Sequence
from typing import NoReturn, cast
from urllib.parse import unquote

from answerable.model.errors import ParseError
from answerable.model.ids import PolicyId
from answerable.model.policy import (
    ConditionClause,
    Effect,
    Layer,
    Policy,
    Statement,
    UnreadStatement,
)
from answerable.model.written import Seen

# The largest document AWS takes is about 100 KiB; ten times that is no policy.
MAX_BYTES = 1 << 20
MAX_STATEMENTS = 2000

WHOLE = "*"  # sid of what is wrong with a document rather than with one statement

_VERSIONS = ("2012-10-17", "2008-10-17")
_DOCUMENT = {name.lower(): name for name in ("Version", "Id", "Statement")}
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


class _Unread(Exception):  # noqa: N818 - it carries a reason, it is no failure
    """Why a statement is set aside."""


class _Number(str):
    """A JSON number in the digits it was written with."""

    __slots__ = ()


class _Object(dict[str, object]):
    """A JSON object that remembers the keys which stood in it more than once."""

    doubled: tuple[str, ...] = ()


def parse_policy(
    document: object, layer: Layer, *, policy_id: PolicyId, name: str, seen: Seen
) -> Policy:
    """Read a policy document.

    `"Principal": "*"` reads as `("AWS", "*")`, which the User Guide calls equivalent.
    Version 2008-10-17 knows no policy variables: their `${` is spelled `${$}{` here,
    which is the same text in the newer version.

    Args:
        document: Bytes or text (JSON, also percent-encoded as the IAM API sends it), or
            JSON that is decoded already; in the latter, repeated keys cannot be seen.
        layer: Where the policy stands; it decides which elements must be there.
        policy_id: Its id.
        name: Its short name.
        seen: Provenance.

    Returns:
        The policy. What could not be read is in `unread`, under the statement's Sid,
        its zero-based position, or `*` for the document.

    Raises:
        ParseError: The document is too large, is not JSON, or has no statements.
    """
    tree = _decode(document, seen.place)
    if not isinstance(tree, dict):
        raise ParseError(f"a policy is a JSON object (got {_kind(tree)})", seen.place)
    statements: list[Statement] = []
    unread: list[UnreadStatement] = []
    elements, wrong = _envelope(tree)
    if wrong:
        unread.append(UnreadStatement(WHOLE, wrong))
    if "Statement" not in elements:
        raise ParseError("the policy has no Statement element", seen.place)
    listed = _listed(elements["Statement"])
    literal = elements.get("Version", _VERSIONS[1]) == _VERSIONS[1]
    for position, item in enumerate(listed[:MAX_STATEMENTS]):
        read = _statement(item, position, layer, literal)
        if isinstance(read, Statement):
            statements.append(read)
        else:
            unread.append(read)
    if len(listed) > MAX_STATEMENTS:
        left = f"{len(listed) - MAX_STATEMENTS} statements beyond {MAX_STATEMENTS}"
        unread.append(UnreadStatement(WHOLE, left))
    return Policy(policy_id, name, tuple(statements), tuple(unread), seen)


def unread_policy(policy_id: PolicyId, name: str, why: str, seen: Seen) -> Policy:
    """Make the policy that is there, while nothing of its document could be read."""
    return Policy(policy_id, name, (), (UnreadStatement(WHOLE, why),), seen)


def _envelope(tree: Mapping[object, object]) -> tuple[dict[str, object], str]:
    """Take the elements of the document, and say what is wrong with it, if anything."""
    try:
        elements = _elements(tree, _DOCUMENT)
        if elements.get("Version", _VERSIONS[1]) not in _VERSIONS:
            _refuse("unknown Version")
    except _Unread as why:
        kept = {_DOCUMENT.get(str(key).lower(), ""): tree[key] for key in tree}
        return kept, str(why)
    return elements, ""


def _decode(document: object, place: str) -> object:
    if isinstance(document, bytes | bytearray):
        document = _text(bytes(document), place)
    if not isinstance(document, str):
        return document
    if len(document) > MAX_BYTES:
        raise ParseError(f"the policy is larger than {MAX_BYTES >> 10} KiB", place)
    try:
        text = document.strip()
        if text.startswith("%"):
            text = unquote(text, errors="strict")
        return cast(
            object,
            json.loads(
                text,
                object_pairs_hook=_object,
                parse_int=_Number,
                parse_float=_Number,
                parse_constant=_no_constant,
            ),
        )
    except RecursionError:
        raise ParseError("the policy is nested too deeply", place) from None
    except UnicodeDecodeError:
        raise ParseError("the policy is not UTF-8", place) from None
    except json.JSONDecodeError as error:
        why = f"the policy is not JSON: {error.msg}"
        raise ParseError(why, place, offset=error.pos) from None


def _text(document: bytes, place: str) -> str:
    try:
        return document.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError("the policy is not UTF-8", place, offset=error.start) from None


def _object(pairs: list[tuple[str, object]]) -> _Object:
    made = _Object(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        made.doubled = tuple(name for name in made if names.count(name) > 1)
    return made


def _no_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is no value", name, 0)


def _refuse(why: str) -> NoReturn:
    raise _Unread(why)


def _shown(name: object) -> str:
    text = str(name)
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if _is_list(value):
        return "a list"
    if value is None:
        return "null"
    if isinstance(value, str) and not isinstance(value, _Number):
        return "text"
    return "true or false" if isinstance(value, bool) else "a number"


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _listed(value: object) -> Sequence[object]:
    if isinstance(value, list | tuple):
        return value
    return (value,)


def _elements(
    tree: Mapping[object, object], known: Mapping[str, str]
) -> dict[str, object]:
    """Take the elements by their proper names; their case folds."""
    doubled = getattr(tree, "doubled", ())
    if doubled:
        _refuse(f"{_shown(doubled[0])} stands there twice")
    elements: dict[str, object] = {}
    for key, value in tree.items():
        name = known.get(str(key).lower())
        if name is None:
            _refuse(f"unknown element {_shown(key)}")
        if name in elements:
            _refuse(f"{name} stands there twice")
        elements[name] = value
    return elements


def _statement(
    item: object, position: int, layer: Layer, literal: bool
) -> Statement | UnreadStatement:
    sid = str(position)
    try:
        if not isinstance(item, dict):
            _refuse(f"a statement is an object (got {_kind(item)})")
        sid = _sid(item, sid)
        elements = _elements(item, _STATEMENT)
        if type(elements.get("Sid", "")) is not str:
            _refuse("Sid is not text")
        effect = elements.get("Effect")
        if effect not in ("Allow", "Deny"):
            _refuse("Effect is neither Allow nor Deny")
        actions, not_actions = _pair(elements, "Action", required=True)
        resources, not_resources = _pair(
            elements, "Resource", required=layer in _NEEDS_RESOURCE
        )
        if layer is Layer.TRUST and (resources or not_resources):
            _refuse("a trust policy has no Resource")
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
    except _Unread as why:
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
        _refuse(f"both {name} and {negated}")
    if required and name not in elements and negated not in elements:
        _refuse(f"neither {name} nor {negated}")
    plain = _texts(elements[name], name) if name in elements else ()
    return plain, _texts(elements[negated], negated) if negated in elements else ()


def _texts(value: object, what: str) -> tuple[str, ...]:
    """Read one text or a list of them; an empty list says nothing and is refused."""
    items = _listed(value)
    if not items:
        _refuse(f"{what} is an empty list")
    return tuple(_one_text(item, what) for item in items)


def _one_text(item: object, what: str) -> str:
    if type(item) is not str:
        _refuse(f"{what} holds {_kind(item)} (expected text)")
    if not item:
        _refuse(f"{what} holds an empty text")
    return _whole(item, what)


def _whole(text: str, what: str) -> str:
    # Half a surrogate pair is legal in JSON and cannot be stored anywhere.
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        _refuse(f"{what} holds half a character")
    return text


def _both_principals(
    elements: Mapping[str, object], layer: Layer
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    plain, negated = "Principal" in elements, "NotPrincipal" in elements
    if plain and negated:
        _refuse("both Principal and NotPrincipal")
    if layer in _NEEDS_PRINCIPAL and not plain and not negated:
        _refuse("neither Principal nor NotPrincipal")
    if layer not in _NEEDS_PRINCIPAL and (plain or negated):
        _refuse(f"Principal has no place in a policy at the {layer} layer")
    if plain:
        return _principals(elements["Principal"], "Principal"), ()
    if negated:
        return (), _principals(elements["NotPrincipal"], "NotPrincipal")
    return (), ()


def _principals(value: object, what: str) -> tuple[tuple[str, str], ...]:
    if type(value) is str and value == "*":
        return (("AWS", "*"),)
    if not isinstance(value, dict):
        _refuse(f"{what} holds {_kind(value)} (expected * or an object)")
    pairs: list[tuple[str, str]] = []
    for name, given in _elements(value, _PRINCIPALS).items():
        pairs += [(name, text) for text in _texts(given, f"{what} {name}")]
    if not pairs:
        _refuse(f"{what} is empty")
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
        _refuse(f"{what} holds {_kind(value)} (expected an object)")
    doubled = getattr(value, "doubled", ())
    if doubled:
        _refuse(f"{_shown(doubled[0])} stands twice in {what}")
    return [(_one_text(name, what), below) for name, below in value.items()]


def _values(value: object, operator: str) -> tuple[str, ...]:
    return tuple(_value(item, operator) for item in _listed(value))


def _value(item: object, operator: str) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, str):
        return _whole(str(item), f"Condition {_shown(operator)}")
    if isinstance(item, int) or (isinstance(item, float) and abs(item) < 1e300):
        return _digits(item)
    _refuse(f"Condition {_shown(operator)} holds {_kind(item)} (expected a value)")


def _digits(number: float) -> str:
    try:
        return repr(number)
    except ValueError:  # an int longer than the interpreter converts
        _refuse("Condition holds a number too long to read")
