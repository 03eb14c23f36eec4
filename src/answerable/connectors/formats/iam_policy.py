"""Parser of IAM policy documents, full grammar, without guessing.

Source: IAM User Guide, "Grammar of the IAM JSON policy language" and "IAM JSON policy
element reference". An invalid statement is set aside with a reason and the rest is
kept, so that answers it might change are shown as open.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import NoReturn, cast
from urllib.parse import unquote

from answerable.connectors.formats.iam_statement import (
    Number,
    Object,
    Unread,
    elements_of,
    kind_of,
    listed,
    read_statement,
    refuse,
)
from answerable.model.errors import ParseError
from answerable.model.ids import PolicyId
from answerable.model.policy import Layer, Policy, Statement, UnreadStatement
from answerable.model.provenance import Seen

# The largest document AWS takes is about 100 KiB; ten times that is no policy.
MAX_BYTES = 1 << 20
MAX_STATEMENTS = 2000

WHOLE = "*"  # sid of what is wrong with a document rather than with one statement

_VERSIONS = ("2012-10-17", "2008-10-17")
_DOCUMENT = {name.lower(): name for name in ("Version", "Id", "Statement")}


def parse_policy(
    document: object, layer: Layer, *, policy_id: PolicyId, name: str, seen: Seen
) -> Policy:
    """Parse a policy document.

    `"Principal": "*"` is parsed as `("AWS", "*")`, which the User Guide calls
    equivalent. Version 2008-10-17 has no policy variables: their `${` becomes `${$}{`,
    which is the same text in the newer version.

    Args:
        document: Bytes or text (JSON, also percent-encoded as the IAM API sends it), or
            decoded JSON, in which repeated keys cannot be detected.
        layer: Layer of the policy, which determines the required elements.
        policy_id: Id of the policy.
        name: Short name of the policy.
        seen: Provenance.

    Returns:
        The policy. Unreadable statements are in `unread`, by Sid, by zero-based
        position, or `*` for the document.

    Raises:
        ParseError: The document is too large, is not JSON, or has no statements.
    """
    tree = _decode(document, seen.place)
    if not isinstance(tree, dict):
        raise ParseError(f"a policy is a JSON object (got {kind_of(tree)})", seen.place)
    statements: list[Statement] = []
    unread: list[UnreadStatement] = []
    elements, wrong = _envelope(tree)
    if wrong:
        unread.append(UnreadStatement(WHOLE, wrong))
    if "Statement" not in elements:
        raise ParseError("the policy has no Statement element", seen.place)
    items = listed(elements["Statement"])
    literal = elements.get("Version", _VERSIONS[1]) == _VERSIONS[1]
    for position, item in enumerate(items[:MAX_STATEMENTS]):
        read = read_statement(item, position, layer, literal)
        if isinstance(read, Statement):
            statements.append(read)
        else:
            unread.append(read)
    if len(items) > MAX_STATEMENTS:
        left = f"{len(items) - MAX_STATEMENTS} statements beyond {MAX_STATEMENTS}"
        unread.append(UnreadStatement(WHOLE, left))
    return Policy(policy_id, name, tuple(statements), tuple(unread), seen)


def unread_policy(policy_id: PolicyId, name: str, why: str, seen: Seen) -> Policy:
    """Build an existing policy whose document is unreadable."""
    return Policy(policy_id, name, (), (UnreadStatement(WHOLE, why),), seen)


def _envelope(tree: Mapping[object, object]) -> tuple[dict[str, object], str]:
    """Return the elements of the document, and its fault, if any."""
    try:
        elements = elements_of(tree, _DOCUMENT)
        if elements.get("Version", _VERSIONS[1]) not in _VERSIONS:
            refuse("unknown Version")
    except Unread as why:
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
                parse_int=Number,
                parse_float=Number,
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


def _object(pairs: list[tuple[str, object]]) -> Object:
    made = Object(pairs)
    if len(made) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        made.doubled = tuple(name for name, times in counts.items() if times > 1)
    return made


def _no_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is no value", name, 0)
