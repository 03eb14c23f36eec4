"""Strict parsing of token endpoint requests (RFC 8693 2.1, 7523, 8707).

Only parameters that bound the answer are read. Reasons, purposes, client secrets and
claims about the client are ignored.
"""

from urllib.parse import urlsplit

from answerable.federation.claim_parsing import SCOPE_LETTERS
from answerable.federation.denials import Refused, Why
from answerable.federation.form_parsing import Form, read_form
from answerable.federation.jws_parsing import MAX_NAME, MAX_TOKEN
from answerable.federation.strict_json import Unread, strict_object, unbase64url
from answerable.model.claims import TokenType
from answerable.model.exchange import (
    PEER,
    TICKET,
    GrantType,
    Refusal,
    TokenRequest,
)

MAX_HEADER = 4096  # characters of a JOSE header
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# Suffix that the Azure SDKs append to the audience to request all scopes.
ALL_SCOPES = "/.default"
SUBJECT_TYPES = frozenset((*(each.value for each in TokenType), TICKET, PEER))
ACTOR_TYPES = frozenset({TokenType.ACCESS_TOKEN.value, TokenType.JWT.value, PEER})
REQUESTED_TYPES = frozenset({TokenType.ACCESS_TOKEN, TokenType.JWT, TokenType.ID_JAG})


def read_request(body: bytes) -> TokenRequest | Refusal:
    """Parse a request of the token endpoint.

    Args:
        body: Raw body, `application/x-www-form-urlencoded`.
    """
    try:
        form = read_form(body)
        match form.get("grant_type"):
            case GrantType.TOKEN_EXCHANGE:
                return _exchange(form)
            case GrantType.JWT_BEARER:
                return _assertion(form)
            case GrantType.CLIENT_CREDENTIALS:
                return _client(form)
            case None:
                raise Refused(Why.PARAMETER, "grant_type")
            case _:
                raise Refused(Why.GRANT_TYPE)
    except Refused as refused:
        return refused.refusal


def _exchange(form: Form) -> TokenRequest:
    """Parse a token exchange, RFC 8693 2.1."""
    subject_type = _type(form, "subject_token_type", SUBJECT_TYPES)
    actor_type = ""
    if "actor_token" in form or "actor_token_type" in form:
        actor_type = _type(form, "actor_token_type", ACTOR_TYPES)
    requested = form.get("requested_token_type", TokenType.ACCESS_TOKEN.value)
    if requested not in REQUESTED_TYPES:
        raise Refused(Why.TOKEN_TYPE, "requested_token_type")
    return TokenRequest(
        grant_type=GrantType.TOKEN_EXCHANGE,
        unverified_subject=_shown(form, "subject_token", subject_type),
        subject_type=subject_type,
        unverified_actor=_shown(form, "actor_token", actor_type) if actor_type else "",
        actor_type=actor_type,
        requested_type=TokenType(requested),
        audience=_audience(form),
        scopes=_scopes(form),
        client_id=_name(form, "client_id"),
    )


def _assertion(form: Form) -> TokenRequest:
    """Parse a JWT bearer grant, RFC 7523 2.1; an ID-JAG is one, too."""
    assertion = _token(form, "assertion")
    return TokenRequest(
        grant_type=GrantType.JWT_BEARER,
        unverified_subject=assertion,
        subject_type=_asserted(assertion).value,
        unverified_actor="",
        actor_type="",
        requested_type=TokenType.ACCESS_TOKEN,
        audience=_audience(form),
        scopes=_scopes(form),
        client_id=_name(form, "client_id"),
    )


def _client(form: Form) -> TokenRequest:
    """Parse client credentials with a client assertion (RFC 7523 2.2).

    The assertion of the workload's platform is the subject; no other client
    authentication is supported.
    """
    if "client_assertion_type" not in form:
        raise Refused(Why.PARAMETER, "client_assertion_type")
    if form["client_assertion_type"] != ASSERTION_TYPE:
        raise Refused(Why.TOKEN_TYPE, "client_assertion_type")
    audience, scopes = _audience(form), _scopes(form)
    if any(scope.endswith(ALL_SCOPES) for scope in scopes):
        audience, scopes = _all_of(scopes, audience), ()
    return TokenRequest(
        grant_type=GrantType.CLIENT_CREDENTIALS,
        unverified_subject=_token(form, "client_assertion"),
        subject_type=TokenType.JWT.value,
        unverified_actor="",
        actor_type="",
        requested_type=TokenType.ACCESS_TOKEN,
        audience=audience,
        scopes=scopes,
        client_id=_name(form, "client_id"),
    )


def _all_of(scopes: tuple[str, ...], audience: str) -> str:
    """Return the audience in an Azure-style scope `AUDIENCE/.default`."""
    named = scopes[0].removesuffix(ALL_SCOPES)
    if len(scopes) > 1 or not named or len(named) > MAX_NAME:
        raise Refused(Why.SCOPE)
    if audience:
        raise Refused(Why.TARGET, "scope")
    return named


def _asserted(unverified_assertion: str) -> TokenType:
    """Tell an ID-JAG from another assertion by its header.

    The header is unverified; each type is verified later by its own `typ`.
    """
    header = unverified_assertion.partition(".")[0]
    if len(header) > MAX_HEADER:
        return TokenType.JWT
    try:
        typ = strict_object(unbase64url(header)).get("typ")
    except Unread:
        return TokenType.JWT
    named = typ.lower().removeprefix("application/") if isinstance(typ, str) else ""
    return TokenType.ID_JAG if named == "oauth-id-jag+jwt" else TokenType.JWT


def _type(form: Form, name: str, types: frozenset[str]) -> str:
    if name not in form:
        raise Refused(Why.PARAMETER, name)
    if form[name] not in types:
        raise Refused(Why.TOKEN_TYPE, name)
    return form[name]


def _shown(form: Form, name: str, token_type: str) -> str:
    """Read a token parameter; a socket peer sends none."""
    if token_type != PEER:
        return _token(form, name)
    if name in form:
        raise Refused(Why.PARAMETER, name)
    return ""


def _token(form: Form, name: str) -> str:
    token = form.get(name, "")
    if len(token) > MAX_TOKEN:
        raise Refused(Why.SIZE, name)
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise Refused(Why.PARAMETER, name)
    return token


def _name(form: Form, name: str) -> str:
    value = form.get(name, "")
    if len(value) > MAX_NAME or not value.isascii() or not value.isprintable():
        raise Refused(Why.PARAMETER, name)
    return value


def _audience(form: Form) -> str:
    """Read the one audience; `resource` is an absolute URI (RFC 8707 2)."""
    if "audience" in form and "resource" in form:
        raise Refused(Why.TARGET, "resource")
    resource = _name(form, "resource")
    if resource and not _is_resource(resource):
        raise Refused(Why.TARGET, "resource")
    return resource or _name(form, "audience")


def _is_resource(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    named = bool(parts.netloc) or (bool(parts.path) and parts.scheme == "urn")
    return bool(parts.scheme) and named and "#" not in text and " " not in text


def _scopes(form: Form) -> tuple[str, ...]:
    """Read scope tokens, separated by single spaces (RFC 6749 3.3), each once."""
    if "scope" not in form:
        return ()
    scopes = form["scope"].split(" ")
    if not all(scope and SCOPE_LETTERS.issuperset(scope) for scope in scopes):
        raise Refused(Why.SCOPE)
    return tuple(dict.fromkeys(scopes))
