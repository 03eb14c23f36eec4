"""`reach --used`: what is granted, reachable, used and blocked, action by action."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from answerable.connectors.iam_catalogue.fetch import load
from answerable.flows.asked import (
    Asked,
    Context,
    asked_of,
    coverage_of,
    missing,
    subject_of,
)
from answerable.flows.data_events import is_data_event
from answerable.flows.given import read_given
from answerable.flows.hints import command
from answerable.flows.lists import spelled_time
from answerable.flows.stitch import stitched
from answerable.model.catalogue import Catalogue
from answerable.model.connector import no_progress
from answerable.model.document import Coverage, Document, UsedItem
from answerable.model.event import Outcome
from answerable.model.ids import AgentId, CredentialId, IdentityId
from answerable.model.inventory import Inventory
from answerable.model.lineage import Chain
from answerable.reach import items, questions, subjects
from answerable.reach.formula import Verdict, verdict
from answerable.reach.globs import inward, matches
from answerable.reach.granted import Actions, services_of
from answerable.reach.questions import Reply
from answerable.reach.rows import make_filter, speller
from answerable.store.chains import Recorded, count_calls, recorded
from answerable.store.store import Store

Progress = Callable[[int, int, str], None]
_NEVER, _OPEN, _ALWAYS = Verdict.NEVER, Verdict.ONLY_IF, Verdict.ALWAYS
_RANK = {_NEVER: 0, _OPEN: 1, _ALWAYS: 2}


@dataclass(slots=True)
class _Action:
    """What is known of one action.

    Attributes:
        granted: By the subject's own policies.
        reachable: Also through whom it can become.
        accounts: Accounts whose trails record its calls.
        used: How often it was called and not refused.
        blocked: How often it was refused.
        last_used: UTC nanoseconds, 0 for never.
        last_blocked: Likewise.
        by: Identities that called it.
    """

    granted: Verdict = _NEVER
    reachable: Verdict = _NEVER
    accounts: set[str] = field(default_factory=set)
    used: int = 0
    blocked: int = 0
    last_used: int = 0
    last_blocked: int = 0
    by: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the subject can do.

    Attributes:
        replies: Pairs of a row and whether the subject's own policies grant it.
        homes: Accounts of the identities the subject begins with.
        not_collected: What is missing to know all of these.
    """

    replies: tuple[tuple[Reply, bool], ...]
    homes: frozenset[str]
    not_collected: tuple[str, ...]


def used(
    store: Store,
    inventory: Inventory,
    subject: str,
    *,
    now: int,
    action: str = "*",
    direct: bool = False,
    context: Context = None,
    session_policy: str = "",
    endpoint_policy: str = "",
    progress: Progress = no_progress,
) -> Document:
    """List the actions a subject is granted or can come to, and what it does with them.

    Args:
        store: Holds the trail.
        inventory: The snapshot.
        subject: Agent, identity or credential: id, ARN or unambiguous name.
        now: UTC nanoseconds.
        action: Only actions that match this glob.
        direct: Leave out roles, escalation and credentials.
        context: Condition keys of the request.
        session_policy: File with the policy of the subject's own session.
        endpoint_policy: File with the policy of the VPC endpoint.
        progress: Called with what is done.

    Raises:
        UsageError: The subject is not known, its principal was not collected, or a
            file holds no policy.
    """
    progress(0, 0, "policies")
    given = read_given(context, session_policy, endpoint_policy, now)
    asked = asked_of(inventory, subjects.services_of(inventory.facts), given, now)
    name = subject_of(inventory, subject)
    answers = _answers(asked, name, action, direct=direct)
    progress(0, 0, "events")
    calls = _calls(store, _acts(inventory, name))
    rows = [reply.row for reply, _ in answers.replies if reply.row]
    catalogue = _catalogue(services_of(rows), calls)
    table: dict[str, _Action] = defaultdict(_Action)
    _grant(table, catalogue, answers)
    _count(table, catalogue, calls)
    trail = _Trail(recorded(store), catalogue, answers.homes)
    glob = inward(action.lower())
    table = {a: table[a] for a in sorted(table, key=str.lower) if _fits(glob, a)}
    listed = [_item(name, action, found, trail) for action, found in table.items()]
    silent = {trail.lacks(action, found) for action, found in table.items()}
    coverage = _coverage(asked, answers, action, silent - {""})
    if trail.logs:
        coverage["seen"] = sorted({*coverage["seen"], "cloudtrail"})
    return Document("reach-used", listed, coverage, next=_next(listed))


def _fits(glob: str, action: str) -> bool:
    return matches(glob, action.lower())


def _answers(asked: Asked, subject: str, action: str, *, direct: bool) -> _Answers:
    graph = asked.graph
    found = subjects.starts(graph, asked.inventory, subject)
    wanted = make_filter(action, "*")
    pairs = [
        (subjects.through(start, reply), not reply.path)
        for start in found.starts
        for reply in questions.reach(graph, start.identity, wanted, direct=direct)
    ]
    homes = (_account(asked, start.identity) for start in found.starts)
    return _Answers(tuple(pairs), frozenset(homes), found.not_collected)


def _account(asked: Asked, identity: IdentityId) -> str:
    principal = asked.estate.principals.get(identity)
    return principal.identity.account if principal else ""


def _acts(inventory: Inventory, subject: str) -> Callable[[Chain], bool]:
    """Tell the chains in which a subject acts, by itself or as whom it became."""
    if AgentId(subject) in inventory.agents:
        return lambda chain: subject in chain.agent_path
    if CredentialId(subject) in inventory.credentials:
        return lambda chain: (
            subject in chain.credential_path or chain.key.credential == subject
        )
    return lambda chain: subject in chain.identity_path


@dataclass(frozen=True, slots=True)
class _Calls:
    """Calls of one action as one identity."""

    action: str
    identity: str
    outcome: Outcome
    count: int
    last: int


def _calls(store: Store, acts: Callable[[Chain], bool]) -> list[_Calls]:
    """Count the calls a platform or a mediator recorded."""
    chains = [
        (each.joint, chain)
        for each in stitched(store)
        if each.joint.believed
        for chain in each.chains
        if acts(chain)
    ]
    if not chains:
        return []
    keys = [(joint, chain.valid_from, chain.valid_to) for joint, chain in chains]
    return [
        _Calls(
            call.action,
            chains[call.key][1].identity.value,
            call.outcome,
            call.count,
            call.last,
        )
        for call in count_calls(store, keys)
    ]


def _catalogue(services: frozenset[str] | None, calls: Sequence[_Calls]) -> Catalogue:
    if services is None:
        return load()
    return load(services.union(call.action.partition(":")[0] for call in calls))


def _grant(table: dict[str, _Action], catalogue: Catalogue, answers: _Answers) -> None:
    actions = Actions(catalogue)
    for reply, own in answers.replies:
        if reply.row is None:
            continue
        held = verdict(reply.formula)
        account = reply.actor.split(":", 5)[4:5]
        for entry in actions.of_row(reply.row):
            found = table[str(entry)]
            found.reachable = max(found.reachable, held, key=_RANK.__getitem__)
            if own:
                found.granted = max(found.granted, held, key=_RANK.__getitem__)
            found.accounts.update(account)


def _count(
    table: dict[str, _Action], catalogue: Catalogue, calls: Sequence[_Calls]
) -> None:
    for call in calls:
        found = table[str(catalogue.action(call.action) or call.action)]
        if call.outcome is Outcome.DENIED:
            found.blocked += call.count
            found.last_blocked = max(found.last_blocked, call.last)
        else:
            found.used += call.count
            found.last_used = max(found.last_used, call.last)
            found.by.update(filter(None, [call.identity]))


@dataclass(frozen=True, slots=True)
class _Trail:
    """What the logs can tell.

    Attributes:
        logs: What is logged, by account.
        catalogue: Tells which calls are data events.
        homes: Accounts of the subject's own identities.
    """

    logs: Mapping[str, Recorded]
    catalogue: Catalogue
    homes: frozenset[str]

    def accounts(self, found: _Action) -> set[str]:
        """List the accounts in which calls of an action are recorded."""
        return found.accounts or set(self.homes)

    def lacks(self, action: str, found: _Action) -> str:
        """Name what would have to be logged for silence to mean unused."""
        accounts = self.accounts(found)
        if not accounts or not accounts <= self.logs.keys():
            return "cloudtrail"
        service = action.partition(":")[0]
        if is_data_event(self.catalogue, action) and not all(
            service in self.logs[account].data for account in accounts
        ):
            return "data-events"
        return ""

    def since(self, found: _Action) -> int:
        """Tell since when all of these accounts are logged."""
        return max(self.logs[account].since for account in self.accounts(found))


def _item(subject: str, action: str, found: _Action, trail: _Trail) -> UsedItem:
    told = not trail.lacks(action, found)
    seen = told or bool(found.used or found.blocked)
    return {
        "subject": subject,
        "service": action.partition(":")[0],
        "action": action,
        "granted": found.granted.value,
        "reachable": found.reachable.value,
        "used": found.used if seen else None,
        "last_used": _time(found.last_used),
        "used_by": sorted(found.by),
        "blocked": found.blocked if seen else None,
        "last_blocked": _time(found.last_blocked),
        "recorded_since": _time(trail.since(found)) if told else None,
    }


def _time(at: int) -> str | None:
    return spelled_time(at) if at else None


def _coverage(
    asked: Asked, answers: _Answers, action: str, silent: set[str]
) -> Coverage:
    replies = [reply for reply, _ in answers.replies]
    spelled = speller(asked.estate.catalogue, asked.estate.written, action)
    pairs = [(reply, items.reach_item(reply, spelled)) for reply in replies]
    absent = missing(asked, pairs, action, "*") | set(answers.not_collected)
    return coverage_of(asked, replies, absent | silent)


def _next(listed: Sequence[UsedItem]) -> str:
    """Suggest narrowing a list to the service it has most of."""
    services = [item["service"] for item in listed]
    if len(set(services)) < 2:
        return ""
    most = max(dict.fromkeys(services), key=services.count)
    glob = f"{most}:*"
    return command("reach", listed[0]["subject"], "--used", "--action", glob)
