"""Granted, reachable, used and blocked actions of a subject (`reach --used`)."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from answerable.connectors.iam_catalogue.fetch import load
from answerable.lineage.stitch_inputs import JointChains
from answerable.model.action_catalogue import Catalogue
from answerable.model.connector import no_progress
from answerable.model.documents.core import Coverage, Document
from answerable.model.documents.logged_days import RecordedItem
from answerable.model.documents.permission_usage import UsedItem
from answerable.model.errors import UsageError
from answerable.model.event import Outcome
from answerable.model.inventory import Inventory
from answerable.presentation.command_hints import command
from answerable.presentation.inventory_lists import spelled_time
from answerable.reach import answer_documents, queries, subjects
from answerable.reach.aws.compiled.principal_element import owner_in
from answerable.reach.aws.evaluation.request import DENY
from answerable.reach.aws.patterns.globs import inward, matches
from answerable.reach.aws.permission_rows.row_actions import Actions, services_of
from answerable.reach.aws.permission_rows.row_types import SCOPE, make_filter, speller
from answerable.reach.formula import Verdict, verdict
from answerable.reach.queries import Reply
from answerable.services.lineage.recorded_calls import Calls, calls_of, trail_of
from answerable.services.reach.call_parsing import wanted_of
from answerable.services.reach.query_context import (
    Asked,
    Context,
    alone,
    asked_of,
    coverage_of,
    missing,
)
from answerable.services.reach.request_context import read_given
from answerable.services.reach.subject_resolution import subject_of
from answerable.services.reach.unknown_permissions import scan_command
from answerable.store.store import Store

Progress = Callable[[int, int, str], None]
_NEVER, _OPEN, _ALWAYS = Verdict.NEVER, Verdict.ONLY_IF, Verdict.ALWAYS
_UNKNOWN = Verdict.NOT_KNOWN
_RANK = {_NEVER: 0, _UNKNOWN: 1, _OPEN: 2, _ALWAYS: 3}
# A row may be open where a single action is not: patterns that overlap.
_OVERLAPS = (SCOPE, DENY)
_MOST_ROUGH = 500


@dataclass(slots=True)
class _Action:
    """Permissions and calls of one action.

    Attributes:
        granted: Verdict by the subject's own policies.
        through: Verdict through identities it can assume.
        rough: Whether patterns overlap, so that the action has to be evaluated.
        accounts: Accounts whose logs record its calls.
        used: Number of calls that were not denied.
        blocked: Number of denied calls.
        last_used: UTC nanoseconds, 0 for never.
        last_blocked: UTC nanoseconds, 0 for never.
        by: Identities that called it.
    """

    granted: Verdict = _NEVER
    through: Verdict = _NEVER
    rough: bool = False
    accounts: set[str] = field(default_factory=set)
    used: int = 0
    blocked: int = 0
    last_used: int = 0
    last_blocked: int = 0
    by: set[str] = field(default_factory=set)

    @property
    def matters(self) -> bool:
        """Whether the action is granted, reachable or was called."""
        allowed = _most(self.granted, self.through) is not _NEVER
        return allowed or bool(self.used or self.blocked)


@alone
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
    stood: Sequence[JointChains] | None = None,
    progress: Progress = no_progress,
) -> Document:
    """List the granted and reachable actions of a subject with their recorded calls.

    Args:
        subject: Agent, identity or credential: id, ARN or unambiguous name.
        now: UTC nanoseconds.
        action: Only actions that match this glob.
        direct: Leave out roles, escalation and credentials.
        context: Condition keys of the request.
        session_policy: File with the policy of the subject's own session.
        endpoint_policy: File with the policy of the VPC endpoint.
        stood: Loaded chains; None to load them.
        progress: Progress callback.

    Raises:
        UsageError: The subject is not known, no action can match, or a file holds no
            policy.
    """
    progress(0, 0, "policies")
    given = read_given(inventory.facts, context, session_policy, endpoint_policy, now)
    asked = asked_of(inventory, None, given, now, direct=direct)
    name = _subject(store, inventory, subject, stood)
    found = subjects.starts(asked.graph, inventory, name)
    rights = _Rights(asked, found)
    pairs = rights.of(action)
    progress(0, 0, "events")
    calls = calls_of(store, inventory, name, stood)
    catalogue = _catalogue(services_of(r.row for r, _ in pairs if r.row), calls)
    table = _granted(rights, pairs, catalogue)
    _count(table, catalogue, calls)
    trail = trail_of(store, catalogue)
    glob = inward(action.lower())
    kept = [
        name
        for name in sorted(table, key=str.lower)
        if matches(glob, name.lower()) and table[name].matters
    ]
    if not kept:
        wanted_of(asked, action, "*")  # an error if no action can match
    least = _UNKNOWN if found.unknown else _NEVER
    listed = []
    silent = {*found.not_collected, trail.lacks(action, rights.homes)} - {""}
    for spelled in kept:
        accounts = table[spelled].accounts or rights.homes
        lacking = trail.lacks(spelled, accounts)
        silent |= {lacking} - {""}
        since = 0 if lacking else trail.since(accounts)
        listed.append(_item(name, spelled, table[spelled], since, least))
    if not listed and found.unknown:
        lacking = trail.lacks(action, rights.homes)
        since = 0 if lacking else trail.since(rights.homes)
        listed.append(_item(name, action, _Action(), since, least))
    days = trail.recorded(rights.homes.union(*(table[n].accounts for n in kept)))
    silent |= set(_gaps(days))
    replies = [reply for reply, _ in pairs]
    coverage = _coverage(rights, replies, action, silent)
    coverage["recorded"] = days
    if trail.logs:
        coverage["seen"] = sorted({*coverage["seen"], "cloudtrail"})
    following = _next(listed) or scan_command(found.unknown)
    return Document("reach-used", listed, coverage, next=following)


def _subject(
    store: Store,
    inventory: Inventory,
    text: str,
    stood: Sequence[JointChains] | None,
) -> str:
    """Resolve the subject, which may be an identity that only the audit log knows.

    Raises:
        UsageError: The name is unknown or ambiguous.
    """
    try:
        return subject_of(inventory, text)
    except UsageError:
        named = text.strip()
        if not named.startswith("arn:") or not calls_of(store, inventory, named, stood):
            raise
        return named


_Pairs = list[tuple[Reply, bool]]


@dataclass(frozen=True, slots=True)
class _Rights:
    """Permissions of a subject."""

    asked: Asked
    found: subjects.Starts

    def of(self, action: str) -> _Pairs:
        """List the rows of an action, each with whether own policies grant it."""
        graph, wanted = self.asked.graph, make_filter(action, "*")
        return [
            (reply, len(reply.path) == len(start.hops))
            for start in self.found.starts
            for reply in subjects.known_rows(
                start,
                queries.reach(graph, start.identity, wanted, direct=self.asked.direct),
            )
        ]

    @property
    def homes(self) -> set[str]:
        """Return the accounts of the subject's own identities."""
        principals = self.asked.estate.principals
        known = (principals.get(start.identity) for start in self.found.starts)
        named = (owner_in(each.id) for each in self.found.unknown)
        return {*(p.identity.account for p in known if p), *named} - {""}


def _catalogue(services: frozenset[str] | None, calls: Sequence[Calls]) -> Catalogue:
    if services is None:
        return load()
    return load(services.union(call.action.partition(":")[0] for call in calls))


def _granted(
    rights: _Rights, pairs: _Pairs, catalogue: Catalogue
) -> dict[str, _Action]:
    """Expand rows over the catalogue; evaluate actions with overlapping patterns."""
    actions = Actions(catalogue)
    table: dict[str, _Action] = defaultdict(_Action)
    _grant(table, pairs, actions)
    rough = [name for name, found in table.items() if found.rough]
    for name in rough[:_MOST_ROUGH]:
        sharp: dict[str, _Action] = defaultdict(_Action)
        _grant(sharp, rights.of(name), actions)
        table[name] = sharp[name]
    return table


def _grant(table: dict[str, _Action], pairs: _Pairs, actions: Actions) -> None:
    for reply, own in pairs:
        if reply.row is None:
            continue
        held = verdict(reply.formula)
        rough = any(a.key in _OVERLAPS for one in reply.formula for a in one)
        account = owner_in(reply.actor)
        for entry in actions.of_row(reply.row):
            found = table[str(entry)]
            if own:
                found.granted = _most(found.granted, held)
            else:
                found.through = _most(found.through, held)
            found.rough |= rough
            found.accounts |= {account} - {""}


def _most(one: Verdict, other: Verdict) -> Verdict:
    return max(one, other, key=_RANK.__getitem__)


def _count(
    table: dict[str, _Action], catalogue: Catalogue, calls: Sequence[Calls]
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


def _item(
    subject: str, action: str, found: _Action, since: int, least: Verdict
) -> UsedItem:
    """Build the item of an action.

    Args:
        action: The action, or a pattern.
        found: Permissions and calls of it.
        since: Time since which its calls are logged, 0 if they are not.
        least: Verdict if no permission was found: `not-known` if some permissions of
            the subject were not collected.
    """
    granted = _most(found.granted, least)
    return {
        "subject": subject,
        "service": action.partition(":")[0],
        "action": action,
        "granted": granted.value,
        "reachable": _most(granted, found.through).value,
        "used": found.used if since else found.used or None,
        "last_used": _time(found.last_used),
        "used_by": sorted(found.by),
        "blocked": found.blocked if since else found.blocked or None,
        "last_blocked": _time(found.last_blocked),
        "recorded_since": _time(since),
    }


def _time(at: int) -> str | None:
    return spelled_time(at) if at else None


def _gaps(days: Sequence[RecordedItem]) -> Iterator[str]:
    """Describe the days without any recorded event."""
    for each in days:
        if each["days_without"]:
            count = each["days_without"]
            said = "1 day" if count == 1 else f"{count} days"
            yield f"cloudtrail (account {each['account']}, {said} without any event)"


def _coverage(
    rights: _Rights, replies: Sequence[Reply], action: str, silent: set[str]
) -> Coverage:
    asked = rights.asked
    spelled = speller(asked.estate.catalogue, asked.estate.written, action)
    pairs = [(reply, answer_documents.reach_item(reply, spelled)) for reply in replies]
    who = [start.identity for start in rights.found.starts]
    absent = missing(asked, pairs, action, "*", who)
    return coverage_of(asked, replies, absent | silent)


def _next(listed: Sequence[UsedItem]) -> str:
    """Suggest the service with most actions as a filter."""
    services = [item["service"] for item in listed]
    if len(set(services)) < 2:
        return ""
    most = max(dict.fromkeys(services), key=services.count)
    glob = f"{most}:*"
    return command("reach", listed[0]["subject"], "--used", "--action", glob)
