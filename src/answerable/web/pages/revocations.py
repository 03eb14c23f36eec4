"""`/kill` and `/revive`: stop everything that an agent does, and undo that.

An owner may revoke their own agents, because that only restricts. Only an administrator
may revive.
"""

from dataclasses import dataclass

import msgspec

from answerable.model.errors import AnswerableError
from answerable.presentation.inventory_lists import format_time
from answerable.server.revocation_list import RevocationNote
from answerable.server.revocation_records import (
    RevocationRecord,
    put_record,
    read_records,
)
from answerable.server.revocation_service import RevocationResult, RevocationService
from answerable.web.routing import (
    Forbidden,
    PageAnswer,
    Redirect,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

_MAX_RECORDS = 100


@dataclass(frozen=True, slots=True)
class RevocationControl:
    """State of the kill button of an agent.

    Attributes:
        killed: Whether it is revoked.
        note: By whom and when, if known.
        kills: The visitor may revoke it.
        revives: The visitor may revive it.
    """

    subject: str
    killed: bool
    note: RevocationNote
    kills: bool
    revives: bool


def revocation_control(
    desk: StoreCache, visit: Visitor, agent: str
) -> RevocationControl:
    """Return the state of the kill button; `acts.kill_slot` renders it."""
    administers = WebPermission.ADMINISTER in visit.may
    try:
        note = RevocationService(desk.root, desk.config).list_revoked().get(agent)
    except AnswerableError:  # an unreadable note must not block a revocation
        note = None
    may = administers or visit.answers_for(agent)
    return RevocationControl(
        agent, note is not None, note or RevocationNote(), may, administers
    )


def list_revocations(
    desk: StoreCache, visit: Visitor, asked: RouteRequest
) -> RouteAnswer:
    """List revocations and recent actions."""
    del visit, asked
    with desk.open_store() as store:
        said, total = read_records(store, _MAX_RECORDS)
    values = {
        "killed": sorted(
            RevocationService(desk.root, desk.config).list_revoked().items()
        ),
        "total": total,
        "said": [{**msgspec.structs.asdict(s), "at": format_time(s.at)} for s in said],
    }
    return PageAnswer("kills.html", "Kills", values)


def revoke(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Revoke a subject: any as an administrator, one's own agent as an owner."""
    subject = asked.form.get("subject", "")
    if WebPermission.ADMINISTER not in visit.may and not visit.answers_for(subject):
        raise Forbidden
    reason = asked.form.get("reason", "")
    done = RevocationService(desk.root, desk.config).revoke(
        subject, requester_name(visit), reason
    )
    # After it: a kill waits for no record, and one that is not recorded holds.
    note = _record_action(desk, visit, subject, done, reason, revived=False)
    return Redirect(_return_path(subject), f"{_describe_result(subject, done)}{note}")


def revive(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Revive a subject."""
    subject = asked.form.get("subject", "")
    done = RevocationService(desk.root, desk.config).reinstate(subject)
    note = _record_action(desk, visit, subject, done, revived=True)
    said = "is revived, within a second" if done.is_new else "was not killed"
    return Redirect(
        _return_path(subject), f"{subject} {said}.{_describe_failures(done)}{note}"
    )


def requester_name(visit: Visitor) -> str:
    """Return the name of the requester for messages."""
    named = (visit.person or "").removeprefix("person:")
    return named or "unnamed person on the web page"


def _describe_result(subject: str, done: RevocationResult) -> str:
    new = "is killed" if done.waits else "is killed, within a second"
    said = new if done.is_new else "was killed already"
    ended = f" Delegations ended: {len(done.ended)}." if done.ended else ""
    waits = "".join(f" {each[:1].upper()}{each[1:]}." for each in done.waits)
    return f"{subject} {said}.{ended}{waits}{_describe_failures(done)}"


def _describe_failures(done: RevocationResult) -> str:
    return f" But not everywhere: {'; '.join(done.refused)}." if done.refused else ""


def _record_action(
    desk: StoreCache,
    visit: Visitor,
    subject: str,
    done: RevocationResult,
    reason: str = "",
    *,
    revived: bool,
) -> str:
    ended = None if done.ended is None else len(done.ended)
    by, how = visit.person or "", visit.by
    record = RevocationRecord(
        subject=subject,
        by=by,
        how=how,
        revived=revived,
        at=desk.now,
        reason=reason,
        ended=ended,
    )
    try:
        with desk.open_store() as store:
            put_record(store, record)
    except AnswerableError as error:
        return f" Who did it could not be recorded: {error.message}."
    return ""


def _return_path(subject: str) -> str:
    if subject.startswith("agent:"):
        return build_url("/agent", id=subject)
    return "/kills"


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/kills", list_revocations, frozenset({WebPermission.ADMINISTER})),
    WebRoute(
        "/kill",
        revoke,
        frozenset({WebPermission.ADMINISTER, WebPermission.OWN}),
        ("subject", "reason"),
        "POST",
    ),
    WebRoute(
        "/revive", revive, frozenset({WebPermission.ADMINISTER}), ("subject",), "POST"
    ),
)
