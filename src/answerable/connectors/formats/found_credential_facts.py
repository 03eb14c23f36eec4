"""Build inventory facts from found credentials, with a context shared by all."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from answerable.connectors.formats.credential_locations import FoundCredential
from answerable.connectors.formats.redaction import (
    make_printable_line,
    redact_name,
    redact_pointer,
)
from answerable.model.credential import (
    Credential,
    CredentialClass,
    CredentialLifetime,
    CredentialLink,
)
from answerable.model.identity import Identity
from answerable.model.ids import (
    CredentialId,
    IdentityId,
    build_aws_credential_id,
    build_fingerprint_credential_id,
    decode_access_key_account,
    is_access_key_id,
)
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.time_units import LAST_TIME_NS, SECOND_NS

MIN_HINT_LENGTH = 12
_FAR_FUTURE = LAST_TIME_NS // SECOND_NS  # such a token does not expire


@dataclass(frozen=True, slots=True)
class SightingContext:
    """Context shared by all sightings of one sync.

    Attributes:
        scope: Host account of the configuration; empty for none.
        written_by: Possible author of the files.
        now: UTC nanoseconds.
        fingerprint: Keyed fingerprint of a value.
        profile_keys: Id of the static key by AWS profile name.
        profiles: Names of known AWS profiles.
        contexts: Credential id by kubectl context.
        proves: Identity by credential, as linked in a home's files.
        login_files: Named login files, which distinguish their logins from the home's
            of the same name; empty for the home's own.
        login: Account name of the home with the configuration, may be empty.
    """

    source: str
    scope: str
    written_by: WrittenBy
    now: int
    fingerprint: Callable[[str], str]
    profile_keys: Mapping[str, CredentialId] = field(default_factory=dict)
    profiles: frozenset[str] = frozenset()
    contexts: Mapping[str, CredentialId] = field(default_factory=dict)
    proves: Mapping[CredentialId, IdentityId] = field(default_factory=dict)
    login: str = ""
    login_files: str = ""

    def get_provenance(
        self, place: str, written_by: WrittenBy | None = None
    ) -> FactProvenance:
        """Build the provenance of a fact at a place."""
        return FactProvenance(
            self.source, place, written_by or self.written_by, self.now
        )


def join_file_and_pointer(file: str, pointer: str) -> str:
    """Join a file and a JSON pointer (`FILE#/mcpServers/db/env/TOKEN`)."""
    return f"{file}#{redact_pointer(pointer)}" if pointer else file


def make_profile_id(context: SightingContext, profile: str) -> CredentialId:
    """Return the id of an AWS profile of this context's scope."""
    kind = f"{context.login_files}aws-profile"
    text = "\x1f".join((context.scope or context.source, kind, profile))
    return build_fingerprint_credential_id(context.fingerprint(text))


def make_reference_id(
    context: SightingContext, credential_class: CredentialClass, name: str
) -> CredentialId:
    """Return the id of a credential that is only referenced, not readable."""
    text = "\x1f".join((context.scope or context.source, credential_class.value, name))
    return build_fingerprint_credential_id(context.fingerprint(text))


def build_credential(
    credential: FoundCredential,
    file: str,
    context: SightingContext,
    written_by: WrittenBy | None = None,
) -> Credential:
    """Build the credential fact of a found credential, without its value."""
    place = join_file_and_pointer(file, credential.pointer)
    literal = credential.cls is CredentialClass.LITERAL
    expires_at = read_jwt_expiry(credential.value) if literal else 0
    return Credential(
        id=_build_credential_id(credential, place, context),
        kind=credential.kind,
        cls=credential.cls,
        lifetime=_classify_lifetime(credential, expires_at),
        name=_printable_name(credential),
        place=place,
        scope=context.scope,
        hint=last_four_characters(credential.value)
        if literal and credential.kind != "dsn"
        else "",
        account=_account_of_key(credential),
        status="",
        created_at=0,
        expires_at=expires_at,
        last_used_at=0,
        seen=context.get_provenance(place, written_by),
        # A connection string without a password is used only where it is named.
        explicit_only=credential.kind == "dsn"
        and credential.cls is CredentialClass.AMBIENT,
    )


def build_identity_link(
    found: FoundCredential, credential: Credential
) -> tuple[CredentialLink, Identity] | None:
    """Build the identity that a connection string names, and the link to it."""
    if found.identity is None:
        return None
    identity = found.identity.to_identity(credential.seen)
    return CredentialLink(credential.id, identity.id, "dsn", credential.seen), identity


def last_four_characters(value: str) -> str:
    """Return the last four characters of a value of at least twelve, else empty."""
    if len(value) < MIN_HINT_LENGTH or value.startswith("-----BEGIN"):
        return ""
    return make_printable_line(value[-4:], 4)


def read_jwt_expiry(value: str) -> int:
    """Return the `exp` of a JWT (RFC 7519 section 4.1.4) as UTC ns, else 0."""
    exp = _decode_jwt_claims(value).get("exp")
    if not isinstance(exp, int | float) or not 0 < exp < _FAR_FUTURE:
        return 0
    return int(exp) * SECOND_NS


def read_jwt_subject(value: str) -> str:
    """Return the `sub` of a JWT (RFC 7519 section 4.1.2), else empty."""
    subject = _decode_jwt_claims(value).get("sub")
    return subject if isinstance(subject, str) and len(subject) < 1_024 else ""


def read_jwt_email(value: str) -> str:
    """Return the `email` of an ID token (OpenID Connect Core 5.1), else empty."""
    email = _decode_jwt_claims(value).get("email")
    return email if isinstance(email, str) and len(email) < 1_024 else ""


def _decode_jwt_claims(value: str) -> Mapping[str, object]:
    """Return the claims of a JWT without verification, empty if it is none."""
    parts = value.split(".")
    if not value.startswith("eyJ") or len(parts) != 3 or len(value) > 16_384:
        return {}
    try:
        claims = json.loads(
            base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        )
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _build_credential_id(
    credential: FoundCredential, place: str, context: SightingContext
) -> CredentialId:
    """Return an id from the key id, the fingerprint, or the reference."""
    if (
        credential.kind == "aws-profile"
        and credential.cls is not CredentialClass.ENV_REF
    ):
        return make_profile_id(context, credential.value)
    if credential.cls is not CredentialClass.LITERAL:
        # A reference without a name is told apart by its place.
        return make_reference_id(context, credential.cls, credential.value or place)
    if is_access_key_id(credential.value):
        return build_aws_credential_id(credential.value)
    return build_fingerprint_credential_id(context.fingerprint(credential.value))


def _account_of_key(credential: FoundCredential) -> str:
    """Return the account in an AWS access-key id, empty for others."""
    if credential.cls is CredentialClass.LITERAL and is_access_key_id(credential.value):
        return decode_access_key_account(credential.value) or ""
    return ""


def _classify_lifetime(
    credential: FoundCredential, expires_at: int
) -> CredentialLifetime:
    """Return the lifetime class of a found credential."""
    match credential.cls:
        case CredentialClass.LITERAL:
            short = credential.kind == "aws-session" or expires_at
            return (
                CredentialLifetime.SHORT_LIVED if short else CredentialLifetime.STATIC
            )
        case CredentialClass.AMBIENT:
            return CredentialLifetime.AMBIENT
        case CredentialClass.OAUTH:
            return CredentialLifetime.SHORT_LIVED
        case _:
            return CredentialLifetime.UNKNOWN


def _printable_name(credential: FoundCredential) -> str:
    """Return the redacted name of a found credential."""
    if credential.kind == "aws-profile" and credential.cls is CredentialClass.FILE_REF:
        return redact_name(credential.value)
    return redact_name(credential.name)
