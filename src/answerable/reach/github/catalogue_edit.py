"""Remove statements from catalogues, and list what changes (command `what-if`)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

import msgspec

from answerable.model.documents.shared_shapes import ReachItem, TruncationItem
from answerable.model.documents.what_if import AccessChangeItem
from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.reach.acting_agents import list_agents_by_identity_used
from answerable.reach.formula import Verdict
from answerable.reach.github.catalogue import GithubOrganization
from answerable.reach.github.identity_lists import list_identities
from answerable.reach.github.organization_index import PLATFORM, Organizations
from answerable.reach.github.permission_lists import list_rows_of_identities
from answerable.reach.github.statement_removal import (
    StatementRemoval,
    remove_from_organization,
)
from answerable.reach.platform import (
    ChangeList,
    PolicyEdit,
    Question,
    SubjectIdentity,
)

_RANKS = (Verdict.NEVER, Verdict.ONLY_IF, Verdict.ALWAYS)
_ORDER = ("appears", "stronger", "weaker", "falls-away")
_HINT = "`answerable can SUBJECT ACTION RESOURCE -o json` prints the statements"
RowKey = tuple[str, str]


def remove_statements(
    catalogues: Iterable[PlatformCatalogue], edit: PolicyEdit
) -> tuple[PlatformCatalogue, ...]:
    """Remove the statements of an edit, as answers print them.

    Raises:
        UsageError: A statement is unknown, or the edit is of another kind.
    """
    if edit.file or edit.policies:
        raise UsageError(
            "GitHub takes away single grants and rules (expected --without STATEMENT)",
            _HINT,
        )
    removal = StatementRemoval(edit.statements)
    edited = tuple(
        replace(each, body=_remove_from_body(each.body, removal))
        if each.platform == PLATFORM
        else each
        for each in catalogues
    )
    for text in removal.wanted.keys() - removal.found:
        close = get_close_matches(text, removal.known, n=1)
        raise UsageError(
            f"no such statement (got {text[:200]!r})",
            f"did you mean {close[0]!r}?" if close else _HINT,
        )
    return edited


def _remove_from_body(body: str, removal: StatementRemoval) -> str:
    """Return the JSON of an organization without the statements."""
    organization = msgspec.json.decode(body, type=GithubOrganization)
    edited = remove_from_organization(organization, removal)
    return msgspec.json.encode(edited).decode()


@dataclass(frozen=True, slots=True)
class EditedOrganizations:
    """Organizations before and after an edit."""

    inventory: Inventory
    before: Organizations
    after: Organizations

    def list_permission_changes(
        self, question: Question, after: Sequence[SubjectIdentity], limit: int
    ) -> ChangeList:
        """List the differences between the rows of both sides."""
        if question.subject:
            sides = [(question.identities, tuple(after))]
        else:
            sides = [((each,), (each,)) for each in self._list_starts()]
        items: list[AccessChangeItem] = []
        for was, will in sides:
            old = _collect_strongest_rows(self.before, question, was)
            new = _collect_strongest_rows(self.after, question, will)
            items += self._iterate_changes(old, new)
        items.sort(key=lambda item: _ORDER.index(item["change"]))
        shown = None
        if limit and len(items) > limit:
            shown = TruncationItem(
                rows=limit, what="changes", done=limit, of=len(items)
            )
            items = items[:limit]
        missing = {word for item in items for word in item["assuming"]}
        return ChangeList(tuple(items), frozenset(missing), shown=shown)

    def _list_starts(self) -> list[SubjectIdentity]:
        """List every identity of the organizations."""
        keys = dict.fromkeys(
            str(each)
            for index in self.before.values()
            for each in list_identities(index)
        )
        return [SubjectIdentity(key, IdentityId(key)) for key in keys]

    def _iterate_changes(
        self, old: Mapping[RowKey, ReachItem], new: Mapping[RowKey, ReachItem]
    ) -> Iterator[AccessChangeItem]:
        """Yield the rows whose verdict differs."""
        for key in dict.fromkeys((*old, *new)):
            was, will = old.get(key), new.get(key)
            ranks = _rank(was), _rank(will)
            item = was if ranks[0] > ranks[1] else will
            if ranks[0] == ranks[1] or item is None:
                continue
            yield {
                "change": _name_change(was, will),
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


def _name_change(was: ReachItem | None, will: ReachItem | None) -> str:
    """Name the change of a row."""
    if not was or not will:
        return "falls-away" if was else "appears"
    return "weaker" if _rank(was) > _rank(will) else "stronger"


def _collect_strongest_rows(
    organizations: Organizations,
    question: Question,
    identities: Sequence[SubjectIdentity],
) -> dict[RowKey, ReachItem]:
    """Collect the strongest row of each action and resource."""
    asked = replace(question, identities=tuple(identities))
    rows: dict[RowKey, ReachItem] = {}
    for answer in list_rows_of_identities(organizations, asked):
        if answer.verdict is Verdict.NOT_KNOWN:
            continue
        key = answer.item["action"], answer.item["resource"]
        if _rank(rows.get(key)) < _rank(answer.item):
            rows[key] = answer.item
    return rows


def _rank(item: ReachItem | None) -> int:
    """Rank a row by its verdict."""
    return _RANKS.index(Verdict(item["verdict"])) if item else 0
