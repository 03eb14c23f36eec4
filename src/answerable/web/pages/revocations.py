"""`/kill` and `/revive`: kill an agent or another subject, and revoke a kill.

An owner may revoke their own agents, because that only restricts. Only an administrator
may revive.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from answerable.inventory.unknown_subjects import describe_unknown_subject
from answerable.model.errors import AnswerableError
from answerable.model.ids import AgentId
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.credential_revocation import revocation_effect
from answerable.server.kills_in_force import group_kills
from answerable.server.revocation_effects import describe_kill
from answerable.server.revocation_list import RevocationNote
from answerable.server.revocation_records import (
    RevocationRecord,
    put_revocation_record,
    read_revocation_records,
)
from answerable.server.revocation_service import RevocationResult, RevocationService
from answerable.web.killed_subjects import read_killed_subjects
from answerable.web.pages import inventory_list_definitions
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
_MAX_CREDENTIALS = 50
_ACTING = frozenset({WebPermission.OWN, WebPermission.ADMINISTER})
_ASKING = _ACTING | {WebPermission.INVESTIGATE}
_ORPHANED = ("none", "not-known", "owner-left", "ambiguous", "team-only")


@dataclass(frozen=True, slots=True)
class RevocationControl:
    """State of the kill button of an agent.

    Attributes:
        killed: Whether it is revoked; None if that is not known.
        note: By whom and when, if known.
        kills: The visitor may revoke it.
        revives: The visitor may revive it.
    """

    subject: str
    killed: bool | None
    note: RevocationNote
    kills: bool
    revives: bool


def build_revocation_control(
    cache: StoreCache, visitor: Visitor, agent: str
) -> RevocationControl:
    """Return the state of the kill button of an agent."""
    administers = WebPermission.ADMINISTER in visitor.may
    note, killed = RevocationNote(), None
    with suppress(AnswerableError):  # an unreadable file must not block a revocation
        revoked = RevocationService(cache.root, cache.config).list_revoked()
        note, killed = revoked.get(agent, note), agent in revoked
    may = administers or visitor.answers_for(agent)
    return RevocationControl(agent, killed, note, may, administers)


@dataclass(frozen=True, slots=True)
class RowActions:
    """Killed state of list rows, and links to the actions of a visitor on each.

    Attributes:
        killed: Ids of killed subjects; None if they are not known.
        visitor: The visitor.
    """

    killed: frozenset[str] | None
    visitor: Visitor

    @property
    def exist(self) -> bool:
        """Return whether the visitor may act on any row."""
        return bool(self.visitor.may & _ACTING)

    @property
    def asks(self) -> bool:
        """Return whether the visitor may select rows, to record or ask for owners."""
        return bool(self.visitor.may & _ASKING)

    def list_links(self, item: Mapping[str, Any]) -> list[tuple[str, str]]:
        """List label and URL of each action on an agent or identity."""
        key, visitor = item["id"], self.visitor
        links = []
        state = item.get("owner", {}).get("state")
        if WebPermission.OWN in visitor.may and visitor.person and state in _ORPHANED:
            links.append(("record owner", build_url("/sign", act="attest", id=key)))
        kills = WebPermission.ADMINISTER in visitor.may or visitor.answers_for(key)
        if kills and key.startswith("agent:") and key not in (self.killed or ()):
            links.append(("kill", build_url("/kill", subject=key)))
        return links


def load_row_actions(cache: StoreCache, visitor: Visitor) -> RowActions:
    """Load the kills in force for a list."""
    return RowActions(read_killed_subjects(cache), visitor)


def show_kill(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show the effect of a kill of an agent, with a form for its reason."""
    agent = request.query.get("subject", "")
    slot = build_revocation_control(cache, visitor, agent)
    if not slot.kills or agent not in inventory_list_definitions.agents(cache).by_key:
        raise Forbidden
    entity = cache.current_view().inventory.agents.get(AgentId(agent))
    held = (
        [] if entity is None else [c for use in entity.tools for c in use.credentials]
    )
    known = inventory_list_definitions.credentials(cache).by_key
    credentials = [known[key] for key in dict.fromkeys(held) if key in known]
    values = {
        "slot": slot,
        "credentials": [
            (item, revocation_effect(item["kind"]))
            for item in credentials[:_MAX_CREDENTIALS]
        ],
        "more": max(0, len(credentials) - _MAX_CREDENTIALS),
        "scanned": entity is not None,
        "coverage": inventory_list_definitions.build_coverage_document(
            cache, "credentials"
        ).coverage,
    }
    return PageAnswer("kill.html", "Kill", values)


def list_revocations(
    cache: StoreCache, _visitor: Visitor, _request: RouteRequest
) -> RouteAnswer:
    """List the kills in force with what ended by each, and the records of recent ones."""
    with cache.open_store() as store:
        said, total = read_revocation_records(store, _MAX_RECORDS)
    values = {
        "killed": group_kills(
            RevocationService(cache.root, cache.config).list_revoked()
        ),
        "total": total,
        "said": [{**msgspec.structs.asdict(s), "at": format_time(s.at)} for s in said],
    }
    return PageAnswer("kills.html", "Kills", values)


def revoke(cache: StoreCache, visitor: Visitor, request: RouteRequest) -> RouteAnswer:
    """Revoke a subject: any as administrator, an own agent as owner."""
    subject = request.form.get("subject", "")
    if WebPermission.ADMINISTER not in visitor.may and not visitor.answers_for(subject):
        raise Forbidden
    reason = request.form.get("reason", "")
    result = RevocationService(cache.root, cache.config).revoke(
        subject, get_requester_name(visitor), reason
    )
    # The kill comes first: it holds even if its record fails.
    note = _record_revocation(cache, visitor, subject, result, reason, revived=False)
    inventory = cache.current_view().inventory
    unknown = describe_unknown_subject(inventory, subject)
    doubt = f" Warning: {unknown}" if unknown else ""
    # A misspelled agent has no page.
    back = "/kills" if unknown else _get_return_path(subject)
    return Redirect(back, f"{_describe_revocation(subject, result)}{note}{doubt}")


def revive(cache: StoreCache, visitor: Visitor, request: RouteRequest) -> RouteAnswer:
    """Revoke the kill of a subject, so that it can act again."""
    subject = request.form.get("subject", "")
    result = RevocationService(cache.root, cache.config).reinstate(subject)
    note = _record_revocation(cache, visitor, subject, result, revived=True)
    outcome = "is revived, within a second" if result.is_new else "was not killed"
    return Redirect(
        _get_return_path(subject),
        f"{subject} {outcome}.{_describe_failures(result)}{note}",
    )


def get_requester_name(visitor: Visitor) -> str:
    """Return the name of the visitor for messages and records."""
    named = (visitor.person or "").removeprefix("person:")
    return named or "unnamed person on the web page"


def _describe_revocation(subject: str, result: RevocationResult) -> str:
    """Describe a revocation: new or not, delegations ended, failures."""
    ended = f" Delegations ended: {len(result.ended)}." if result.ended else ""
    waits = "".join(f" {each[:1].upper()}{each[1:]}." for each in result.waits)
    return f"{subject} is {describe_kill(result)}.{ended}{waits}{_describe_failures(result)}"


def _describe_failures(result: RevocationResult) -> str:
    """Describe the services that did not apply a revocation."""
    return (
        f" The change did not take effect at all servers: {'; '.join(result.refused)}."
        if result.refused
        else ""
    )


def _record_revocation(
    cache: StoreCache,
    visitor: Visitor,
    subject: str,
    result: RevocationResult,
    reason: str = "",
    *,
    revived: bool,
) -> str:
    """Record a revocation in the store; return a note if that fails."""
    ended = None if result.ended is None else len(result.ended)
    by, how = visitor.person or "", visitor.by
    record = RevocationRecord(
        subject=subject,
        by=by,
        how=how,
        revived=revived,
        at=cache.now,
        reason=reason,
        ended=ended,
    )
    try:
        with cache.open_store() as store:
            put_revocation_record(store, record)
    except AnswerableError as error:
        return f" The author could not be recorded: {error.message}."
    return ""


def _get_return_path(subject: str) -> str:
    """Return the page to show after an action."""
    if subject.startswith("agent:"):
        return build_url("/agent", id=subject)
    return "/kills"


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/kills", list_revocations, frozenset({WebPermission.ADMINISTER})),
    WebRoute("/kill", show_kill, _ACTING, ("subject",)),
    WebRoute(
        "/kill",
        revoke,
        frozenset({WebPermission.ADMINISTER, WebPermission.OWN}),
        ("subject", "reason"),
        "POST",
        labels={"subject": "subject", "reason": "reason"},
    ),
    WebRoute(
        "/revive", revive, frozenset({WebPermission.ADMINISTER}), ("subject",), "POST"
    ),
)
