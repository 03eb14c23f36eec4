"""Parse query strings, forms and ETags strictly; unknown fields are an error.

An empty field counts as absent, because forms send every field.
"""

from collections.abc import Collection, Mapping
from string import digits
from urllib.parse import parse_qsl, urlencode

from answerable.web.http.errors import RequestRejected

MAX_FIELDS = 64
MAX_TARGET = 8 << 10  # bytes of path and query
MAX_FORM = 1 << 20  # bytes

_CONTROLS = frozenset(map(chr, range(32))) - frozenset("\t\r\n") | {"\x7f"}


def parse_fields(
    data: bytes, accepted: Collection[str], *, keep_empty: bool = False
) -> dict[str, str]:
    """Parse a query or a form (WHATWG URL 5.1).

    Args:
        accepted: Accepted names, each at most once.
        keep_empty: Keep empty fields.

    Raises:
        RequestRejected: A name is unknown or repeated, or a value is not text.
    """
    try:
        pairs = parse_qsl(
            data.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=MAX_FIELDS,
            errors="strict",
        )
    except ValueError:  # not UTF-8, or too many fields
        raise RequestRejected(
            400, "no-text", "the fields are not text, or too large"
        ) from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name not in accepted:
            raise RequestRejected(
                400,
                "unknown-field",
                "an unknown field was sent",
                f"accepted fields: {_list_fields(accepted)}",
            )
        if name in fields:
            raise RequestRejected(400, "repeated-field", f"{name} was sent twice")
        if not _CONTROLS.isdisjoint(value):
            raise RequestRejected(400, "no-text", f"{name} contains control characters")
        fields[name] = value.replace("\r\n", "\n")  # as forms send line ends
    return {name: value for name, value in fields.items() if value or keep_empty}


def strip_controls(value: str) -> str:
    """Return a value without the control characters that a field must not contain."""
    return "".join(each for each in value if each not in _CONTROLS)


def _list_fields(accepted: Collection[str]) -> str:
    """List field names; of a numbered series such as `id0` to `id49` only the first."""
    names = []
    for name in sorted(accepted):
        series = name.rstrip(digits)
        if name == series or not {f"{series}0", f"{series}2"} <= {*accepted}:
            names.append(name)
        elif name in (f"{series}0", f"{series}1"):
            names.append(name if name.endswith("0") else f"{name}, ...")
    return ", ".join(names) or "none"


def build_permalink(path: str, query: Mapping[str, str]) -> str:
    """Join path and query parameters to a URL."""
    return f"{path}?{urlencode(query)}" if query else path


def sanitize_redirect_path(text: str) -> str:
    r"""Return a path that is safe for redirects; the front page for anything else.

    Browsers read `//host` and `/\host` as another host, and drop tabs and line ends
    first.
    """
    is_plain = text.isascii() and text.isprintable() and " " not in text
    is_local = text.startswith("/") and not text.startswith(("//", "/\\"))
    return text if is_plain and is_local and "\\" not in text else "/"


def parse_etags(field: str) -> frozenset[str]:
    """Parse entity tags (RFC 9110 13.1.2) for weak comparison."""
    tags = (tag.strip().removeprefix("W/") for tag in field.split(","))
    return frozenset(
        tag[1:-1] for tag in tags if len(tag) > 2 and tag[0] == tag[-1] == '"'
    )
