"""Compare two snapshots, checkouts or Terraform plans (command `diff`)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from answerable.inventory.compared_things import (
    ComparedSide,
    list_changed_unevaluated_files,
    list_changed_unread_files,
    list_changed_unresolved_grants,
)
from answerable.inventory.inventory_difference import (
    ChangeDirection,
    InventoryChange,
    compare_inventories,
)
from answerable.model.documents.difference import DifferenceItem
from answerable.model.documents.shared_shapes import CoverageRecord, Document
from answerable.model.documents.what_if import AccessChangeItem
from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.posture.severity import is_at_least
from answerable.presentation import answer_coverage
from answerable.presentation.policy_condition_text import shorten_policy_name
from answerable.reach.platform import (
    AppliedEdit,
    PermissionPlatform,
    Question,
    SubjectIdentity,
)
from answerable.services.posture.change_severity import (
    NOTHING_ADDED,
    get_access_change_severity,
    get_inventory_change_severity,
)
from answerable.services.reach.platform_registry import PLATFORMS

_SEVERITIES = ("critical", "high", "medium", "low", NOTHING_ADDED)
_MOST_ADDED = 100  # added identities whose permissions are listed
_BY_PLAN = "may state permissions; only a Terraform plan is evaluated"
_NOT_STATED = "its identity, role or policy is not stated here"
_GAINS = ("appears", "stronger")
_CHANGES = {
    "appears": ChangeDirection.ADDED,
    "stronger": ChangeDirection.CHANGED,
    "weaker": ChangeDirection.CHANGED,
    "falls-away": ChangeDirection.REMOVED,
}
_SIGNS = {
    ChangeDirection.ADDED: "+",
    ChangeDirection.REMOVED: "-",
    ChangeDirection.CHANGED: "~",
    ChangeDirection.NOT_COMPARABLE: "?",
}
# Connectors that supply the permissions of each platform.
_CONNECTORS = {
    "aws": ("aws", "aws-org", "aws-resources"),
    "kubernetes": ("k8s",),
    "github": ("github",),
    "postgres": ("pg",),
}


def compare_sides(
    before: ComparedSide,
    after: ComparedSide,
    *,
    now: int,
    fail_on: str = "",
    kind: str = "",
) -> Document:
    """Compare two sides: agents, tools, credentials, owners, pins and permissions.

    Args:
        now: UTC nanoseconds.
        fail_on: Severity from which the document counts as failed; empty for none.
        kind: Kind of the listed changes; empty for all.

    Returns:
        Changes, most severe first; what cannot be compared comes last.
    """
    grouped: dict[tuple[object, ...], list[InventoryChange]] = {}
    listed = compare_inventories(before, after)
    for each in listed:
        key = each.change, each.kind, each.subject, each.agents, bool(each.field)
        grouped.setdefault(key, []).append(each)
    items = [_build_inventory_item(*same) for same in grouped.values()]
    unread = list_changed_unread_files(before, after)
    items += [_build_unread_item(each, "could not be read") for each in unread]
    unresolved = list_changed_unresolved_grants(before, after)
    items += [_build_unread_item(each, _NOT_STATED) for each in unresolved]
    unevaluated = list_changed_unevaluated_files(before, after)
    items += [_build_unread_item(each, _BY_PLAN) for each in unevaluated]
    uncompared = dict.fromkeys((*before.uncompared, *after.uncompared))
    items += [
        _build_unread_item(each, "changes, and is not evaluated") for each in uncompared
    ]
    items += [
        _build_unread_item(name, "the folder has no files, so nothing is compared")
        for name, side in (("BEFORE", before), ("AFTER", after))
        if side.empty
    ]
    one_sided = _OneSidedIdentities.of(listed)
    for platform in () if before.empty or after.empty else PLATFORMS:
        items += _compare_permissions(platform, before, after, one_sided, now)
    items = [each for each in items if _is_listed(each, kind)]
    items.sort(key=_get_sort_key)
    coverage = _join_coverage(before, after, now)
    coverage["partial"] = any(
        each["change"] == ChangeDirection.NOT_COMPARABLE for each in items
    )
    failed = bool(fail_on) and any(
        is_at_least(each["severity"], fail_on) for each in items
    )
    compared = f"{len(after.inventory.agents):,} agents and "
    compared += (
        f"{len(after.inventory.facts.identities_by_id()):,} identities were compared"
    )
    return Document("diff", items, coverage, failed=failed, searched=compared)


def _is_listed(item: DifferenceItem, kind: str) -> bool:
    """Return whether a change is of a kind, or may hide one that cannot be compared."""
    hides = (
        item["change"] == ChangeDirection.NOT_COMPARABLE and item["kind"] == "source"
    )
    return hides or kind in ("", item["kind"])


def _get_sort_key(item: DifferenceItem) -> tuple[object, ...]:
    """Return a key that sorts by severity, with what is not comparable last."""
    return (
        item["change"] == ChangeDirection.NOT_COMPARABLE,
        _SEVERITIES.index(item["severity"]),
        item["kind"],
        item["text"],
    )


def _build_inventory_item(*changes: InventoryChange) -> DifferenceItem:
    """Build the item of a change of the inventory: all changed fields of one thing."""
    first = changes[0]
    severities = [get_inventory_change_severity(each) for each in changes]
    return {
        "severity": min(severities, key=_SEVERITIES.index),
        "change": first.change.value,
        "kind": first.kind,
        "text": _describe_inventory_changes(changes),
        "subject": first.subject,
        "field": ", ".join(each.field for each in changes if each.field),
        "action": "",
        "resource": "",
        "before": "; ".join(each.before for each in changes if each.before),
        "after": "; ".join(each.after for each in changes if each.after),
        "agents": list(first.agents),
        "place": first.place,
        "because": first.because,
        "determining": [],
        "path": [],
    }


def _describe_inventory_changes(changes: Sequence[InventoryChange]) -> str:
    """Describe changes of one thing: `+ tool:mcp/db/*: stdio npx -y @acme/db`."""
    first = changes[0]
    sign = _SIGNS[first.change]
    if first.because:
        name = f"{first.subject} {first.field}".strip()
        return f"{sign} {first.kind} {name}: {first.because}"
    if not first.field:
        return f"{sign} {first.subject}: {first.after or first.before}"
    fields = (
        f"{each.field} {each.before or 'none'} -> {each.after or 'none'}"
        for each in changes
    )
    return f"{sign} {first.subject}: {'; '.join(fields)}"


def _build_unread_item(place: str, because: str) -> DifferenceItem:
    """Build the item of something that was not read or is not evaluated."""
    return _build_inventory_item(
        InventoryChange(
            change=ChangeDirection.NOT_COMPARABLE,
            kind="source",
            subject=place,
            place=place,
            because=because,
        )
    )


@dataclass(frozen=True, slots=True)
class _OneSidedIdentities:
    """Identities that were added or removed, by their inventory changes."""

    added: frozenset[str]
    removed: frozenset[str]

    @classmethod
    def of(cls, changes: Iterable[InventoryChange]) -> "_OneSidedIdentities":
        """Collect the identities of changes."""
        found: dict[ChangeDirection, set[str]] = defaultdict(set)
        for each in changes:
            if each.kind == "identity":
                found[each.change].add(each.subject)
        return cls(
            frozenset(found[ChangeDirection.ADDED]),
            frozenset(found[ChangeDirection.REMOVED]),
        )

    def select(self, owns: Callable[[str], bool]) -> "_OneSidedIdentities":
        """Select the identities of one platform."""
        return _OneSidedIdentities(
            frozenset(filter(owns, self.added)), frozenset(filter(owns, self.removed))
        )

    def imply(self, item: AccessChangeItem) -> bool:
        """Return whether a change only follows from an added or a removed identity.

        A removed identity is listed itself. Administrators can become an added one by
        a change of its trust, which says nothing about it.
        """
        target = item["resource"]
        if target in self.removed:
            return True
        edits = item["kind"] == "identity" and not item["action"].startswith("sts:")
        return target in self.added and edits


def _list_access_changes(
    applied: AppliedEdit, one_sided: _OneSidedIdentities, question: Question
) -> Iterator[AccessChangeItem]:
    """Yield the changes of all identities, and the permissions of added ones."""
    listed = applied.list_changes(question, (), 0).items
    yield from (each for each in listed if not one_sided.imply(each))
    known = {each["subject"] for each in listed if each["kind"] == "permission"}
    for name in sorted(one_sided.added - known)[:_MOST_ADDED]:
        start = SubjectIdentity(name, IdentityId(name))
        asked = replace(question, subject=name, identities=(start,))
        yield from applied.list_changes(asked, (start,), 0).items


def _compare_permissions(
    platform: PermissionPlatform,
    before: ComparedSide,
    after: ComparedSide,
    one_sided: _OneSidedIdentities,
    now: int,
) -> Iterator[DifferenceItem]:
    """Yield the permissions of one platform that differ."""
    sides = before.inventory, after.inventory
    if not all(_has_source(platform.name, each) for each in sides):
        return  # a source that one side lacks is named already
    words = [_list_collected_words(platform.name, each) for each in sides]
    question = Question(now)
    try:
        applied = platform.open_comparison(*sides, question)
        own = one_sided.select(platform.owns)
        changes = list(_list_access_changes(applied, own, question))
        if (more := len(own.added) - _MOST_ADDED) > 0:
            yield _build_unread_item(
                f"permissions of {more:,} more added identities of {platform.name}",
                f"only those of {_MOST_ADDED} are listed",
            )
    except UsageError as error:
        yield _build_unread_item(f"permissions of {platform.name}", str(error))
        return
    missing = [sorted(words[1] - words[0]), sorted(words[0] - words[1])]
    names = [each.facts.identities_by_id() for each in sides]
    for item in changes:
        gained = item["change"] in _GAINS
        absent = missing[0] if gained else missing[1]
        anywhere = item["subject"] in names[0] or item["subject"] in names[1]
        here = item["subject"] in names[1 if not gained else 0]
        if before.scope != after.scope and anywhere and not here:
            continue
        yield _build_access_item(sides[1], item, absent)


def _has_source(platform: str, inventory: Inventory) -> bool:
    """Return whether a source of a platform's permissions was read."""
    connectors = _CONNECTORS.get(platform, (platform,))
    return any(each.connector in connectors for each in inventory.coverage)


def _list_collected_words(platform: str, inventory: Inventory) -> set[str]:
    """List the kinds of data that were collected for a platform."""
    return {
        word
        for each in inventory.coverage
        if each.connector in _CONNECTORS.get(platform, (platform,))
        for word in each.collected
    }


def _build_access_item(
    inventory: Inventory, item: AccessChangeItem, absent: Sequence[str]
) -> DifferenceItem:
    """Build the item of a permission that differs.

    Args:
        absent: Kinds of data that one side lacks and that may explain the difference.
    """
    because = f"one side did not collect {', '.join(absent)}" if absent else ""
    unknown = "not-known" in (item["change"], item["before"], item["after"])
    if unknown:
        because = because or "the permissions of one side were not collected"
    change = _CHANGES.get(item["change"], ChangeDirection.CHANGED)
    if because:
        change = ChangeDirection.NOT_COMPARABLE
    kind = "reach" if item["path"] else "permission"
    kind = "trust" if item["kind"] == "identity" else kind
    severity = NOTHING_ADDED
    if not because:
        severity = get_access_change_severity(inventory, item)
    return {
        "severity": severity,
        "change": change.value,
        "kind": kind,
        "text": _describe_access(_SIGNS[change], item, because),
        "subject": item["subject"],
        "field": "",
        "action": item["action"],
        "resource": item["resource"],
        "before": item["before"],
        "after": item["after"],
        "agents": item["agents"],
        "place": ", ".join(
            dict.fromkeys(
                f"{each['policy']}#{each['statement']}" for each in item["determining"]
            )
        ),
        "because": because,
        "determining": item["determining"],
        "path": item["path"],
    }


def _describe_access(sign: str, item: AccessChangeItem, because: str) -> str:
    """Describe a permission: `+ s3:GetObject on customer-data via data-reader`."""
    subject = shorten_policy_name(item["subject"])
    what = f"{item['action']} on {item['resource']}"
    if item["kind"] == "identity":
        what = f"{subject} can become {item['resource']} by {item['action']}"
    else:
        what = f"{what} via {subject}"
    if item["change"] in ("stronger", "weaker"):
        what = f"{what}: {item['before']} -> {item['after']}"
    elif item["change"] == "appears" and item["after"] != "always":
        what = f"{what} ({item['after']})"
    return f"{sign} {what}: {because}" if because else f"{sign} {what}"


def _join_coverage(
    before: ComparedSide, after: ComparedSide, now: int
) -> CoverageRecord:
    """Join the coverage of both sides."""
    sources = (*before.inventory.coverage, *after.inventory.coverage)
    return answer_coverage.build_source_coverage(sources, now)
