"""Kill, revive and state: of an operator at the unix socket, and nobody else.

Who asks is the kernel's word. There is no such path for anybody else.
"""

import os
from collections.abc import Awaitable, Callable, Collection, Mapping

import msgspec

from answerable.enforce.kill import kill_subject
from answerable.federate.strict import Unread, strict_object
from answerable.model.errors import AnswerableError, IdError
from answerable.model.exchange import OAuthError
from answerable.serving.kills import KillList
from answerable.sts.http.answers import Answer, error_answer, json_answer, plain_answer
from answerable.sts.http.asked import Asked
from answerable.sts.http.door import Handler

_INVALID = OAuthError.INVALID_REQUEST


def is_admin(asked: Asked, admins: Collection[int]) -> bool:
    """Tell whether a request comes from an operator: our own user, root, or one named.

    Root may read and write our folder anyway.
    """
    peer = asked.link.peer
    return peer is not None and peer.uid in {0, os.geteuid(), *admins}


class Admin:
    """The operator's endpoints.

    Args:
        admins: User ids beside our own.
        kills: The kills in force.
        look: Puts in force what the file says now.
        ended: Ends what a kill names, and gives all of it that may still be shown
            somewhere, as often as it is asked: ids of delegations. None where that is
            not known.
        state: Says how the service does.
        given: Gives what a kill would end, and ends nothing; None for not known.
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
        """Obey others from now on."""
        self._admins = admins

    def handlers(self) -> dict[tuple[str, str], Handler]:
        """By method and path."""
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
    """Give who kills: whom an operator's program says, else its user."""
    by = strict_object(asked.body).get("by")
    peer = asked.link.peer
    return by if isinstance(by, str) and by else f"user {peer.uid}" if peer else ""
