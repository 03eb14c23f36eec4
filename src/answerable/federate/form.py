"""Bodies of `application/x-www-form-urlencoded` that have one reading.

RFC 6749 3.2 and appendix B: each parameter once, UTF-8, and one without a value is one
that is not there.
"""

from collections.abc import Mapping

from answerable.federate.refusing import Refused, Why

MAX_BODY = 64 * 1024  # bytes
MAX_PARAMETERS = 64

Form = Mapping[str, str]

_HEX = frozenset(b"0123456789ABCDEFabcdef")
# What may stand for itself (WHATWG URL, 5.2, and what clients leave as it is).
_LETTERS = frozenset(range(0x21, 0x7F)) - frozenset(b'%&+"<>\\^`{|}')


def read_form(body: bytes) -> Form:
    """Read a form.

    Raises:
        Refused: It is too large, malformed, not UTF-8, or names a parameter twice.
    """
    if len(body) > MAX_BODY:
        raise Refused(Why.SIZE, "body")
    parts = body.split(b"&") if body else []
    if len(parts) > MAX_PARAMETERS:
        raise Refused(Why.SIZE, "parameters")
    form: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition(b"=")
        if not name or not equals:
            raise Refused(Why.FORM)
        spelled = _decode(name)
        if spelled in form:
            raise Refused(Why.DUPLICATE_PARAMETER)
        form[spelled] = _decode(value)
    return {name: value for name, value in form.items() if value}


def _decode(text: bytes) -> str:
    """Decode one name or value."""
    first, *rest = text.split(b"%")
    whole = bytearray(_plain(first))
    for piece in rest:
        code = piece[:2]
        if len(code) != 2 or not _HEX.issuperset(code):
            raise Refused(Why.FORM)
        whole.append(int(code, 16))
        whole += _plain(piece[2:])
    try:
        return whole.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(Why.FORM) from None


def _plain(text: bytes) -> bytes:
    """Give what stands for itself, a plus for a space."""
    plain = text.replace(b"+", b" ")
    if not _LETTERS.issuperset(plain.replace(b" ", b"")) or b" " in text:
        raise Refused(Why.FORM)
    return plain
