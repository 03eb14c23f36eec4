"""Serve the admin endpoints at the unix socket: revoke, revive, list, state.

The caller is identified by the kernel. To anyone else these paths do not exist.
"""

import os
from collections.abc import Awaitable, Callable, Collection, Mapping

import msgspec

from answerable.authorization.revocations import parse_revocation_subject
from answerable.federation.strict_json import AmbiguousInput, decode_json_object
from answerable.model.errors import AnswerableError, IdError
from answerable.model.token_request import OAuthError
from answerable.server.revocation_list import RevocationList
from answerable.sts.http.request import StsRequest
from answerable.sts.http.responses import (
    StsResponse,
    empty_response,
    error_response,
    json_response,
)
from answerable.sts.http.server import EndpointHandler

_INVALID = OAuthError.INVALID_REQUEST


def is_operator_request(request: StsRequest, admin_uids: Collection[int]) -> bool:
    """Return whether an operator sent a request: our own user, root, or a named user.

    Root has access to the state folder anyway.
    """
    peer = request.link.peer
    return peer is not None and peer.uid in {0, os.geteuid(), *admin_uids}


class AdminEndpoints:
    """Admin endpoints.

    Args:
        look: Reloads the revocation file.
        ended: Revokes a subject and lists its delegations, also those that ended
            before; None if unknown.
        state: Returns the state of the service.
        given: Lists the delegations of a subject without ending them; None if unknown.
    """

    def __init__(
        self,
        admins: Collection[int],
        kills: RevocationList,
        look: Callable[[], None],
        ended: Callable[[str], Awaitable[tuple[str, ...] | None]],
        state: Callable[[], Mapping[str, object]],
        given: Callable[[str], Awaitable[tuple[str, ...] | None]],
    ) -> None:
        self._admins, self._kills = admins, kills
        self._look, self._ended, self._state = look, ended, state
        self._given = given

    def reconfigure(self, admin_uids: Collection[int]) -> None:
        """Replace the user ids of operators."""
        self._admins = admin_uids

    def handlers(self) -> dict[tuple[str, str], EndpointHandler]:
        """Return the handlers by method and path."""
        return {
            ("POST", "/admin/kill"): self._handle_revoke,
            ("POST", "/admin/revive"): self._handle_revive,
            ("POST", "/admin/given"): self._handle_list_delegations,
            ("GET", "/admin/state"): self._handle_service_state,
        }

    async def _handle_revoke(self, request: StsRequest) -> StsResponse:
        """Revoke a subject, and end its recorded delegations."""
        if not is_operator_request(request, self._admins):
            return empty_response(404)
        try:
            subject, by = _read_subject(request.body), _read_requester(request)
            new = self._kills.shared.revoke(subject, by, _read_reason(request.body))
        except (AmbiguousInput, IdError):
            return error_response(_INVALID)
        except AnswerableError:
            return error_response(OAuthError.TEMPORARILY_UNAVAILABLE)
        self._look()
        ended = await self._ended(subject)
        return json_response({"subject": subject, "new": new, "ended": ended})

    async def _handle_revive(self, request: StsRequest) -> StsResponse:
        """Reinstate a revoked subject."""
        if not is_operator_request(request, self._admins):
            return empty_response(404)
        try:
            subject = _read_subject(request.body)
            was = self._kills.reinstate(subject)
        except (AmbiguousInput, IdError):
            return error_response(_INVALID)
        except AnswerableError:
            return error_response(OAuthError.TEMPORARILY_UNAVAILABLE)
        self._look()
        return json_response({"subject": subject, "revived": was})

    async def _handle_list_delegations(self, request: StsRequest) -> StsResponse:
        """List the recorded delegations that a revocation of a subject would end."""
        if not is_operator_request(request, self._admins):
            return empty_response(404)
        try:
            subject = parse_revocation_subject(_read_subject(request.body))
        except (AmbiguousInput, IdError):
            return error_response(_INVALID)
        return json_response({"subject": subject, "ended": await self._given(subject)})

    async def _handle_service_state(self, request: StsRequest) -> StsResponse:
        """Return readiness, rules, revocations and runs, for the operator."""
        if not is_operator_request(request, self._admins):
            return empty_response(404)
        return json_response(msgspec.to_builtins(self._state()))


def _read_subject(body: bytes) -> str:
    """Return the subject that a JSON body names."""
    subject = decode_json_object(body).get("subject")
    if not isinstance(subject, str):
        raise IdError("invalid subject (expected a string)")
    return subject


def _read_reason(body: bytes) -> str:
    """Return the reason that a JSON body gives; empty without one."""
    reason = decode_json_object(body).get("reason")
    return reason if isinstance(reason, str) else ""


def _read_requester(request: StsRequest) -> str:
    """Return the operator that the request names, else its user."""
    by = decode_json_object(request.body).get("by")
    peer = request.link.peer
    return by if isinstance(by, str) and by else f"user {peer.uid}" if peer else ""
