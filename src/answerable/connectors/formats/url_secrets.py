"""Find secrets in URLs and connection strings: userinfo, query, path, `Password=`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from answerable.connectors.formats.credential_name import (
    ValueMeaning,
    classify_value_by_name,
)
from answerable.connectors.formats.secret_formats import (
    classify_secret_format,
    is_placeholder,
    looks_random,
)
from answerable.connectors.formats.value_reference import split_references

_DSN_KEYS = ("password=", "pwd=", "passwd=", "accountkey=", "sharedaccesskey=")
_QUERY_NAMES = frozenset(str.split("code sig access signature sas k t"))
_LIMIT = 16_384
_WEB_SCHEMES = ("http", "https", "ws", "wss")
_START = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://|(?:(?P<web>(?i:https?|wss?)):)?/{0,2}"
)
# `user:` before something that is no port, and an `@` after it.
_PASSWORD = re.compile(r"[^/@:\[]*:(?!\d+(?:/|$))[^@]*@.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SecretUrlPart:
    """URL part that is or refers to a secret; the value stays out of the repr.

    Attributes:
        name: Query parameter, `password` for userinfo, `path` for a path segment.
        value: The secret, or a reference.
    """

    name: str
    value: str

    def __repr__(self) -> str:
        return f"UrlPart({self.name!r})"


def is_url(text: str) -> bool:
    """Return whether a text starts like a URL."""
    scheme, mark, rest = text[:_LIMIT].partition("://")
    return bool(mark and rest) and scheme.replace("+", "").replace("-", "").isalnum()


def split_url(url: str) -> tuple[str, str, str, str]:
    """Split a URL into scheme, userinfo, host with path, and query with fragment.

    Lenient on purpose: a URL may lack its scheme or a slash (`//h`, `http:h`), and a
    password with a slash belongs to the userinfo, not to the path, if a colon without a
    port indicates it.
    """
    url = url.strip()
    start = next(_START.finditer(url))
    scheme = start["scheme"] or start["web"] or ""
    rest = url[start.end() :]
    head, query_mark, query = rest.partition("?")
    if not query_mark:
        head, query_mark, query = rest.partition("#")
    authority = head
    if scheme.lower() in ("", *_WEB_SCHEMES) and not _PASSWORD.fullmatch(head):
        authority = head.partition("/")[0]
    userinfo, at, _ = authority.rpartition("@")
    host = head[len(userinfo) + len(at) :]
    return scheme, userinfo, host, query


def find_url_secrets(url: str) -> Iterator[SecretUrlPart]:
    """Yield the parts of a URL that are or refer to secrets."""
    _, userinfo, host, query = split_url(url[:_LIMIT])
    name, colon, password = userinfo.partition(":")
    if colon and password:
        yield SecretUrlPart("password", unquote(password))
    elif name and (_looks_secret(name) or split_references(name).references):
        yield SecretUrlPart("token", unquote(name))
    for pair in query.replace("#", "&").replace(";", "&").split("&"):
        key, _, value = pair.partition("=")
        key = unquote(key)
        if value and (_is_secret_name(key) or _looks_secret(value)):
            yield SecretUrlPart(key, unquote(value))
    for segment in host.split("/")[1:]:
        if classify_secret_format(segment) or (
            len(segment) >= 20 and looks_random(segment)
        ):
            yield SecretUrlPart("path", segment)


def _is_secret_name(key: str) -> bool:
    """Return whether a query parameter's name indicates a secret."""
    return key.lower() in _QUERY_NAMES or classify_value_by_name(key) in (
        ValueMeaning.CREDENTIAL,
        ValueMeaning.PASSWORD,
    )


def _looks_secret(value: str) -> bool:
    """Return whether a path part looks like a secret."""
    return bool(classify_secret_format(value)) or (
        len(value) >= 16 and looks_random(value)
    )


def has_dsn_password(value: str) -> bool:
    """Return whether a text has a literal or referenced password, as in a DSN."""
    value = value[:_LIMIT]
    if is_url(value):
        password = split_url(value)[1].partition(":")[2]
        return bool(password) and not is_placeholder(password)
    lowered = value.lower().replace(" ", "")
    return any(key in lowered for key in _DSN_KEYS)
