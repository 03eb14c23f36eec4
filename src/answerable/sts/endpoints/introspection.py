"""Serve POST /introspect (RFC 7662): the state of a token, for its audience.

An audience authenticates with a client certificate that names it, or with a token of
ours for that audience with the scope `introspect`, which a rule grants to its workload.
An operator may ask at the unix socket. Every other request gets `active: false` (RFC
7662 2.2).
"""

from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from cryptography import x509

from answerable.federation.jws_parsing import parse_jws
from answerable.federation.token_errors import NonceRequired, TokenRejected
from answerable.model.token_claims import SignedClaims
from answerable.model.token_request import OAuthError
from answerable.services.federation.issued_token_verification import OwnTokenVerifier
from answerable.sts.endpoints.admin import is_operator_request
from answerable.sts.endpoints.form_bodies import parse_form
from answerable.sts.endpoints.proof_of_possession import ProofVerifier
from answerable.sts.http.request import StsRequest
from answerable.sts.http.responses import StsResponse, error_response, json_response
from answerable.sts.http.server import EndpointHandler
from answerable.sts.runtime.database_executor import DatabaseExecutor

PATH = "/introspect"
REQUIRED_SCOPE = "introspect"

_INACTIVE = {"active": False}
_CHALLENGE = {"www-authenticate": 'DPoP error="invalid_token"'}


class IntrospectionEndpoint:
    """Introspection endpoint for resource servers.

    Args:
        blocking: Runs calls to the record.
        admins: Returns the user ids of operators.
        clock: Returns the time as a NumericDate.
    """

    def __init__(
        self,
        own: OwnTokenVerifier,
        proving: ProofVerifier,
        blocking: DatabaseExecutor,
        admins: Callable[[], Collection[int]],
        clock: Callable[[], float],
    ) -> None:
        self._own, self._proving = own, proving
        self._blocking, self._admins, self._clock = blocking, admins, clock

    def handlers(self) -> dict[tuple[str, str], EndpointHandler]:
        """Return the handlers by method and path."""
        return {("POST", PATH): self._handle_introspect}

    async def _handle_introspect(self, request: StsRequest) -> StsResponse:
        """Authenticate the caller, and answer whether a token is active."""
        token = parse_form(request).get("token", "")
        now = self._clock()
        try:
            return await self._blocking.run(
                lambda: self._build_introspection_response(request, token, now)
            )
        except NonceRequired:
            nonce = self._proving.build_nonce_field(now)
            challenge = {"www-authenticate": 'DPoP error="use_dpop_nonce"'}
            return error_response(OAuthError.INVALID_CLIENT, {**nonce, **challenge})
        except TokenRejected:
            return error_response(OAuthError.INVALID_CLIENT, _CHALLENGE)

    def _build_introspection_response(
        self, request: StsRequest, token: str, now: float
    ) -> StsResponse:
        """Build the RFC 7662 response for an authenticated caller.

        Raises:
            TokenRejected: The caller is not authenticated.
        """
        knows = self._build_audience_filter(request, now)
        try:
            claims = self._own.verify(token, now)
        except TokenRejected:
            return json_response(_INACTIVE)
        if not knows(claims) or self._own.find_active_delegation(claims, now) is None:
            return json_response(_INACTIVE)
        kind = "DPoP" if claims.cnf.jkt else "Bearer"
        said = dict(parse_jws(token).payload)
        return json_response({"active": True, "token_type": kind, **said})

    def _build_audience_filter(
        self, request: StsRequest, now: float
    ) -> Callable[[SignedClaims], bool]:
        """Return a predicate: the tokens whose state the caller may see."""
        if is_operator_request(request, self._admins()):
            return lambda _: True
        if "authorization" in request.head.fields or not request.link.certificate:
            held = self._proving.authenticate(request, PATH, now).claims
            return lambda claims: (
                claims.aud == held.aud and REQUIRED_SCOPE in held.scope
            )
        names = list_certificate_names(request.link.certificate)
        return lambda claims: bool(names & {claims.aud, urlsplit(claims.aud).hostname})


def list_certificate_names(certificate: bytes) -> frozenset[str]:
    """Return the URIs and host names in a client certificate (RFC 5280 4.2.1.6).

    TLS, or the terminator, has verified it.
    """
    try:
        read = x509.load_der_x509_certificate(certificate)
        found = read.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, x509.ExtensionNotFound):
        return frozenset()
    uris = found.value.get_values_for_type(x509.UniformResourceIdentifier)
    hosts = found.value.get_values_for_type(x509.DNSName)
    return frozenset((*uris, *(host for host in hosts if "*" not in host)))
