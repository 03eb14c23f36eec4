"""Compare the action patterns of a subject's policies with recorded calls.

`reach --used` lists single actions; this list has one row per action pattern of the
policies, and is as short as they are.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from answerable.lineage.cloudtrail_data_events import has_cloudtrail_data_events
from answerable.model.documents.permission_usage import PatternUsageItem
from answerable.model.documents.shared_shapes import ReachItem
from answerable.model.event import EventOutcome
from answerable.presentation.answer_coverage import format_time
from answerable.reach.aws.patterns.glob_matching import encode_glob, matches_glob
from answerable.services.lineage.recorded_calls import CallCount, LogCoverage

_RANK = {"never": 0, "not-known": 1, "only-if": 2, "always": 3}
_NEVER, _UNKNOWN = "never", "not-known"


@dataclass(slots=True)
class _ActionPattern:
    """One pattern of actions.

    Attributes:
        granted: Verdict by the subject's own policies.
        reachable: Verdict by own policies and by identities it can assume.
        admin: Whether a row grants everything.
        resources: Resources as policies name them.
    """

    granted: str = _NEVER
    reachable: str = _NEVER
    admin: bool = False
    resources: dict[str, None] = field(default_factory=dict)


def list_permission_usage(
    subject: str,
    rows: Sequence[ReachItem],
    calls: Sequence[CallCount],
    trail: LogCoverage,
    accounts: frozenset[str],
) -> list[PatternUsageItem]:
    """Compare granted and reachable permissions with recorded calls.

    Args:
        trail: Coverage of the audit logs.
        accounts: Accounts whose logs record its calls.

    Returns:
        An item per action pattern, and one per called action outside all patterns.
        `used` and `blocked` are None if the logs are incomplete.
    """
    known = [each for each in rows if each["verdict"] != _UNKNOWN]
    least = _NEVER if len(known) == len(rows) else _UNKNOWN
    found: dict[str, _ActionPattern] = defaultdict(lambda: _ActionPattern(least, least))
    for each in known:
        row = found[each["action"]]
        row.reachable = _more_permissive_verdict(row.reachable, each["verdict"])
        if not each["path"]:
            row.granted = _more_permissive_verdict(row.granted, each["verdict"])
        row.admin |= each["admin"]
        row.resources[each["resource"]] = None
    patterns = [(name, encode_glob(name.lower())) for name in found]
    fitting: dict[str, list[CallCount]] = defaultdict(list)
    for call in calls:
        held = [
            name for name, glob in patterns if matches_glob(glob, call.action.lower())
        ]
        for name in held or [call.action]:
            fitting[name].append(call)
    return [
        _build_usage_item(
            subject,
            name,
            found[name],
            fitting[name],
            _are_all_calls_logged(name, trail, accounts),
        )
        for name in [*found, *(name for name in fitting if name not in found)]
    ]


def _more_permissive_verdict(one: str, other: str) -> str:
    """Return the verdict that allows more."""
    return max(one, other, key=lambda verdict: _RANK.get(verdict, 0))


def _are_all_calls_logged(
    action: str, trail: LogCoverage, accounts: frozenset[str]
) -> bool:
    """Return whether the logs record every call of an action."""
    if "*" not in action and "?" not in action:
        return not trail.find_missing_log(action, accounts)
    service = action.partition(":")[0]
    if not accounts or not accounts <= trail.logs.keys():
        return False
    if "*" in service:
        return False
    data = all(service in trail.logs[account].data for account in accounts)
    return data or not has_cloudtrail_data_events(service)


def _build_usage_item(
    subject: str,
    action: str,
    pattern: _ActionPattern,
    calls: Sequence[CallCount],
    is_recorded: bool,
) -> PatternUsageItem:
    """Build the item of an action pattern with its verdicts and calls."""
    used = [call for call in calls if call.outcome is not EventOutcome.DENIED]
    blocked = [call for call in calls if call.outcome is EventOutcome.DENIED]
    return {
        "subject": subject,
        "action": action,
        "resources": list(pattern.resources),
        "granted": pattern.granted,
        "reachable": pattern.reachable,
        "admin": pattern.admin,
        "used": _count_calls(used, is_recorded),
        "last_used": _format_last_call(used),
        "used_by": sorted({call.identity for call in used if call.identity}),
        "blocked": _count_calls(blocked, is_recorded),
        "last_blocked": _format_last_call(blocked),
    }


def _count_calls(calls: Sequence[CallCount], is_recorded: bool) -> int | None:
    """Sum the calls; None for zero if the logs are incomplete."""
    return sum(call.count for call in calls) or (0 if is_recorded else None)


def _format_last_call(calls: Sequence[CallCount]) -> str | None:
    """Format the time of the last call, None without calls."""
    at = max((call.last for call in calls), default=0)
    return format_time(at) if at else None


def count_action_patterns(
    items: Sequence[PatternUsageItem],
) -> Iterator[tuple[str, int | None]]:
    """Count patterns: granted, reachable, used and blocked; None if not known."""
    yield "granted", _count_allowed_patterns(item["granted"] for item in items)
    yield "reachable", _count_allowed_patterns(item["reachable"] for item in items)
    yield "used", _count_called_patterns([item["used"] for item in items])
    yield "blocked", _count_called_patterns([item["blocked"] for item in items])


def _count_allowed_patterns(verdicts: Iterable[str]) -> int | None:
    """Count allowed patterns; None if none is allowed and some are not known."""
    found = Counter(verdicts)
    allowed = found["always"] + found["only-if"]
    return None if not allowed and found[_UNKNOWN] else allowed


def _count_called_patterns(counts: Sequence[int | None]) -> int | None:
    """Count called patterns; None if none is called and the logs are incomplete."""
    called = sum(bool(count) for count in counts)
    return None if not called and None in counts else called
