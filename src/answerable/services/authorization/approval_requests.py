"""Approval requests (`asks`): blocked acts of agents, and their owners' answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from answerable.authorization.exception_validity import Judged
from answerable.authorization.policy_exceptions import BY_OWNER
from answerable.model.approval_request import Wanted
from answerable.model.decision import Effect
from answerable.model.documents.approval_requests import AmendmentItem, AskItem
from answerable.model.documents.core import Document
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.model.owner_key import Statement, StatementType
from answerable.model.policy_exception import ANY, FOREVER, NO_ARGUMENTS, Fallen
from answerable.presentation.command_hints import command
from answerable.presentation.inventory_lists import spelled_time
from answerable.services.authorization import decision_records
from answerable.services.authorization.decision_items import coverage_of
from answerable.services.authorization.decision_records import Spooled
from answerable.services.statements.policy_exceptions import Held, held
from answerable.store.decision_queries import held_acts, stored_among
from answerable.store.store import Store

ASK_LIFE = 86_400 * 10**9  # a request expires after a day
MOST = 20_000  # acts that are listed, newest first
MOST_SAID = 1000  # limit for self-reported acts of client hooks
STATES = ("open", "allowed", "refused", "expired")


@dataclass(frozen=True, slots=True)
class Newest:
    """Newest decision on an act.

    Attributes:
        at: Time of the decision, UTC nanoseconds.
        reason: Reason of the block.
    """

    decision_id: str
    at: int
    event_id: bytes
    reason: str
    written_by: str

    @property
    def place(self) -> tuple[int, bytes]:
        """Sort key among decisions."""
        return self.at, self.event_id


@dataclass(frozen=True, slots=True)
class Ask:
    """Approval request: all decisions on one act of one agent.

    Attributes:
        newest: The newest decision.
        first: Time of the first decision, UTC nanoseconds.
        count: Number of decisions.
        named: Id of the decision that was looked up, else of the newest. The signed
            statement names it; it does not change when the agent tries again.
    """

    wanted: Wanted
    newest: Newest
    first: int
    count: int
    named: str


def asks(
    store: Store,
    spool: decision_records.Where,
    *,
    now: int,
    since: int,
    state: str = "",
    agent: str = "",
) -> Document:
    """List approval requests, newest first.

    Args:
        store: Store of decisions and answers.
        spool: Spool of decisions that are not shipped yet; None if there is none.
        now: UTC nanoseconds.
        since: Earliest decision time, UTC nanoseconds.
        state: Only requests in that state; empty for all.
        agent: Only requests of this agent; empty for all.
    """
    waiting = decision_records.spooled(spool)
    said = held(store, now)
    items = [item(each, said, now) for each in _gathered(store, waiting, since, agent)]
    kept = [each for each in items if state in ("", each["state"])]
    first = next((each for each in kept if each["state"] == "open"), None)
    following = command("asks", "show", first["id"]) if first else ""
    searched = ""
    if not kept:
        every = _gathered(store, waiting, since) if agent else items
        count = f"none of {len(every)}" if every else "there is none"
        searched = f"{count} since {spelled_time(since)}"
    covered = coverage_of(store, waiting)
    return Document("asks", kept, covered, next=following, searched=searched)


def show(
    store: Store, spool: decision_records.Where, text: str, *, now: int
) -> Document:
    """Show one approval request, found by the id of any of its decisions.

    Raises:
        UsageError: The decision does not exist, or an owner cannot lift it.
    """
    waiting = decision_records.spooled(spool)
    ask = find(store, waiting, text)
    said = held(store, now)
    shown = item(ask, said, now)
    following = ""
    if shown["state"] != "allowed":
        following = command("asks", "allow", shown["id"], "--key", "KEY", "--for", "1h")
    return Document("asks", [shown], coverage_of(store, waiting), next=following)


def find(store: Store, waiting: Spooled, text: str) -> Ask:
    """Find the approval request that a decision belongs to.

    Raises:
        UsageError: The decision does not exist, or an owner cannot lift it.
    """
    event = decision_records.find(store, waiting, text)[0].event
    ask = _ask_of(event)
    if ask is None:
        said = decision_records.facts_of(event)
        raise UsageError(
            f"the decision {event.decision_id} is nothing that an owner may lift alone "
            f"(its reason is {said.get('reason', 'not told')!r}, expected "
            f"{', '.join(sorted(BY_OWNER))})",
            command("decision", event.decision_id),
        )
    since = event.event_time - ASK_LIFE
    alike = _gathered(store, waiting, since, ask.wanted.agent)
    whole = next((each for each in alike if each.wanted == ask.wanted), ask)
    return replace(whole, named=event.decision_id)


def _gathered(store: Store, waiting: Spooled, since: int, agent: str = "") -> list[Ask]:
    """Group blocked decisions by act, newest first."""
    found: dict[Wanted, Ask] = {}
    # Separate limits, so that many self-reported acts hide no other ones.
    for believed, most in ((True, MOST), (False, MOST_SAID)):
        for act in held_acts(
            store, BY_OWNER, since=since, limit=most, believed=believed, agent=agent
        ):
            wanted = decision_records.wanted_by(act, act.target, act.arguments)
            if wanted is not None:
                newest = Newest(
                    act.decision_id, act.at, act.event_id, act.reason, act.written_by
                )
                ask = Ask(wanted, newest, act.first, act.count, act.decision_id)
                found[wanted] = _joined(found.get(wanted), ask)
    fresh = [e for e in waiting.events if e.event_time >= since and _was_held(e)]
    known = stored_among(store, fresh)
    for event in fresh:
        one = _ask_of(event)
        if one is None or event.raw_sha256 in known:
            continue
        if agent in ("", one.wanted.agent):
            found[one.wanted] = _joined(found.get(one.wanted), one)
    return sorted(found.values(), key=lambda each: each.newest.place, reverse=True)


def _ask_of(event: AuditEvent) -> Ask | None:
    """Build the approval request of one decision; None if an owner cannot lift it."""
    wanted = decision_records.wanted_of(event)
    if wanted is None or not _was_held(event):
        return None
    reason = decision_records.facts_of(event).get("reason", "")
    newest = Newest(
        event.decision_id,
        event.event_time,
        event.event_id,
        reason,
        event.written_by.value,
    )
    return Ask(wanted, newest, event.event_time, 1, event.decision_id)


def _joined(one: Ask | None, other: Ask) -> Ask:
    if one is None:
        return other
    newest = max(one.newest, other.newest, key=lambda each: each.place)
    return Ask(
        one.wanted,
        newest,
        min(one.first, other.first),
        one.count + other.count,
        newest.decision_id,
    )


def _was_held(event: AuditEvent) -> bool:
    """Return whether the decision was blocked for a reason that an owner can lift."""
    said = decision_records.facts_of(event)
    effect = said.get("effect")
    held_back = effect in (Effect.ASK, Effect.DENY) and "ended" not in said
    return held_back and said.get("reason") in BY_OWNER


def item(ask: Ask, said: Held, now: int) -> AskItem:
    """Build the document item of an approval request."""
    wanted = ask.wanted
    owner = said.owners.get(wanted.agent)
    shown: AskItem = {
        "id": ask.newest.decision_id,
        "agent": wanted.agent,
        "owner": owner.person if owner else None,
        "server": wanted.server,
        "target": wanted.target.value,
        "name": wanted.name,
        "arguments": wanted.arguments or None,
        "reason": ask.newest.reason,
        "written_by": ask.newest.written_by,
        "count": ask.count,
        "first": spelled_time(ask.first),
        "last": spelled_time(ask.newest.at),
        "state": "open",
        "by": [],
        "until": None,
        "amendment": None,
    }
    standing = [
        each
        for each in said.judged
        if each.fallen is None and fits(each.said.statement, wanted)
    ]
    if standing:
        allowed = standing[-1].amendment
        shown["state"], shown["by"] = "allowed", list(allowed.persons)
        shown["amendment"] = allowed.id
        shown["until"] = spelled_time(allowed.until * 10**9) if allowed.until else None
    elif (refused := _refused(said, wanted)) is not None:
        shown["state"], shown["by"] = "refused", [refused.claim("person")]
    elif now - ask.newest.at > ASK_LIFE:
        shown["state"] = "expired"
    return shown


def _refused(said: Held, wanted: Wanted) -> Statement | None:
    """Return the owner's refusal if it is the latest statement on an act."""
    words = [
        each.statement
        for each in said.said
        if each.statement.type
        in (StatementType.AMENDMENT, StatementType.AMENDMENT_REFUSED)
        and fits(each.statement, wanted)
        and said.who.owns(each.key.person, wanted.agent)
    ]
    if not words or words[-1].type is not StatementType.AMENDMENT_REFUSED:
        return None
    return words[-1]


def fits(statement: Statement, wanted: Wanted) -> bool:
    """Return whether a statement is about an act."""
    named = (wanted.agent, wanted.server, wanted.target.value, wanted.name)
    said = tuple(statement.claim(each) for each in ("server", "target", "name"))
    arguments = statement.claim("arguments")
    digest = wanted.arguments or NO_ARGUMENTS
    return (statement.subject, *said) == named and arguments in (ANY, digest)


def amendments(store: Store, *, now: int) -> Document:
    """List all signed policy exceptions, newest first."""
    said = held(store, now)
    items = [amendment_item(each) for each in reversed(said.judged)]
    searched = ""
    if said.unheld and not items:
        searched = f"{len(said.unheld)} signed; of the newest: {said.unheld[-1].why}"
    return Document(
        "amendments", items, coverage_of(store, Spooled()), searched=searched
    )


def amendment_item(judged: Judged) -> AmendmentItem:
    """Build the document item of a policy exception."""
    amendment, said = judged.amendment, judged.said.statement
    until = said.claim("until")
    return {
        "id": amendment.id,
        "kind": amendment.kind.value,
        "agent": amendment.agent,
        "server": amendment.server,
        "target": amendment.target.value,
        "name": amendment.name,
        "arguments": amendment.arguments or None,
        "persons": list(amendment.persons),
        "signed_at": spelled_time(said.signed_at),
        "until": None if until == FOREVER else spelled_time(int(until)),
        "code": said.claim("code") or None,
        "decision": said.claim("decision") or None,
        "state": _state(judged.fallen),
    }


def _state(fallen: Fallen | None) -> str:
    if fallen is None:
        return "standing"
    return "open" if fallen is Fallen.UNCONFIRMED else fallen.value


def find_amendment(judged: Sequence[Judged], text: str) -> Judged:
    """Find a policy exception by its id or an unambiguous prefix of it.

    Raises:
        UsageError: There is none, or the prefix is ambiguous.
    """
    asked = text.strip().lower().removeprefix("amendment:")
    found = [each for each in judged if each.amendment.id.startswith(asked)]
    if len(asked) < decision_records.SHORTEST or len(found) != 1:
        raise UsageError(
            f"no amendment, or more than one, is called {asked[:80]!r} (expected its "
            f"id, or the first {decision_records.SHORTEST} letters of it)",
            "see `answerable asks amendments`",
        )
    return found[0]
