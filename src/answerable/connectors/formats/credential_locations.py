"""Detect credentials by position: variables, headers, arguments, URLs, fields.

The position determines whether a text is a credential and its form; the value itself is
kept only for fingerprinting and never shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import unquote

from answerable.connectors.formats.credential_name import (
    ValueMeaning,
    classify_value_by_name,
    credential_kind_of_name,
    split_words,
)
from answerable.connectors.formats.platform_identity import PlatformIdentity
from answerable.connectors.formats.postgres_dsn import (
    find_variable_role,
    is_role_password,
    parse_dsn_role,
)
from answerable.connectors.formats.secret_formats import (
    classify_secret_format,
    is_placeholder,
    looks_random,
)
from answerable.connectors.formats.secrets_in_text import (
    find_named_secrets,
    read_auth_value,
)
from answerable.connectors.formats.url_secrets import (
    SecretUrlPart,
    find_url_secrets,
    has_dsn_password,
    is_url,
)
from answerable.connectors.formats.value_reference import (
    ValueReference,
    is_variable_name,
    split_references,
)
from answerable.model.credential import CredentialClass

_DISABLED_VALUES = frozenset(
    ("true", "false", "none", "null", "yes", "no", "on", "off", "auto")
)
_KEY_ID = "AWS_ACCESS_KEY_ID"
_KEY_PARTNERS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
_SPECIFIC_KINDS = frozenset(("github-token", "npm-token", "aws-access-key"))


@dataclass(frozen=True, slots=True)
class FoundCredential:
    """Credential found at a position.

    Attributes:
        name: Variable, header, flag or field with it.
        pointer: JSON pointer of the position.
        cls: Form in which the position states it.
        kind: Kind, as in `model.credential`.
        value: The literal, or the referenced name; kept out of the repr.
        identity: Identity that the same text states; None for none.
    """

    name: str
    pointer: str
    cls: CredentialClass
    kind: str
    value: str
    identity: PlatformIdentity | None = None

    def __repr__(self) -> str:
        return f"Found({self.name!r}, {self.pointer!r}, {self.cls.value!r})"


@dataclass(frozen=True, slots=True)
class NamedText:
    """Named text at a pointer; the text stays out of the repr."""

    name: str
    pointer: str
    value: str

    def __repr__(self) -> str:
        return f"Position({self.name!r}, {self.pointer!r})"


def find_in_environment(
    variables: Iterable[NamedText],
) -> tuple[FoundCredential, ...]:
    """Find the credentials in a map of environment variables.

    An AWS key id with its secret and session token is one credential, named by the key
    id; a secret without a key id is separate.
    """
    given = {variable.name: variable for variable in variables}
    found: list[FoundCredential] = []
    key = given.get(_KEY_ID)
    pair = find_in_variable(key) if key is not None else ()
    for variable in given.values():
        if pair and variable.name in _KEY_PARTNERS:
            # With a literal id the partners only complete it. If the id is stored
            # elsewhere, a literal secret here is still a finding.
            found += [
                partner
                for partner in find_in_variable(variable)
                if partner.cls is CredentialClass.LITERAL
                and pair[0].cls is not CredentialClass.LITERAL
            ]
        else:
            found += find_in_variable(variable)
    role = find_variable_role({name: text.value for name, text in given.items()})
    if role is not None:
        found = [
            replace(each, identity=role) if is_role_password(each.name) else each
            for each in found
        ]
    return tuple(found)


def find_in_variable(variable: NamedText) -> tuple[FoundCredential, ...]:
    """Find the credentials in one variable, `NAME=value`."""
    name, value = variable.name, variable.value.strip()
    if not value:
        return ()
    match classify_value_by_name(name):
        case ValueMeaning.PROFILE:
            return (
                _make_credential(
                    variable, CredentialClass.FILE_REF, "aws-profile", value
                ),
            )
        case ValueMeaning.SOCKET:
            return (
                _make_credential(variable, CredentialClass.AMBIENT, "ssh-agent", value),
            )
        case ValueMeaning.FILE:
            return _find_in_file_field(variable)
        case ValueMeaning.VARIABLE:
            return _find_in_variable_field(variable)
        case ValueMeaning.DSN:
            return _find_login_without_password(variable) or find_in_credential_field(
                variable, "dsn", literal=has_dsn_password(value)
            )
        case ValueMeaning.PASSWORD:
            return find_in_credential_field(
                variable, credential_kind_of_name(name), literal=True
            )
        case ValueMeaning.CREDENTIAL:
            literal = _may_be_secret(replace(variable, value=value))
            return find_in_credential_field(
                variable, credential_kind_of_name(name), literal=literal
            )
        case ValueMeaning.NOTHING:
            return find_in_text_by_format(variable)


def find_in_header(header: NamedText) -> tuple[FoundCredential, ...]:
    """Find the credentials in one HTTP header."""
    words = split_words(header.name)
    named = classify_value_by_name(header.name) in (
        ValueMeaning.CREDENTIAL,
        ValueMeaning.PASSWORD,
    ) or ({"authorization", "cookie", "auth"} & set(words))
    position = replace(header, value=read_auth_value(header.value))
    if named:
        kind = credential_kind_of_name(header.name)
        return find_in_credential_field(position, kind, literal=bool(position.value))
    if looks_random(position.value) and not split_references(position.value).dynamic:
        return find_in_credential_field(position, "api-key", literal=True)
    return find_in_text_by_format(position)


def find_in_text_by_format(position: NamedText) -> tuple[FoundCredential, ...]:
    """Find a credential in a text by its form alone, without a useful name."""
    value = position.value.strip()
    bare = read_auth_value(value)
    if classify_secret_format(bare):
        return find_in_credential_field(replace(position, value=bare), "", literal=True)
    if has_dsn_password(value) and not value.lower().startswith("http"):
        return find_in_credential_field(position, "dsn", literal=True)
    if "://" in value and (login := _find_login_without_password(position)):
        return login
    if is_url(value):
        return find_in_url(position)
    pieces = split_references(value)
    shaped = [part for part in pieces.rest.split() if classify_secret_format(part)]
    found = [
        _make_credential(position, CredentialClass.LITERAL, "", part) for part in shaped
    ]
    for reference in pieces.references:
        if (
            classify_value_by_name(reference.name) is ValueMeaning.CREDENTIAL
            or reference.default
        ):
            found += _credentials_of_reference(
                position, reference, credential_kind_of_name(reference.name)
            )
    found += find_in_free_text(position)
    return tuple(item for item in found if item.kind or item.value)


def find_in_free_text(position: NamedText) -> tuple[FoundCredential, ...]:
    """Find the values after secret-like names in a free text."""
    found: list[FoundCredential] = []
    for item in find_named_secrets(position.value):
        if (
            item.certain
            and item.value
            and classify_value_by_name(item.name) is not ValueMeaning.NOTHING
        ):
            named = NamedText(item.name, position.pointer, item.value)
            found += find_in_credential_field(
                named, credential_kind_of_name(item.name), literal=_may_be_secret(named)
            )
    return tuple(dict.fromkeys(found))


def _may_be_secret(position: NamedText) -> bool:
    """Return whether a text after a secret-like name may be the secret."""
    if classify_value_by_name(position.name) is ValueMeaning.PASSWORD:
        return True
    value = position.value.lower()
    return value not in _DISABLED_VALUES and not _is_small_number(value)


def find_in_url(position: NamedText) -> tuple[FoundCredential, ...]:
    """Find the secrets in a URL: userinfo, query parameters, a token in its path."""
    found: list[FoundCredential] = []
    for part in find_url_secrets(position.value):
        named = replace(position, name=part.name or position.name, value=part.value)
        found += find_in_credential_field(named, _kind_of_url_part(part), literal=True)
    if not found:
        references = split_references(position.value).references
        for reference in references:
            if classify_value_by_name(reference.name) in (
                ValueMeaning.CREDENTIAL,
                ValueMeaning.PASSWORD,
            ):
                found += _credentials_of_reference(
                    position, reference, credential_kind_of_name(reference.name)
                )
    found += (
        item
        for item in find_in_free_text(replace(position, value=unquote(position.value)))
        if item.value not in {each.value for each in found}
    )
    return tuple(found)


def _kind_of_url_part(part: SecretUrlPart) -> str:
    """Return the credential kind of a part of a URL."""
    return credential_kind_of_name(part.name) if part.name else "password"


def find_in_credential_field(
    position: NamedText, kind: str, *, literal: bool
) -> tuple[FoundCredential, ...]:
    """Find the credential in a field that is meant for a kind of credential.

    Args:
        position: Name, pointer and text.
        kind: Kind by position; a known form of the value takes precedence.
        literal: Whether a text without references is the credential itself.
    """
    value = position.value.strip()
    if not value:
        return ()
    if is_placeholder(value):
        return (_make_credential(position, CredentialClass.KEYCHAIN, kind, ""),)
    pieces = split_references(value)
    found: list[FoundCredential] = []
    for reference in pieces.references:
        found += _credentials_of_reference(position, reference, kind)
    if not found and literal:
        found.append(_make_credential(position, CredentialClass.LITERAL, kind, value))
    elif found:
        found += [
            _make_credential(position, CredentialClass.LITERAL, kind, part)
            for part in pieces.rest.split()
            if classify_secret_format(part)
            or (has_dsn_password(part) and "://" in part)
        ]
    return tuple(found)


def find_passed_variable(name: str, pointer: str) -> tuple[FoundCredential, ...]:
    """Find the credential in a variable passed by name (`docker run -e NAME`)."""
    if classify_value_by_name(name) is ValueMeaning.NOTHING:
        return ()
    kind = (
        "aws-profile"
        if classify_value_by_name(name) is ValueMeaning.PROFILE
        else credential_kind_of_name(name)
    )
    return (FoundCredential(name, pointer, CredentialClass.ENV_REF, kind, name),)


def find_named_variable(name: str, pointer: str) -> tuple[FoundCredential, ...]:
    """Find the credential in a field that names the variable with a token."""
    name = name.strip()
    if not name:
        return ()
    return (
        FoundCredential(
            name, pointer, CredentialClass.ENV_REF, credential_kind_of_name(name), name
        ),
    )


def _credentials_of_reference(
    position: NamedText, reference: ValueReference, kind: str
) -> list[FoundCredential]:
    """Return the credentials of a reference: itself and its default."""
    found = []
    by_name = credential_kind_of_name(reference.name)
    kind = by_name if by_name in _SPECIFIC_KINDS else kind
    if reference.name or not reference.default:
        made = _make_credential(position, reference.cls, kind, reference.name)
        if reference.cls is CredentialClass.ENV_REF and reference.name:
            made = replace(made, name=reference.name)
        found.append(made)
    default = reference.default.strip()
    if (
        default
        and not is_placeholder(default)
        and default.lower() not in _DISABLED_VALUES
    ):
        found.append(_make_credential(position, CredentialClass.LITERAL, kind, default))
    return found


def _make_credential(
    position: NamedText, credential_class: CredentialClass, kind: str, value: str
) -> FoundCredential:
    """Build a found credential; a known form of the value decides its kind."""
    shape = (
        classify_secret_format(value)
        if credential_class is CredentialClass.LITERAL
        else ""
    )
    kind = shape or kind or credential_kind_of_name(position.name)
    if (
        kind == "aws-access-key"
        and credential_class is CredentialClass.LITERAL
        and not shape
    ):
        kind = "aws-secret-key"
    return FoundCredential(
        position.name,
        position.pointer,
        credential_class,
        kind,
        value,
        parse_dsn_role(position.value) if kind == "dsn" else None,
    )


def _find_login_without_password(position: NamedText) -> tuple[FoundCredential, ...]:
    """Find the login of a connection string that names a role and no password.

    The host has the rest: a password file, the operating system's user, a certificate.
    """
    position = replace(position, value=position.value.strip())
    found = _make_credential(position, CredentialClass.AMBIENT, "dsn", "")
    is_login = found.identity is not None and not has_dsn_password(position.value)
    return (found,) if is_login else ()


def _find_in_file_field(variable: NamedText) -> tuple[FoundCredential, ...]:
    """Classify a field that names a file with a credential."""
    kind = credential_kind_of_name(variable.name)
    value = variable.value.strip()
    if classify_secret_format(value) or value.startswith("{"):
        # The secret itself where a file name belongs.
        return (_make_credential(variable, CredentialClass.LITERAL, kind, value),)
    if is_placeholder(value):
        return (_make_credential(variable, CredentialClass.KEYCHAIN, kind, ""),)
    references = split_references(value).references
    if references and references[0].cls is not CredentialClass.FILE_REF:
        return find_in_credential_field(variable, kind, literal=False)
    return (_make_credential(variable, CredentialClass.FILE_REF, kind, value),)


def _find_in_variable_field(field: NamedText) -> tuple[FoundCredential, ...]:
    """Find the credential in a field that names a variable."""
    name = field.value.strip()
    if is_variable_name(name):
        if classify_value_by_name(name) is ValueMeaning.NOTHING:
            return ()
        return find_named_variable(name, field.pointer)
    return find_in_text_by_format(field)


def _is_small_number(value: str) -> bool:
    """Return whether a value is a short number, which is no secret."""
    return value.isdigit() and len(value) <= 6
