"""Compare granted and reachable actions with recorded calls (`reach --used`)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.documents.logged_days import LoggedDaysItem
from answerable.model.documents.permission_usage import ActionUsageItem
from answerable.model.documents.shared_shapes import CoverageRecord, Document
from answerable.model.errors import UsageError
from answerable.model.event import EventOutcome
from answerable.model.inventory import Inventory
from answerable.model.policy import PolicyLayer
from answerable.model.progress import ProgressCallback, ignore_progress_report
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.command_hints import format_command
from answerable.reach import subject_identities
from answerable.reach.aws import answer_items, subject_answers, subject_queries
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.reach.aws.evaluation.request import DENY_KEY
from answerable.reach.aws.patterns.glob_matching import encode_glob, matches_glob
from answerable.reach.aws.permission_rows.row_action_expansion import (
    ActionMatcher,
    list_services_of_rows,
)
from answerable.reach.aws.permission_rows.row_types import (
    SCOPE,
    build_action_formatter,
    parse_row_filter,
)
from answerable.reach.aws.query_context import (
    ConditionContext,
    QueryContext,
    list_missing_data_for_answers,
)
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.condition_formula import Verdict, get_verdict
from answerable.reach.platform import Question
from answerable.services.lineage.recorded_calls import (
    CallCount,
    count_recorded_calls,
    read_log_coverage,
)
from answerable.services.reach.aws_queries import (
    build_query_coverage,
    find_subject_identities,
)
from answerable.services.reach.compiled_snapshots import serialize_queries
from answerable.services.reach.platform_registry import AWS
from answerable.services.reach.stated_request_context import read_stated_policy
from answerable.services.reach.subject_resolution import resolve_subject
from answerable.services.reach.unknown_verdict_rows import suggest_scan_command
from answerable.store.store import EvidenceStore

_NEVER, _OPEN, _ALWAYS = Verdict.NEVER, Verdict.ONLY_IF, Verdict.ALWAYS
_UNKNOWN = Verdict.NOT_KNOWN
_RANK = {_NEVER: 0, _UNKNOWN: 1, _OPEN: 2, _ALWAYS: 3}
# A row may be open where a single action is not: patterns that overlap.
_OVERLAPS = (SCOPE, DENY_KEY)
_MAX_EVALUATED = 500


@dataclass(slots=True)
class _ActionUsage:
    """Permissions and calls of one action.

    Attributes:
        granted: Verdict by the subject's own policies.
        through_other_identities: Verdict through identities it can assume.
        is_overlapping: Whether patterns overlap, so that the action has to be evaluated.
        accounts: Accounts whose logs record its calls.
        used: Number of calls that were not denied.
        blocked: Number of denied calls.
        last_used: UTC nanoseconds, 0 for never.
        last_blocked: UTC nanoseconds, 0 for never.
        by: Identities that called it.
    """

    granted: Verdict = _NEVER
    through_other_identities: Verdict = _NEVER
    is_overlapping: bool = False
    accounts: set[str] = field(default_factory=set)
    used: int = 0
    blocked: int = 0
    last_used: int = 0
    last_blocked: int = 0
    by: set[str] = field(default_factory=set)

    @property
    def is_relevant(self) -> bool:
        """True if the action is granted, reachable or was called."""
        allowed = (
            _more_permissive_verdict(self.granted, self.through_other_identities)
            is not _NEVER
        )
        return allowed or bool(self.used or self.blocked)


@serialize_queries
def list_used_actions(
    store: EvidenceStore,
    inventory: Inventory,
    subject: str,
    *,
    now: int,
    action: str = "*",
    direct: bool = False,
    context: ConditionContext | None = None,
    session_policy: str = "",
    endpoint_policy: str = "",
    chains: Sequence[ChainTimeline] | None = None,
    progress: ProgressCallback = ignore_progress_report,
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
        chains: Loaded chains; None to load them.
        progress: Progress callback.

    Raises:
        UsageError: The subject is not known, no action can match, or a file holds no
            policy.
    """
    progress(0, 0, "policies")
    question = Question(
        now,
        context=context or {},
        session_policy=read_stated_policy(session_policy, PolicyLayer.SESSION, now),
        endpoint_policy=read_stated_policy(endpoint_policy, PolicyLayer.ENDPOINT, now),
        direct=direct,
    )
    asked = AWS.build_permission_query(inventory, question)
    name = _resolve_subject(store, inventory, subject, chains)
    found = find_subject_identities(asked, name)
    rights = _SubjectPermissions(asked, found)
    pairs = rights.list_permission_rows(action)
    progress(0, 0, "events")
    calls = count_recorded_calls(store, inventory, name, chains)
    catalogue = _load_catalogue(
        list_services_of_rows(r.row for r, _ in pairs if r.row), calls
    )
    table = _expand_action_patterns(rights, pairs, catalogue)
    _add_recorded_calls(table, catalogue, calls)
    trail = read_log_coverage(store, catalogue)
    glob = encode_glob(action.lower())
    kept = [
        name
        for name in sorted(table, key=str.lower)
        if matches_glob(glob, name.lower()) and table[name].is_relevant
    ]
    if not kept:
        AWS.parse_filter(
            asked.inventory, action, "*"
        )  # an error if no action can match
    least = _UNKNOWN if found.unknown else _NEVER
    listed = []
    silent = {
        *found.not_collected,
        trail.find_missing_log(action, rights.own_accounts),
    } - {""}
    for spelled in kept:
        accounts = table[spelled].accounts or rights.own_accounts
        lacking = trail.find_missing_log(spelled, accounts)
        silent |= {lacking} - {""}
        since = 0 if lacking else trail.get_recording_start(accounts)
        listed.append(_build_used_item(name, spelled, table[spelled], since, least))
    if not listed and found.unknown:
        lacking = trail.find_missing_log(action, rights.own_accounts)
        since = 0 if lacking else trail.get_recording_start(rights.own_accounts)
        listed.append(_build_used_item(name, action, _ActionUsage(), since, least))
    days = trail.list_recorded_days(
        rights.own_accounts.union(*(table[n].accounts for n in kept))
    )
    silent |= set(_describe_days_without_events(days))
    replies = [reply for reply, _ in pairs]
    coverage = _build_usage_coverage(rights, replies, action, silent)
    coverage["recorded"] = days
    if trail.logs:
        coverage["seen"] = sorted({*coverage["seen"], "cloudtrail"})
    following = _suggest_service_filter(listed) or suggest_scan_command(found.unknown)
    return Document("reach-used", listed, coverage, next=following)


def _resolve_subject(
    store: EvidenceStore,
    inventory: Inventory,
    text: str,
    chains: Sequence[ChainTimeline] | None,
) -> str:
    """Resolve the subject, which may be an identity that only the audit log knows.

    Raises:
        UsageError: The name is unknown or ambiguous.
    """
    try:
        return resolve_subject(inventory, text)
    except UsageError:
        named = text.strip()
        if not named.startswith("arn:") or not count_recorded_calls(
            store, inventory, named, chains
        ):
            raise
        return named


_Pairs = list[tuple[ReachAnswer, bool]]


@dataclass(frozen=True, slots=True)
class _SubjectPermissions:
    """Permissions of a subject."""

    query: QueryContext
    identities: subject_identities.SubjectIdentities

    def list_permission_rows(self, action: str) -> _Pairs:
        """List a subject's permissions for an action; own ones are marked."""
        graph, wanted = self.query.graph, parse_row_filter(action, "*")
        return [
            (reply, len(reply.path) == len(start.hops))
            for start in self.identities.starts
            for reply in subject_answers.prepend_subject_to_rows(
                start,
                subject_queries.iterate_subject_rows(
                    graph, start.identity, wanted, direct=self.query.direct
                ),
            )
        ]

    @property
    def own_accounts(self) -> set[str]:
        """Return the accounts of the subject's own identities."""
        principals = self.query.compiled_accounts.principals
        known = (principals.get(start.identity) for start in self.identities.starts)
        named = (get_arn_account(each.id) for each in self.identities.unknown)
        return {*(p.identity.account for p in known if p), *named} - {""}


def _load_catalogue(
    services: frozenset[str] | None, calls: Sequence[CallCount]
) -> ActionCatalogue:
    """Load the action catalogue of some services and of the called ones."""
    if services is None:
        return load_catalogue()
    return load_catalogue(
        services.union(call.action.partition(":")[0] for call in calls)
    )


def _expand_action_patterns(
    permissions: _SubjectPermissions, pairs: _Pairs, catalogue: ActionCatalogue
) -> dict[str, _ActionUsage]:
    """Expand pattern rows to single actions; evaluate actions of several patterns."""
    actions = ActionMatcher(catalogue)
    table: dict[str, _ActionUsage] = defaultdict(_ActionUsage)
    _add_row_verdicts(table, pairs, actions)
    rough = [name for name, found in table.items() if found.is_overlapping]
    for name in rough[:_MAX_EVALUATED]:
        sharp: dict[str, _ActionUsage] = defaultdict(_ActionUsage)
        _add_row_verdicts(sharp, permissions.list_permission_rows(name), actions)
        table[name] = sharp[name]
    return table


def _add_row_verdicts(
    table: dict[str, _ActionUsage], pairs: _Pairs, actions: ActionMatcher
) -> None:
    """Add the verdict of each row to all actions that its pattern matches."""
    for reply, own in pairs:
        if reply.row is None:
            continue
        held = get_verdict(reply.formula)
        rough = any(a.key in _OVERLAPS for one in reply.formula for a in one)
        account = get_arn_account(reply.actor)
        for entry in actions.list_actions_of_row(reply.row):
            found = table[str(entry)]
            if own:
                found.granted = _more_permissive_verdict(found.granted, held)
            else:
                found.through_other_identities = _more_permissive_verdict(
                    found.through_other_identities, held
                )
            found.is_overlapping |= rough
            found.accounts |= {account} - {""}


def _more_permissive_verdict(one: Verdict, other: Verdict) -> Verdict:
    """Return the verdict that allows more."""
    return max(one, other, key=_RANK.__getitem__)


def _add_recorded_calls(
    table: dict[str, _ActionUsage],
    catalogue: ActionCatalogue,
    calls: Sequence[CallCount],
) -> None:
    """Add recorded calls to their action: used or blocked, and the last time."""
    for call in calls:
        found = table[str(catalogue.find_action(call.action) or call.action)]
        if call.outcome is EventOutcome.DENIED:
            found.blocked += call.count
            found.last_blocked = max(found.last_blocked, call.last)
        else:
            found.used += call.count
            found.last_used = max(found.last_used, call.last)
            found.by.update(filter(None, [call.identity]))


def _build_used_item(
    subject: str,
    action: str,
    usage: _ActionUsage,
    since: int,
    fallback_verdict: Verdict,
) -> ActionUsageItem:
    """Build the output row of an AWS action: granted, reachable and used.

    Args:
        action: The action, or a pattern.
        usage: Permissions and calls of it.
        since: Time since which its calls are logged, 0 if they are not.
        fallback_verdict: Verdict if no permission was found: `not-known` if some permissions of
            the subject were not collected.
    """
    granted = _more_permissive_verdict(usage.granted, fallback_verdict)
    return {
        "subject": subject,
        "service": action.partition(":")[0],
        "action": action,
        "granted": granted.value,
        "reachable": _more_permissive_verdict(
            granted, usage.through_other_identities
        ).value,
        "used": usage.used if since else usage.used or None,
        "last_used": _format_time(usage.last_used),
        "used_by": sorted(usage.by),
        "blocked": usage.blocked if since else usage.blocked or None,
        "last_blocked": _format_time(usage.last_blocked),
        "recorded_since": _format_time(since),
    }


def _format_time(time_ns: int) -> str | None:
    """Format UTC nanoseconds; None for 0."""
    return format_time(time_ns) if time_ns else None


def _describe_days_without_events(days: Sequence[LoggedDaysItem]) -> Iterator[str]:
    """Yield an entry of missing data per account with days without any event."""
    for each in days:
        if each["days_without"]:
            count = each["days_without"]
            said = "1 day" if count == 1 else f"{count} days"
            yield f"cloudtrail (account {each['account']}, {said} without events)"


def _build_usage_coverage(
    permissions: _SubjectPermissions,
    replies: Sequence[ReachAnswer],
    action: str,
    missing_logs: set[str],
) -> CoverageRecord:
    """Build the coverage of the answer, with the logs that are missing."""
    asked = permissions.query
    spelled = build_action_formatter(
        asked.compiled_accounts.catalogue, asked.compiled_accounts.written, action
    )
    pairs = [
        (reply, answer_items.build_permission_row_item(reply, spelled))
        for reply in replies
    ]
    who = [start.identity for start in permissions.identities.starts]
    absent = list_missing_data_for_answers(asked, pairs, action, "*", who)
    return build_query_coverage(asked, replies, absent | missing_logs)


def _suggest_service_filter(listed: Sequence[ActionUsageItem]) -> str:
    """Suggest the command that lists only the service with most actions."""
    services = [item["service"] for item in listed]
    if len(set(services)) < 2:
        return ""
    most = max(dict.fromkeys(services), key=services.count)
    glob = f"{most}:*"
    return format_command("reach", listed[0]["subject"], "--used", "--action", glob)
