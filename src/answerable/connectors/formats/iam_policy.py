"""Parse IAM policy documents in full; unclear statements are kept as unreadable.

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
    JsonNumber,
    PolicyJsonObject,
    StatementRefused,
    json_kind,
    parse_statement,
    read_elements,
    refuse_statement,
    wrap_in_list,
)
from answerable.model.errors import ParseError
from answerable.model.ids import PolicyId
from answerable.model.policy import Policy, PolicyLayer, Statement, UnreadStatement
from answerable.model.provenance import FactProvenance

# The largest document AWS takes is about 100 KiB; ten times that is no policy.
MAX_BYTES = 1 << 20
MAX_STATEMENTS = 2000

WHOLE_DOCUMENT = (
    "*"  # sid of what is wrong with a document rather than with one statement
)

_VERSIONS = ("2012-10-17", "2008-10-17")
_DOCUMENT_ELEMENTS = {name.lower(): name for name in ("Version", "Id", "Statement")}


def parse_policy(
    document: object,
    layer: PolicyLayer,
    *,
    policy_id: PolicyId,
    name: str,
    provenance: FactProvenance,
) -> Policy:
    """Parse an IAM policy document; unclear statements are kept as unreadable.

    `"Principal": "*"` is parsed as `("AWS", "*")`, which the User Guide calls
    equivalent. Version 2008-10-17 has no policy variables: their `${` becomes `${$}{`,
    which is the same text in the newer version.

    Args:
        document: Bytes or text (JSON, also percent-encoded as the IAM API sends it), or
            decoded JSON, in which repeated keys cannot be detected.
        layer: Layer of the policy, which determines the required elements.
        policy_id: Id of the policy.
        name: Short name of the policy.
        provenance: Provenance.

    Returns:
        The policy. Unreadable statements are in `unread`, by Sid, by zero-based
        position, or `*` for the document.

    Raises:
        ParseError: The document is too large, is not JSON, or has no statements.
    """
    tree = _decode_document(document, provenance.place)
    if not isinstance(tree, dict):
        raise ParseError(
            f"a policy must be a JSON object (got {json_kind(tree)})", provenance.place
        )
    statements: list[Statement] = []
    unread: list[UnreadStatement] = []
    elements, wrong = _check_document(tree)
    if wrong:
        unread.append(UnreadStatement(WHOLE_DOCUMENT, wrong))
    if "Statement" not in elements:
        raise ParseError("the policy has no Statement element", provenance.place)
    items = wrap_in_list(elements["Statement"])
    literal = elements.get("Version", _VERSIONS[1]) == _VERSIONS[1]
    for position, item in enumerate(items[:MAX_STATEMENTS]):
        read = parse_statement(item, position, layer, literal)
        if isinstance(read, Statement):
            statements.append(read)
        else:
            unread.append(read)
    if len(items) > MAX_STATEMENTS:
        left = f"{len(items) - MAX_STATEMENTS} statements beyond {MAX_STATEMENTS}"
        unread.append(UnreadStatement(WHOLE_DOCUMENT, left))
    return Policy(policy_id, name, tuple(statements), tuple(unread), provenance)


def make_unreadable_policy(
    policy_id: PolicyId, name: str, reason: str, provenance: FactProvenance
) -> Policy:
    """Build a policy whose document exists but is unreadable."""
    return Policy(
        policy_id, name, (), (UnreadStatement(WHOLE_DOCUMENT, reason),), provenance
    )


def _check_document(tree: Mapping[object, object]) -> tuple[dict[str, object], str]:
    """Check the form of an IAM policy document; return its elements and fault."""
    try:
        elements = read_elements(tree, _DOCUMENT_ELEMENTS)
        if elements.get("Version", _VERSIONS[1]) not in _VERSIONS:
            refuse_statement("unknown Version")
    except StatementRefused as why:
        kept = {_DOCUMENT_ELEMENTS.get(str(key).lower(), ""): tree[key] for key in tree}
        return kept, str(why)
    return elements, ""


def _decode_document(document: object, place: str) -> object:
    """Decode a document: JSON, URL-encoded JSON or a parsed object."""
    if isinstance(document, bytes | bytearray):
        document = _decode_utf8(bytes(document), place)
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
                object_pairs_hook=_make_object,
                parse_int=JsonNumber,
                parse_float=JsonNumber,
                parse_constant=_refuse_constant,
            ),
        )
    except RecursionError:
        raise ParseError("the policy is nested too deeply", place) from None
    except UnicodeDecodeError:
        raise ParseError("the policy is not UTF-8", place) from None
    except json.JSONDecodeError as error:
        why = f"the policy is not JSON: {error.msg}"
        raise ParseError(why, place, offset=error.pos) from None


def _decode_utf8(document: bytes, place: str) -> str:
    """Decode UTF-8, or raise a parse error."""
    try:
        return document.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError("the policy is not UTF-8", place, offset=error.start) from None


def _make_object(pairs: list[tuple[str, object]]) -> PolicyJsonObject:
    """Build an object that remembers its repeated names."""
    made = PolicyJsonObject(pairs)
    if len(made) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        made.duplicate_names = tuple(
            name for name, times in counts.items() if times > 1
        )
    return made


def _refuse_constant(name: str) -> NoReturn:
    """Refuse `NaN` and `Infinity`, which JSON does not have."""
    raise json.JSONDecodeError(f"{name} is not a JSON value", name, 0)
