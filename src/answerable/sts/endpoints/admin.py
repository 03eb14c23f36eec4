"""Admin endpoints at the unix socket: revoke, revive and state.

The caller is identified by the kernel. To anyone else these paths do not exist.
"""

import os
from collections.abc import Awaitable, Callable, Collection, Mapping

import msgspec

from answerable.authorization.revocations import kill_subject
from answerable.federation.strict_json import Unread, strict_object
from answerable.model.errors import AnswerableError, IdError
from answerable.model.exchange import OAuthError
from answerable.server.revocation_list import KillList
from answerable.sts.http.request import Asked
from answerable.sts.http.responses import (
    Answer,
    error_answer,
    json_answer,
    plain_answer,
)
from answerable.sts.http.server import Handler

_INVALID = OAuthError.INVALID_REQUEST


def is_admin(asked: Asked, admins: Collection[int]) -> bool:
    """Tell whether an operator sent a request: our own user, root, or a named user.

    Root has access to the state folder anyway.
    """
    peer = asked.link.peer
    return peer is not None and peer.uid in {0, os.geteuid(), *admins}


class Admin:
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
        kills: KillList,
        look: Callable[[], None],
        ended: Callable[[str], Awaitable[tuple[str, ...] | None]],
        state: Callable[[], Mapping[str, object]],
        given: Callable[[str], Awaitable[tuple[str, ...] | None]],
    ) -> None:
        self._admins, self._kills = admins, kills
        self._look, self._ended, self._state = look, ended, state
        self._given = given

    def swap(self, admins: Collection[int]) -> None:
        """Replace the user ids of operators."""
        self._admins = admins

    def handlers(self) -> dict[tuple[str, str], Handler]:
        """Return the handlers by method and path."""
        return {
            ("POST", "/admin/kill"): self._kill,
            ("POST", "/admin/revive"): self._revive,
            ("POST", "/admin/given"): self._tell_given,
            ("GET", "/admin/state"): self._tell,
        }

    async def _kill(self, asked: Asked) -> Answer:
        if not is_admin(asked, self._admins):
            return plain_answer(404)
        try:
            subject, by = _subject(asked.body), _by(asked)
            new = self._kills.shared.kill(subject, by, _reason(asked.body))
        except (Unread, IdError):
            return error_answer(_INVALID)
        except AnswerableError:
            return error_answer(OAuthError.TEMPORARILY_UNAVAILABLE)
        self._look()
        ended = await self._ended(subject)
        return json_answer({"subject": subject, "new": new, "ended": ended})

    async def _revive(self, asked: Asked) -> Answer:
        if not is_admin(asked, self._admins):
            return plain_answer(404)
        try:
            subject = _subject(asked.body)
            was = self._kills.revive(subject)
        except (Unread, IdError):
            return error_answer(_INVALID)
        except AnswerableError:
            return error_answer(OAuthError.TEMPORARILY_UNAVAILABLE)
        self._look()
        return json_answer({"subject": subject, "revived": was})

    async def _tell_given(self, asked: Asked) -> Answer:
        if not is_admin(asked, self._admins):
            return plain_answer(404)
        try:
            subject = kill_subject(_subject(asked.body))
        except (Unread, IdError):
            return error_answer(_INVALID)
        return json_answer({"subject": subject, "ended": await self._given(subject)})

    async def _tell(self, asked: Asked) -> Answer:
        if not is_admin(asked, self._admins):
            return plain_answer(404)
        return json_answer(msgspec.to_builtins(self._state()))


def _subject(body: bytes) -> str:
    subject = strict_object(body).get("subject")
    if not isinstance(subject, str):
        raise IdError("not a subject (expected text)")
    return subject


def _reason(body: bytes) -> str:
    reason = strict_object(body).get("reason")
    return reason if isinstance(reason, str) else ""


def _by(asked: Asked) -> str:
    """Return the operator that the request names, else its user."""
    by = strict_object(asked.body).get("by")
    peer = asked.link.peer
    return by if isinstance(by, str) and by else f"user {peer.uid}" if peer else ""
