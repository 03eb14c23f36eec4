"""`/kill` and `/revive`: stop everything that an agent does, and undo that.

An owner may revoke their own agents, because that only restricts. Only an administrator
may revive.
"""

from dataclasses import dataclass

import msgspec

from answerable.model.errors import AnswerableError
from answerable.presentation.inventory_lists import spelled_time
from answerable.server.revocation_list import Note
from answerable.server.revocation_records import KillRecord, put_record, read_records
from answerable.server.revocation_service import Done, Kills
from answerable.web.routing import Answer, Asked, Forbidden, Moved, Page, Route
from answerable.web.store_cache import Desk
from answerable.web.template_filters import url
from answerable.web.visitor import May, Visit

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Slot:
    """State of the kill button of an agent.

    Attributes:
        killed: Whether it is revoked.
        note: By whom and when, if known.
        kills: The visitor may revoke it.
        revives: The visitor may revive it.
    """

    subject: str
    killed: bool
    note: Note
    kills: bool
    revives: bool


def slot(desk: Desk, visit: Visit, agent: str) -> Slot:
    """Return the state of the kill button; `acts.kill_slot` renders it."""
    administers = May.ADMINISTER in visit.may
    try:
        note = Kills(desk.root, desk.config).told().get(agent)
    except AnswerableError:  # an unreadable note must not block a revocation
        note = None
    may = administers or visit.answers_for(agent)
    return Slot(agent, note is not None, note or Note(), may, administers)


def page(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """List revocations and recent actions."""
    del visit, asked
    with desk.store() as store:
        said, total = read_records(store, _SHOWN)
    values = {
        "killed": sorted(Kills(desk.root, desk.config).told().items()),
        "total": total,
        "said": [{**msgspec.structs.asdict(s), "at": spelled_time(s.at)} for s in said],
    }
    return Page("kills.html", "Kills", values)


def kill(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Revoke a subject: any as an administrator, one's own agent as an owner."""
    subject = asked.form.get("subject", "")
    if May.ADMINISTER not in visit.may and not visit.answers_for(subject):
        raise Forbidden
    reason = asked.form.get("reason", "")
    done = Kills(desk.root, desk.config).kill(subject, by_whom(visit), reason)
    # After it: a kill waits for no record, and one that is not recorded holds.
    note = _recorded(desk, visit, subject, done, reason, revived=False)
    return Moved(_back(subject), f"{_told(subject, done)}{note}")


def revive(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Revive a subject."""
    subject = asked.form.get("subject", "")
    done = Kills(desk.root, desk.config).revive(subject)
    note = _recorded(desk, visit, subject, done, revived=True)
    said = "is revived, within a second" if done.is_new else "was not killed"
    return Moved(_back(subject), f"{subject} {said}.{_but(done)}{note}")


def by_whom(visit: Visit) -> str:
    """Return the name of the requester for messages."""
    named = (visit.person or "").removeprefix("person:")
    return named or "unnamed person on the web page"


def _told(subject: str, done: Done) -> str:
    new = "is killed" if done.waits else "is killed, within a second"
    said = new if done.is_new else "was killed already"
    ended = f" Delegations ended: {len(done.ended)}." if done.ended else ""
    waits = "".join(f" {each[:1].upper()}{each[1:]}." for each in done.waits)
    return f"{subject} {said}.{ended}{waits}{_but(done)}"


def _but(done: Done) -> str:
    return f" But not everywhere: {'; '.join(done.refused)}." if done.refused else ""


def _recorded(
    desk: Desk,
    visit: Visit,
    subject: str,
    done: Done,
    reason: str = "",
    *,
    revived: bool,
) -> str:
    ended = None if done.ended is None else len(done.ended)
    by, how = visit.person or "", visit.by
    record = KillRecord(subject, by, how, revived, desk.now, reason, ended)
    try:
        with desk.store() as store:
            put_record(store, record)
    except AnswerableError as error:
        return f" Who did it could not be recorded: {error.message}."
    return ""


def _back(subject: str) -> str:
    if subject.startswith("agent:"):
        return url("/agent", id=subject)
    return "/kills"


ROUTES: tuple[Route, ...] = (
    Route("/kills", page, frozenset({May.ADMINISTER})),
    Route(
        "/kill",
        kill,
        frozenset({May.ADMINISTER, May.OWN}),
        ("subject", "reason"),
        "POST",
    ),
    Route("/revive", revive, frozenset({May.ADMINISTER}), ("subject",), "POST"),
)
