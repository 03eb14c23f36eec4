"""Compare the permission rows of a platform before and after a change."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from answerable.model.documents.shared_shapes import ReachItem, TruncationItem
from answerable.model.documents.what_if import AccessChangeItem
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.reach.acting_agents import list_agents_by_identity_used
from answerable.reach.condition_formula import Verdict
from answerable.reach.platform import (
    AnswerList,
    AppliedEdit,
    ChangeList,
    PageBounds,
    PermissionEvaluator,
    Question,
    SubjectIdentity,
)

_RANKS = (Verdict.NEVER, Verdict.ONLY_IF, Verdict.ALWAYS)
_ALWAYS = _RANKS.index(Verdict.ALWAYS)
_ORDER = ("appears", "stronger", "weaker", "falls-away")
_RowKey = tuple[str, str]
_Rows = Mapping[_RowKey, ReachItem]


@dataclass(frozen=True, slots=True)
class RowComparison:
    """Permissions of a platform on two sides, compared row by row.

    Attributes:
        inventory: Inventory whose agents are listed with a change.
        list_identities: Lists the identities of both sides, for a question without a
            subject.
        has_superusers: Whether an unconditional administrator's row covers all other
            rows of its subject.
        has_patterns: Whether the row of a pattern may cover that of a call, so that
            each changed row is compared with the patterns of the other side.
        own_rows: Whether only an identity's own rows are compared if the question has
            no subject, without those of identities that it can become.
    """

    inventory: Inventory
    before: PermissionEvaluator
    after: PermissionEvaluator
    list_identities: Callable[[], Iterable[str]]
    has_superusers: bool = False
    has_patterns: bool = False
    own_rows: bool = False

    def build_edit(self) -> AppliedEdit:
        """Return the two sides with this comparison."""
        return AppliedEdit(self.before, self.after, self.list_permission_changes)

    def list_permission_changes(
        self, question: Question, after: Sequence[SubjectIdentity], limit: int
    ) -> ChangeList:
        """List the rows that differ, for a subject or for all identities."""
        if question.subject:
            sides = [(question.identities, tuple(after))]
        else:
            starts = (
                SubjectIdentity(key, IdentityId(key))
                for key in dict.fromkeys(self.list_identities())
            )
            sides = [((each,), (each,)) for each in starts]
            question = replace(question, direct=question.direct or self.own_rows)
        items: list[AccessChangeItem] = []
        missing: set[str] = set()
        unread = False
        for was, will in sides:
            old, of_old = _collect_rows(self.before, question, was)
            new, of_new = _collect_rows(self.after, question, will)
            items += self._iterate_changes(old, new)
            for listed in (of_old, of_new):
                missing |= listed.not_collected
                unread = unread or listed.unread
            for row in (*old.values(), *new.values()):
                missing |= set(row.get("assuming", ()))
        items.sort(key=lambda item: _ORDER.index(item["change"]))
        shown = None
        if limit and len(items) > limit:
            shown = TruncationItem(
                rows=limit, what="changes", done=limit, of=len(items)
            )
            items = items[:limit]
        return ChangeList(tuple(items), frozenset(missing), unread, shown)

    def _iterate_changes(self, old: _Rows, new: _Rows) -> Iterator[AccessChangeItem]:
        """Yield the rows whose verdict differs."""
        whole: set[_RowKey] = set()
        if self.has_superusers:
            whole = _list_superuser_rows(old) | _list_superuser_rows(new)
        for key in dict.fromkeys((*old, *new)):
            was, will = old.get(key), new.get(key)
            if self.has_patterns:
                was, will = was or _find_cover(old, key), will or _find_cover(new, key)
            rank_before, rank_after = _rank_row(was), _rank_row(will)
            item = was if rank_before > rank_after else will
            covered = bool(whole) and key not in whole
            if rank_before == rank_after or covered or item is None:
                continue
            change = "weaker" if rank_before > rank_after else "stronger"
            if not was or not will:
                change = "falls-away" if was else "appears"
            yield {
                "change": change,
                "kind": "permission",
                "subject": item["subject"],
                "action": item["action"],
                "resource": item["resource"],
                "before": was["verdict"] if was else Verdict.NEVER.value,
                "after": will["verdict"] if will else Verdict.NEVER.value,
                "covers_before": "all" if was else "none",
                "covers_after": "all" if will else "none",
                "admin": item["admin"],
                "agents": list_agents_by_identity_used(self.inventory, item["subject"]),
                "determining": item["determining"],
                "path": item["path"],
                "assuming": item.get("assuming", []),
            }


def _collect_rows(
    evaluator: PermissionEvaluator,
    question: Question,
    identities: Sequence[SubjectIdentity],
) -> tuple[_Rows, AnswerList]:
    """Collect the row with the strongest verdict of each action and resource.

    Returns:
        The rows, and the list that they are from.
    """
    asked = replace(question, identities=tuple(identities))
    listed = evaluator.list_permissions(asked, PageBounds())
    rows: dict[_RowKey, ReachItem] = {}
    for answer in listed.answers:
        if answer.verdict is Verdict.NOT_KNOWN:
            continue
        key = answer.item["action"], answer.item["resource"]
        if _rank_row(rows.get(key)) < _rank_row(answer.item):
            rows[key] = answer.item
    return rows, listed


def _find_cover(rows: _Rows, key: _RowKey) -> ReachItem | None:
    """Find the strongest row whose patterns cover a call or a narrower pattern."""
    action, resource = key
    covering = (
        row
        for (actions, resources), row in rows.items()
        if _covers_action(actions, action) and fnmatchcase(resource, resources)
    )
    return max(covering, key=_rank_row, default=None)


def _covers_action(actions: str, action: str) -> bool:
    """Return whether `s3:*` or `* except kms:*` covers an action."""
    pattern, _, others = actions.lower().partition(" except ")
    excluded = others.split(", ") if others else ()
    name = action.lower().partition(" except ")[0]
    return fnmatchcase(name, pattern) and not any(
        fnmatchcase(name, each) for each in excluded
    )


def _rank_row(item: ReachItem | None) -> int:
    """Rank a row by its verdict: 0 for never or no row, 2 for always."""
    return _RANKS.index(Verdict(item["verdict"])) if item else 0


def _list_superuser_rows(rows: _Rows) -> set[_RowKey]:
    """List the unconditional rows of a superuser, which cover all others."""
    return {
        key for key, row in rows.items() if row["admin"] and _rank_row(row) == _ALWAYS
    }
