"""Renderer of granted, reachable, used and blocked actions, by action or by service."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import Column, table
from answerable.model.documents.core import Document
from answerable.model.documents.permission_usage import UsedItem
from answerable.presentation.relative_time import ago
from answerable.presentation.text import safe

# More actions than this do not fit a screen: then there is a row per service.
_MOST = 40
_MOST_SERVICES = 25
_NAMED = 3
_IDLE_NAMED = 30
_ALLOWED = ("always", "only-if")


def used(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the share of used actions, then the actions."""
    items = cast("Sequence[UsedItem]", document.items)
    yield safe(items[0]["subject"])
    yield from screen.wrap(_summary(items))
    yield from screen.wrap(_recorded(items, now))
    yield ""
    services = dict.fromkeys(item["service"] for item in items)
    if len(items) <= _MOST:
        yield from _actions(items, screen, now)
    elif len(services) > 1:
        yield from _services(items, list(services), screen, now)
    else:
        yield from _one_service(items, screen, now)


def _summary(items: Sequence[UsedItem]) -> str:
    granted = [item for item in items if item["granted"] in _ALLOWED]
    parts = [
        f"granted {_allowed(items, 'granted', ' actions')}",
        f"reachable {_allowed(items, 'reachable')}",
        f"used {_called(items, 'used')}",
        f"blocked {_called(items, 'blocked')}",
    ]
    idle = _count(granted, lambda item: item["used"] == 0)
    silent = _count(granted, lambda item: item["used"] is None)
    known = idle or (not silent and _is_known(items, "granted"))
    text = f"{', '.join(parts)}; granted and never used: "
    text += f"{idle:,}" if known else "not known"
    told = silent and idle
    return text + (f" (of {silent:,} more the trail does not tell)" if told else "")


def _allowed(
    items: Sequence[UsedItem], key: Literal["granted", "reachable"], unit: str = ""
) -> str:
    """Format the number of allowed actions; a minimum if some are not known."""
    count = _count(items, lambda item: item[key] in _ALLOWED)
    if _is_known(items, key):
        return _many(count) if unit else f"{count:,}"
    return f"{count:,} known" if count else "not known"


def _is_known(items: Sequence[UsedItem], key: Literal["granted", "reachable"]) -> bool:
    """Return whether every verdict is known."""
    return all(item[key] != "not-known" for item in items)


def _called(items: Sequence[UsedItem], key: Literal["used", "blocked"]) -> str:
    """Format the number of called actions; "not known" if the log may lack calls."""
    count = _count(items, lambda item: bool(item[key]))
    silent = any(item[key] is None for item in items)
    return "not known" if silent and not count else f"{count:,}"


def _many(number: int) -> str:
    return f"{number:,} action" + ("" if number == 1 else "s")


def _count(items: Sequence[UsedItem], test: Callable[[UsedItem], bool]) -> int:
    return sum(test(item) for item in items)


def _recorded(items: Sequence[UsedItem], now: int) -> str:
    """Format the time since which the log records calls."""
    since = sorted({item["recorded_since"] for item in items} - {None}, key=str)
    if not since:
        return "no trail of its account: answerable ingest cloudtrail:PATH reads one in"
    return f"the trail begins {ago(since[-1], now)}"


def _actions(items: Sequence[UsedItem], screen: Screen, now: int) -> Iterator[str]:
    columns = (
        Column("action", 0),
        Column("granted", 1),
        Column("reachable", 2),
        Column("used", 1, right=True),
        Column("last used", 3),
        Column("blocked", 2, right=True),
        Column("as", 4, floor=14),
    )
    rows = [
        (
            item["action"],
            item["granted"],
            item["reachable"],
            _told(item["used"]),
            ago(item["last_used"], now),
            _told(item["blocked"]),
            ", ".join(_short(each) for each in item["used_by"]),
        )
        for item in items
    ]
    yield from table(columns, rows, screen)


def _told(count: int | None) -> str:
    return "not known" if count is None else f"{count:,}"


def _short(identity: str) -> str:
    parts = identity.split(":", 5)
    return parts[5] if len(parts) == 6 else identity


def _one_service(items: Sequence[UsedItem], screen: Screen, now: int) -> Iterator[str]:
    """Render the called actions, and name some of the others."""
    called = [item for item in items if item["used"] or item["blocked"]]
    others = [item for item in items if item not in called]
    if called:
        yield from _actions(called[:_MOST], screen, now)
        yield ""
    idle = [item["action"] for item in others if item["used"] == 0]
    untold = [item["action"] for item in others if item["used"] is None]
    for said, names in (("not called", idle), ("the trail does not tell", untold)):
        if names:
            yield from screen.wrap(f"{said} ({len(names):,}): {_some(names)}")


def _some(names: Sequence[str]) -> str:
    more = len(names) - _IDLE_NAMED
    shown = ", ".join(map(safe, names[:_IDLE_NAMED]))
    return shown + (f" +{more:,}" if more > 0 else "")


def _services(
    items: Sequence[UsedItem], services: Sequence[str], screen: Screen, now: int
) -> Iterator[str]:
    """Render a row per service: called ones first, then by granted actions."""
    columns = (
        Column("service", 0),
        Column("granted", 1, right=True),
        Column("reachable", 2, right=True),
        Column("used", 1, right=True),
        Column("blocked", 2, right=True),
        Column("never used", 1, right=True),
        Column("not told", 4, right=True),
        Column("last used", 3),
        Column("used most", 5, floor=20),
    )
    by_service: dict[str, list[UsedItem]] = {name: [] for name in services}
    for item in items:
        by_service[item["service"]].append(item)
    ranked = sorted(by_service, key=lambda name: _rank(by_service[name]))
    own = [name for name in ranked if _rank(by_service[name])[:2] != (0, 0)]
    shown = (own or ranked)[:_MOST_SERVICES]
    yield from table(
        columns, [_service(by_service[name], now) for name in shown], screen
    )
    rest = [item for name in ranked[len(shown) :] for item in by_service[name]]
    if rest:
        granted = _count(rest, lambda item: item["granted"] in _ALLOWED)
        yield from screen.wrap(
            f"and {len(ranked) - len(shown):,} more services: granted "
            f"{_many(granted)}, reachable {len(rest):,}; -o json lists them"
        )


def _rank(items: Sequence[UsedItem]) -> tuple[int, int, str]:
    called = _count(items, lambda item: bool(item["used"] or item["blocked"]))
    granted = _count(items, lambda item: item["granted"] in _ALLOWED)
    return -called, -granted, items[0]["service"]


def _service(own: Sequence[UsedItem], now: int) -> tuple[str, ...]:
    granted = [item for item in own if item["granted"] in _ALLOWED]
    last = max((item["last_used"] or "" for item in own), default="")
    silent = _count(granted, lambda item: item["used"] is None)
    return (
        own[0]["service"],
        _allowed(own, "granted"),
        _allowed(own, "reachable"),
        _called(own, "used"),
        _called(own, "blocked"),
        _idle(granted),
        f"{silent:,}" if silent else "",
        ago(last, now),
        ", ".join(_most_used(own)),
    )


def _idle(granted: Sequence[UsedItem]) -> str:
    """Format the number of unused actions; "not known" if no log records them."""
    told = [item for item in granted if item["used"] is not None]
    if granted and not told:
        return "not known"
    return f"{_count(told, lambda item: item['used'] == 0):,}"


def _most_used(items: Sequence[UsedItem]) -> list[str]:
    called = [item for item in items if item["used"]]
    called.sort(key=lambda item: -(item["used"] or 0))
    return [item["action"].partition(":")[2] for item in called[:_NAMED]]
