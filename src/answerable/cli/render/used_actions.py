"""Render granted, reachable, used and blocked actions, by action or service."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, cast

from answerable.cli.render.listing import render_items
from answerable.cli.render.screen import Screen
from answerable.cli.render.table import TableColumn, render_table
from answerable.model.documents.permission_usage import ActionUsageItem
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.relative_time import format_ago
from answerable.presentation.text import sanitize

# More actions than this do not fit a screen: then there is a row per service.
_MOST = 40
_MOST_SERVICES = 25
_NAMED = 3
_IDLE_NAMED = 30
_ALLOWED = ("always", "only-if")


def render_used_actions(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render counts of granted and used actions, then a row per action or service."""
    items = cast("Sequence[ActionUsageItem]", document.items)
    yield sanitize(items[0]["subject"])
    yield from screen.wrap(_format_summary(items))
    yield from screen.wrap(_format_log_start(items, now))
    yield ""
    services = dict.fromkeys(item["service"] for item in items)
    if len(items) <= _MOST:
        yield from render_items(ActionUsageItem, items, screen, now)
    elif len(services) > 1:
        yield from _render_service_table(items, list(services), screen, now)
    else:
        yield from _render_one_service(items, screen, now)


def _format_summary(items: Sequence[ActionUsageItem]) -> str:
    """Format the counts of granted, reachable, used, blocked and unused actions."""
    granted = [item for item in items if item["granted"] in _ALLOWED]
    parts = [
        f"granted {_format_allowed_count(items, 'granted', ' actions')}",
        f"reachable {_format_allowed_count(items, 'reachable')}",
        f"used {_format_called_count(items, 'used')}",
        f"blocked {_format_called_count(items, 'blocked')}",
    ]
    idle = _count_matching(granted, lambda item: item["used"] == 0)
    silent = _count_matching(granted, lambda item: item["used"] is None)
    known = idle or (not silent and _are_verdicts_known(items, "granted"))
    text = f"{', '.join(parts)}; granted and never used: "
    text += f"{idle:,}" if known else "not known"
    told = silent and idle
    return text + (f" (not known for {silent:,} more)" if told else "")


def _format_allowed_count(
    items: Sequence[ActionUsageItem],
    key: Literal["granted", "reachable"],
    unit: str = "",
) -> str:
    """Format the number of allowed actions; a minimum if some are not known."""
    count = _count_matching(items, lambda item: item[key] in _ALLOWED)
    if _are_verdicts_known(items, key):
        return _format_action_count(count) if unit else f"{count:,}"
    return f"{count:,} known" if count else "not known"


def _are_verdicts_known(
    items: Sequence[ActionUsageItem], key: Literal["granted", "reachable"]
) -> bool:
    """Return whether no action's `granted` or `reachable` verdict is `not-known`."""
    return all(item[key] != "not-known" for item in items)


def _format_called_count(
    items: Sequence[ActionUsageItem], key: Literal["used", "blocked"]
) -> str:
    """Format the number of called actions; "not known" if the log may lack calls."""
    count = _count_matching(items, lambda item: bool(item[key]))
    silent = any(item[key] is None for item in items)
    return "not known" if silent and not count else f"{count:,}"


def _format_action_count(number: int) -> str:
    """Format a number of actions with its noun."""
    return f"{number:,} action" + ("" if number == 1 else "s")


def _count_matching(
    items: Sequence[ActionUsageItem], test: Callable[[ActionUsageItem], bool]
) -> int:
    """Count the items for which a test is true."""
    return sum(test(item) for item in items)


def _format_log_start(items: Sequence[ActionUsageItem], now: int) -> str:
    """Format the time since which the log records calls."""
    since = sorted({item["recorded_since"] for item in items} - {None}, key=str)
    if not since:
        return "no log of its account: answerable ingest cloudtrail:PATH reads one"
    return f"the log begins {format_ago(since[-1], now)}"


def _render_one_service(
    items: Sequence[ActionUsageItem], screen: Screen, now: int
) -> Iterator[str]:
    """Render the called actions, and name some of the others."""
    called = [item for item in items if item["used"] or item["blocked"]]
    others = [item for item in items if item not in called]
    if called:
        yield from render_items(ActionUsageItem, called[:_MOST], screen, now)
        yield ""
    idle = [item["action"] for item in others if item["used"] == 0]
    untold = [item["action"] for item in others if item["used"] is None]
    for said, names in (("not called", idle), ("not in the log", untold)):
        if names:
            yield from screen.wrap(
                f"{said} ({len(names):,}): {_format_some_names(names)}"
            )


def _format_some_names(names: Sequence[str]) -> str:
    """Format the first few names, and count the others."""
    more = len(names) - _IDLE_NAMED
    shown = ", ".join(map(sanitize, names[:_IDLE_NAMED]))
    return shown + (f" +{more:,}" if more > 0 else "")


def _render_service_table(
    items: Sequence[ActionUsageItem], services: Sequence[str], screen: Screen, now: int
) -> Iterator[str]:
    """Render a row per service: called ones first, then by granted actions."""
    columns = (
        TableColumn("service", 0),
        TableColumn("granted", 1, right=True),
        TableColumn("reachable", 2, right=True),
        TableColumn("used", 1, right=True),
        TableColumn("blocked", 2, right=True),
        TableColumn("never used", 1, right=True),
        TableColumn("not known", 4, right=True),
        TableColumn("last used", 3),
        TableColumn("used most", 5, floor=20),
    )
    by_service: dict[str, list[ActionUsageItem]] = {name: [] for name in services}
    for item in items:
        by_service[item["service"]].append(item)
    ranked = sorted(by_service, key=lambda name: _service_sort_key(by_service[name]))
    own = [name for name in ranked if _service_sort_key(by_service[name])[:2] != (0, 0)]
    shown = (own or ranked)[:_MOST_SERVICES]
    yield from render_table(
        columns, [_build_service_row(by_service[name], now) for name in shown], screen
    )
    rest = [item for name in ranked[len(shown) :] for item in by_service[name]]
    if rest:
        granted = _count_matching(rest, lambda item: item["granted"] in _ALLOWED)
        yield from screen.wrap(
            f"and {len(ranked) - len(shown):,} more services: granted "
            f"{_format_action_count(granted)}, reachable {len(rest):,}; -o json lists them"
        )


def _service_sort_key(items: Sequence[ActionUsageItem]) -> tuple[int, int, str]:
    """Return a sort key: services with most called, then most granted actions."""
    called = _count_matching(items, lambda item: bool(item["used"] or item["blocked"]))
    granted = _count_matching(items, lambda item: item["granted"] in _ALLOWED)
    return -called, -granted, items[0]["service"]


def _build_service_row(items: Sequence[ActionUsageItem], now: int) -> tuple[str, ...]:
    """Build the table row of a service with its counts and most used actions."""
    granted = [item for item in items if item["granted"] in _ALLOWED]
    last = max((item["last_used"] or "" for item in items), default="")
    silent = _count_matching(granted, lambda item: item["used"] is None)
    return (
        items[0]["service"],
        _format_allowed_count(items, "granted"),
        _format_allowed_count(items, "reachable"),
        _format_called_count(items, "used"),
        _format_called_count(items, "blocked"),
        _format_idle_count(granted),
        f"{silent:,}" if silent else "",
        format_ago(last, now),
        ", ".join(_list_most_used_actions(items)),
    )


def _format_idle_count(granted: Sequence[ActionUsageItem]) -> str:
    """Format the number of unused actions; "not known" if no log records them."""
    told = [item for item in granted if item["used"] is not None]
    if granted and not told:
        return "not known"
    return f"{_count_matching(told, lambda item: item['used'] == 0):,}"


def _list_most_used_actions(items: Sequence[ActionUsageItem]) -> list[str]:
    """List the names of the most used actions, at most `_NAMED`."""
    called = [item for item in items if item["used"]]
    called.sort(key=lambda item: -(item["used"] or 0))
    return [item["action"].partition(":")[2] for item in called[:_NAMED]]
