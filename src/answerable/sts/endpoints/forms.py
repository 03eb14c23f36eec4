"""Form bodies (RFC 6749 appendix B), read in one way only."""

from urllib.parse import unquote_to_bytes

from answerable.serving.wire.head import Head
from answerable.serving.wire.refusals import Refused, Why

FORM = "application/x-www-form-urlencoded"
MOST = 32  # members


def read_form(head: Head, body: bytes) -> dict[str, str]:
    """Read a form, each member of which stands once (RFC 6749 3.2).

    Raises:
        Refused: It is none, not UTF-8, or names one member twice.
    """
    check_form(head)
    pairs = body.split(b"&") if body else []
    if len(pairs) > MOST:
        raise Refused(Why.REPEATED_KEY)
    members: dict[str, str] = {}
    for pair in pairs:
        name, _, value = pair.partition(b"=")
        key = _text(name)
        if key in members:
            raise Refused(Why.REPEATED_KEY)
        members[key] = _text(value)
    return members


def check_form(head: Head) -> None:
    """Refuse what is not said to be a form, or is encoded.

    Raises:
        Refused: See above.
    """
    kind, _, _ = head.fields.get("content-type", "").partition(";")
    if kind.strip().lower() != FORM:
        raise Refused(Why.CONTENT_TYPE)
    if head.fields.get("content-encoding", "identity") != "identity":
        raise Refused(Why.CONTENT_CODING)


def _text(spelled: bytes) -> str:
    try:
        return unquote_to_bytes(spelled.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(Why.NOT_JSON) from None
