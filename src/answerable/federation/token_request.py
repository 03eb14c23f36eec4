"""Parse token endpoint requests strictly (RFC 8693 2.1, RFC 7523, RFC 8707).

Only parameters that bound the answer are read. Reasons, purposes, client secrets and
claims about the client are ignored.
"""

from urllib.parse import urlsplit

from answerable.federation.claim_parsing import SCOPE_LETTERS
from answerable.federation.denials import DenialReason, ExchangeDenied
from answerable.federation.form_parsing import FormParameters, parse_form
from answerable.federation.jws_parsing import MAX_NAME, MAX_TOKEN
from answerable.federation.strict_json import (
    AmbiguousInput,
    decode_base64url,
    decode_json_object,
)
from answerable.model.token_claims import TokenType
from answerable.model.token_request import (
    PEER_TYPE_URI,
    TICKET_TYPE_URI,
    GrantType,
    TokenRequest,
    TokenRequestRefusal,
)

MAX_HEADER = 4096  # characters of a JOSE header
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# Suffix that the Azure SDKs append to the audience to request all scopes.
ALL_SCOPES = "/.default"
SUBJECT_TYPES = frozenset(
    (*(each.value for each in TokenType), TICKET_TYPE_URI, PEER_TYPE_URI)
)
ACTOR_TYPES = frozenset(
    {TokenType.ACCESS_TOKEN.value, TokenType.JWT.value, PEER_TYPE_URI}
)
REQUESTED_TYPES = frozenset({TokenType.ACCESS_TOKEN, TokenType.JWT, TokenType.ID_JAG})


def parse_token_request(body: bytes) -> TokenRequest | TokenRequestRefusal:
    """Parse a token request by its grant type; return a refusal if invalid.

    Args:
        body: Raw body, `application/x-www-form-urlencoded`.
    """
    try:
        form = parse_form(body)
        match form.get("grant_type"):
            case GrantType.TOKEN_EXCHANGE:
                return _parse_token_exchange(form)
            case GrantType.JWT_BEARER:
                return _parse_jwt_bearer_grant(form)
            case GrantType.CLIENT_CREDENTIALS:
                return _parse_client_credentials(form)
            case None:
                raise ExchangeDenied(DenialReason.PARAMETER, "grant_type")
            case _:
                raise ExchangeDenied(DenialReason.GRANT_TYPE)
    except ExchangeDenied as refused:
        return refused.refusal


def _parse_token_exchange(form: FormParameters) -> TokenRequest:
    """Parse a token exchange, RFC 8693 2.1."""
    subject_type = _read_token_type(form, "subject_token_type", SUBJECT_TYPES)
    actor_type = ""
    if "actor_token" in form or "actor_token_type" in form:
        actor_type = _read_token_type(form, "actor_token_type", ACTOR_TYPES)
    requested = form.get("requested_token_type", TokenType.ACCESS_TOKEN.value)
    if requested not in REQUESTED_TYPES:
        raise ExchangeDenied(DenialReason.TOKEN_TYPE, "requested_token_type")
    return TokenRequest(
        grant_type=GrantType.TOKEN_EXCHANGE,
        unverified_subject=_read_token_unless_peer(form, "subject_token", subject_type),
        subject_type=subject_type,
        unverified_actor=_read_token_unless_peer(form, "actor_token", actor_type)
        if actor_type
        else "",
        actor_type=actor_type,
        requested_type=TokenType(requested),
        audience=_read_audience(form),
        scopes=_read_scopes(form),
        client_id=_read_optional_text(form, "client_id"),
    )


def _parse_jwt_bearer_grant(form: FormParameters) -> TokenRequest:
    """Parse a JWT bearer grant, RFC 7523 2.1; an ID-JAG is one, too."""
    assertion = _read_token(form, "assertion")
    return TokenRequest(
        grant_type=GrantType.JWT_BEARER,
        unverified_subject=assertion,
        subject_type=_read_assertion_type(assertion).value,
        unverified_actor="",
        actor_type="",
        requested_type=TokenType.ACCESS_TOKEN,
        audience=_read_audience(form),
        scopes=_read_scopes(form),
        client_id=_read_optional_text(form, "client_id"),
    )


def _parse_client_credentials(form: FormParameters) -> TokenRequest:
    """Parse client credentials with a client assertion (RFC 7523 2.2).

    The assertion of the workload's platform is the subject; no other client
    authentication is supported.
    """
    if "client_assertion_type" not in form:
        raise ExchangeDenied(DenialReason.PARAMETER, "client_assertion_type")
    if form["client_assertion_type"] != ASSERTION_TYPE:
        raise ExchangeDenied(DenialReason.TOKEN_TYPE, "client_assertion_type")
    audience, scopes = _read_audience(form), _read_scopes(form)
    if any(scope.endswith(ALL_SCOPES) for scope in scopes):
        audience, scopes = _parse_audience_of_scope(scopes, audience), ()
    return TokenRequest(
        grant_type=GrantType.CLIENT_CREDENTIALS,
        unverified_subject=_read_token(form, "client_assertion"),
        subject_type=TokenType.JWT.value,
        unverified_actor="",
        actor_type="",
        requested_type=TokenType.ACCESS_TOKEN,
        audience=audience,
        scopes=scopes,
        client_id=_read_optional_text(form, "client_id"),
    )


def _parse_audience_of_scope(scopes: tuple[str, ...], audience: str) -> str:
    """Return the audience in an Azure-style scope `AUDIENCE/.default`."""
    named = scopes[0].removesuffix(ALL_SCOPES)
    if len(scopes) > 1 or not named or len(named) > MAX_NAME:
        raise ExchangeDenied(DenialReason.SCOPE)
    if audience:
        raise ExchangeDenied(DenialReason.TARGET, "scope")
    return named


def _read_assertion_type(unverified_assertion: str) -> TokenType:
    """Return the type of an assertion by its `typ` header: ID-JAG, or another JWT.

    The header is unverified; each type is verified later by its own `typ`.
    """
    header = unverified_assertion.partition(".")[0]
    if len(header) > MAX_HEADER:
        return TokenType.JWT
    try:
        typ = decode_json_object(decode_base64url(header)).get("typ")
    except AmbiguousInput:
        return TokenType.JWT
    named = typ.lower().removeprefix("application/") if isinstance(typ, str) else ""
    return TokenType.ID_JAG if named == "oauth-id-jag+jwt" else TokenType.JWT


def _read_token_type(form: FormParameters, name: str, types: frozenset[str]) -> str:
    """Return a required token type parameter, one of the supported types."""
    if name not in form:
        raise ExchangeDenied(DenialReason.PARAMETER, name)
    if form[name] not in types:
        raise ExchangeDenied(DenialReason.TOKEN_TYPE, name)
    return form[name]


def _read_token_unless_peer(form: FormParameters, name: str, token_type: str) -> str:
    """Return a token parameter; empty for the token type of a socket peer."""
    if token_type != PEER_TYPE_URI:
        return _read_token(form, name)
    if name in form:
        raise ExchangeDenied(DenialReason.PARAMETER, name)
    return ""


def _read_token(form: FormParameters, name: str) -> str:
    """Return a required token parameter: printable ASCII, bounded in size."""
    token = form.get(name, "")
    if len(token) > MAX_TOKEN:
        raise ExchangeDenied(DenialReason.SIZE, name)
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ExchangeDenied(DenialReason.PARAMETER, name)
    return token


def _read_optional_text(form: FormParameters, name: str) -> str:
    """Return an optional parameter: printable ASCII, bounded; empty if absent."""
    value = form.get(name, "")
    if len(value) > MAX_NAME or not value.isascii() or not value.isprintable():
        raise ExchangeDenied(DenialReason.PARAMETER, name)
    return value


def _read_audience(form: FormParameters) -> str:
    """Read the one audience; `resource` is an absolute URI (RFC 8707 2)."""
    if "audience" in form and "resource" in form:
        raise ExchangeDenied(DenialReason.TARGET, "resource")
    resource = _read_optional_text(form, "resource")
    if resource and not _is_absolute_uri(resource):
        raise ExchangeDenied(DenialReason.TARGET, "resource")
    return resource or _read_optional_text(form, "audience")


def _is_absolute_uri(text: str) -> bool:
    """Return whether a text is an absolute URI without a fragment."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    named = bool(parts.netloc) or (bool(parts.path) and parts.scheme == "urn")
    return bool(parts.scheme) and named and "#" not in text and " " not in text


def _read_scopes(form: FormParameters) -> tuple[str, ...]:
    """Read scope tokens, separated by single spaces (RFC 6749 3.3), each once."""
    if "scope" not in form:
        return ()
    scopes = form["scope"].split(" ")
    if not all(scope and SCOPE_LETTERS.issuperset(scope) for scope in scopes):
        raise ExchangeDenied(DenialReason.SCOPE)
    return tuple(dict.fromkeys(scopes))
