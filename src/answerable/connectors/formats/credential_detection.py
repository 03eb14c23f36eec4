"""Detection of credentials by position: env, headers, arguments, URLs, fields.

The position determines whether a text is a credential and its form; the value itself is
kept only for fingerprinting and never shown.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import unquote

from answerable.connectors.formats.credential_name import (
    Says,
    kind_by_name,
    says,
    words_of,
)
from answerable.connectors.formats.secret_shapes import (
    is_placeholder,
    is_random,
    shape_of,
)
from answerable.connectors.formats.secrets_in_text import SCHEMES, named_values
from answerable.connectors.formats.url_secrets import (
    UrlPart,
    has_dsn_password,
    is_url,
    url_secrets,
)
from answerable.connectors.formats.value_reference import (
    Reference,
    is_variable_name,
    take_apart,
)
from answerable.model.credential import CredentialClass

_OFF = frozenset(("true", "false", "none", "null", "yes", "no", "on", "off", "auto"))
_KEY_ID = "AWS_ACCESS_KEY_ID"
_KEY_PARTNERS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
_SPECIFIC = frozenset(("github-token", "npm-token", "aws-access-key"))


@dataclass(frozen=True, slots=True)
class Found:
    """Credential found at a position.

    Attributes:
        name: Variable, header, flag or field with it.
        pointer: JSON pointer of the position.
        cls: Form in which the position states it.
        kind: Kind, as in `model.credential`.
        value: The literal, or the referenced name; kept out of the repr.
    """

    name: str
    pointer: str
    cls: CredentialClass
    kind: str
    value: str

    def __repr__(self) -> str:
        return f"Found({self.name!r}, {self.pointer!r}, {self.cls.value!r})"


@dataclass(frozen=True, slots=True)
class Position:
    """Named text at a pointer; the text stays out of the repr."""

    name: str
    pointer: str
    value: str

    def __repr__(self) -> str:
        return f"Position({self.name!r}, {self.pointer!r})"


def in_environment(variables: Iterable[Position]) -> tuple[Found, ...]:
    """Classify an `env` map as a whole.

    An AWS key id with its secret and session token is one credential, named by the key
    id; a secret without a key id is separate.
    """
    given = {variable.name: variable for variable in variables}
    found: list[Found] = []
    key = given.get(_KEY_ID)
    pair = in_variable(key) if key is not None else ()
    for variable in given.values():
        if pair and variable.name in _KEY_PARTNERS:
            # With a literal id the partners only complete it. Beside an id that is
            # elsewhere, a literal secret is still a secret lying here.
            found += [
                partner
                for partner in in_variable(variable)
                if partner.cls is CredentialClass.LITERAL
                and pair[0].cls is not CredentialClass.LITERAL
            ]
        else:
            found += in_variable(variable)
    return tuple(found)


def in_variable(variable: Position) -> tuple[Found, ...]:
    """Classify one `NAME=value`."""
    name, value = variable.name, variable.value.strip()
    if not value:
        return ()
    match says(name):
        case Says.PROFILE:
            return (_made(variable, CredentialClass.FILE_REF, "aws-profile", value),)
        case Says.SOCKET:
            return (_made(variable, CredentialClass.AMBIENT, "ssh-agent", value),)
        case Says.FILE:
            return _in_file_name(variable)
        case Says.VARIABLE:
            return _in_variable_name(variable)
        case Says.DSN:
            return in_text(variable, "dsn", literal=has_dsn_password(value))
        case Says.PASSWORD:
            return in_text(variable, kind_by_name(name), literal=True)
        case Says.CREDENTIAL:
            literal = _is_value(replace(variable, value=value))
            return in_text(variable, kind_by_name(name), literal=literal)
        case Says.NOTHING:
            return in_unnamed(variable)


def in_header(header: Position) -> tuple[Found, ...]:
    """Classify one HTTP header."""
    words = words_of(header.name)
    named = says(header.name) in (Says.CREDENTIAL, Says.PASSWORD) or (
        {"authorization", "cookie", "auth"} & set(words)
    )
    position = replace(header, value=_without_scheme(header.value))
    if named:
        kind = kind_by_name(header.name)
        return in_text(position, kind, literal=bool(position.value))
    if is_random(position.value) and not take_apart(position.value).dynamic:
        return in_text(position, "api-key", literal=True)
    return in_unnamed(position)


def in_unnamed(position: Position) -> tuple[Found, ...]:
    """Classify a text without a meaningful name, by its form alone."""
    value = position.value.strip()
    bare = _without_scheme(value)
    if shape_of(bare):
        return in_text(replace(position, value=bare), "", literal=True)
    if has_dsn_password(value) and not value.lower().startswith("http"):
        return in_text(position, "dsn", literal=True)
    if is_url(value):
        return in_url(position)
    pieces = take_apart(value)
    shaped = [part for part in pieces.rest.split() if shape_of(part)]
    found = [_made(position, CredentialClass.LITERAL, "", part) for part in shaped]
    for reference in pieces.references:
        if says(reference.name) is Says.CREDENTIAL or reference.default:
            found += _referred(position, reference, kind_by_name(reference.name))
    found += in_named_values(position)
    return tuple(item for item in found if item.kind or item.value)


def in_named_values(position: Position) -> tuple[Found, ...]:
    """Classify values after secret-like names in a free text."""
    found: list[Found] = []
    for item in named_values(position.value):
        if item.certain and item.value and says(item.name) is not Says.NOTHING:
            named = Position(item.name, position.pointer, item.value)
            found += in_text(named, kind_by_name(item.name), literal=_is_value(named))
    return tuple(dict.fromkeys(found))


def _is_value(position: Position) -> bool:
    """Tell whether a text after a secret-like name may be the secret."""
    if says(position.name) is Says.PASSWORD:
        return True
    value = position.value.lower()
    return value not in _OFF and not _is_small_number(value)


def in_url(position: Position) -> tuple[Found, ...]:
    """Classify secrets in a URL: userinfo, query parameters, a token in its path."""
    found: list[Found] = []
    for part in url_secrets(position.value):
        named = replace(position, name=part.name or position.name, value=part.value)
        found += in_text(named, _url_kind(part), literal=True)
    if not found:
        references = take_apart(position.value).references
        for reference in references:
            if says(reference.name) in (Says.CREDENTIAL, Says.PASSWORD):
                found += _referred(position, reference, kind_by_name(reference.name))
    found += (
        item
        for item in in_named_values(replace(position, value=unquote(position.value)))
        if item.value not in {each.value for each in found}
    )
    return tuple(found)


def _url_kind(part: UrlPart) -> str:
    return kind_by_name(part.name) if part.name else "password"


def in_text(position: Position, kind: str, *, literal: bool) -> tuple[Found, ...]:
    """Classify a text in a position for a credential of a kind.

    Args:
        position: Name, pointer and text.
        kind: Kind by position; a known form of the value takes precedence.
        literal: Whether a text without references is the credential itself.
    """
    value = position.value.strip()
    if not value:
        return ()
    if is_placeholder(value):
        return (_made(position, CredentialClass.KEYCHAIN, kind, ""),)
    pieces = take_apart(value)
    found: list[Found] = []
    for reference in pieces.references:
        found += _referred(position, reference, kind)
    if not found and literal:
        found.append(_made(position, CredentialClass.LITERAL, kind, value))
    elif found:
        found += [
            _made(position, CredentialClass.LITERAL, kind, part)
            for part in pieces.rest.split()
            if shape_of(part) or (has_dsn_password(part) and "://" in part)
        ]
    return tuple(found)


def pass_through(name: str, pointer: str) -> tuple[Found, ...]:
    """Classify a variable that is passed by name alone (`docker run -e NAME`)."""
    if says(name) is Says.NOTHING:
        return ()
    kind = "aws-profile" if says(name) is Says.PROFILE else kind_by_name(name)
    return (Found(name, pointer, CredentialClass.ENV_REF, kind, name),)


def environment_field(name: str, pointer: str) -> tuple[Found, ...]:
    """Classify a field that names the variable with a token."""
    name = name.strip()
    if not name:
        return ()
    return (Found(name, pointer, CredentialClass.ENV_REF, kind_by_name(name), name),)


def _referred(position: Position, reference: Reference, kind: str) -> list[Found]:
    found = []
    by_name = kind_by_name(reference.name)
    kind = by_name if by_name in _SPECIFIC else kind
    if reference.name or not reference.default:
        made = _made(position, reference.cls, kind, reference.name)
        if reference.cls is CredentialClass.ENV_REF and reference.name:
            made = replace(made, name=reference.name)
        found.append(made)
    default = reference.default.strip()
    if default and not is_placeholder(default) and default.lower() not in _OFF:
        found.append(_made(position, CredentialClass.LITERAL, kind, default))
    return found


def _made(position: Position, cls: CredentialClass, kind: str, value: str) -> Found:
    shape = shape_of(value) if cls is CredentialClass.LITERAL else ""
    kind = shape or kind or kind_by_name(position.name)
    if kind == "aws-access-key" and cls is CredentialClass.LITERAL and not shape:
        kind = "aws-secret-key"
    return Found(position.name, position.pointer, cls, kind, value)


def _in_file_name(variable: Position) -> tuple[Found, ...]:
    kind = kind_by_name(variable.name)
    value = variable.value.strip()
    if shape_of(value) or value.startswith("{"):
        # The secret itself where a file name belongs.
        return (_made(variable, CredentialClass.LITERAL, kind, value),)
    if is_placeholder(value):
        return (_made(variable, CredentialClass.KEYCHAIN, kind, ""),)
    references = take_apart(value).references
    if references and references[0].cls is not CredentialClass.FILE_REF:
        return in_text(variable, kind, literal=False)
    return (_made(variable, CredentialClass.FILE_REF, kind, value),)


def _in_variable_name(field: Position) -> tuple[Found, ...]:
    """Classify a field that names the variable with a credential."""
    name = field.value.strip()
    if is_variable_name(name):
        if says(name) is Says.NOTHING:
            return ()
        return environment_field(name, field.pointer)
    return in_unnamed(field)


def _without_scheme(value: str) -> str:
    """Strip `Bearer `; of `Basic` credentials keep the password alone."""
    scheme, blank, rest = value.strip().partition(" ")
    if not blank or scheme.lower().rstrip(":") not in SCHEMES:
        return value.strip()
    rest = rest.strip()
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(rest, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return rest
        return pair.partition(":")[2] or rest
    return rest


def _is_small_number(value: str) -> bool:
    return value.isdigit() and len(value) <= 6
