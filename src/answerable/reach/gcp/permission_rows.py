"""List what principals can do: a permission pattern and a resource a row.

A pattern such as `storage.objects.*` stands for all permissions of that prefix in the
role catalogue. A row about a project, folder or organization holds for the resources
below, too, where no deny policy of their own refuses it.
"""

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from answerable.model.documents.shared_shapes import TruncationItem
from answerable.model.google_cloud_ids import get_container
from answerable.reach.answer_items import parse_row_cursor
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Formula,
    conjoin,
    conjoin_hops,
)
from answerable.reach.gcp.access_evaluation import (
    AccessGap,
    denies_permission,
    describe_binding,
)
from answerable.reach.gcp.answer_building import (
    GoogleAccess,
    build_access_answer,
    build_not_known_answer,
    explain_gaps,
    list_words,
)
from answerable.reach.gcp.condition_context import evaluate_resource_condition
from answerable.reach.gcp.estate_access import EstateAccess
from answerable.reach.gcp.estate_tables import IndexedBinding
from answerable.reach.gcp.step_search import ReachedPrincipal
from answerable.reach.platform import (
    Answer,
    AnswerList,
    DeterminingStatement,
    PageBounds,
    PathHop,
    Question,
    SubjectIdentity,
)

ALL = "*"


@dataclass(frozen=True, slots=True)
class GooglePermissionRow:
    """Row of a list before its answer is built."""

    start: SubjectIdentity
    found: GoogleAccess
    action: str
    resource: str


def is_glob(text: str) -> bool:
    """Return whether a text is a glob."""
    return bool(set("*?[") & set(text))


class RowLister:
    """Lists of rows for one question."""

    def __init__(self, access: EstateAccess, question: Question) -> None:
        self._access = access
        self._index = access.index
        self._question = question
        self._listed: dict[tuple[str, str], set[Formula]] = {}
        self._owned: set[str] = set()
        self.gaps: dict[AccessGap, None] = {}

    def list_page(self, page: PageBounds) -> AnswerList:
        """List one page; answers are built for the page alone.

        Raises:
            UsageError: The cursor is malformed.
        """
        rows = sorted(self._iterate_rows(), key=lambda each: not each.found.admin)
        first = parse_row_cursor(page.cursor or "0")
        end = first + page.rows if page.rows else len(rows)
        answers = [_build_answer(each) for each in rows[first:end]]
        is_last = end >= len(rows)
        if is_last and self.gaps:
            unknown, words = explain_gaps(self.gaps), list_words(self.gaps)
            answers.append(build_not_known_answer(self._question, unknown, words))
        assumed = {word for row in rows for word in row.found.assumed}
        cursor = "" if is_last or page.cursor is None else str(end)
        shown = None
        if not is_last:
            count = len(rows)
            shown = TruncationItem(rows=len(answers), what="rows", done=end, of=count)
        return AnswerList(
            tuple(answers),
            frozenset(assumed) | list_words(self.gaps),
            self._index.unread,
            cursor,
            len(answers),
            shown,
        )

    def _iterate_rows(self) -> Iterator[GooglePermissionRow]:
        """Yield the rows of all identities of the question."""
        for start in self._question.identities:
            yield from self._list_rows_of(start)
            if self._question.direct:
                continue
            for lifted in self._access.list_lifted(start.identity):
                if lifted.gaps:
                    self.gaps |= dict.fromkeys(lifted.gaps)
                    continue
                after = copy(self)
                after._access, after._index = lifted.access, lifted.access.index
                hops = (*start.hops, *lifted.hops)
                yield from after._list_rows_of(replace(start, hops=hops))

    def _list_rows_of(self, start: SubjectIdentity) -> Iterator[GooglePermissionRow]:
        """Yield the rows of one identity under the deny policies of the index."""
        reached: Iterable[ReachedPrincipal] = (ReachedPrincipal(start.identity),)
        if not self._question.direct:
            reached = self._access.search.search_from(start.identity)
        for each in reached:
            yield from self._list_controlled(start, each)
            yield from self._list_granted(start, each)

    def _list_granted(
        self, start: SubjectIdentity, reached: ReachedPrincipal
    ) -> Iterator[GooglePermissionRow]:
        """Yield the rows of the bindings of one principal."""
        path = RowPath.build(start, reached.hops)
        for binding in self._index.list_bindings_of(reached.principal):
            place = self._select_resource(binding.resource)
            if not place or (reached.steps and self._is_owned(place)):
                continue
            permissions = self._index.roles.get_permissions(binding.role)
            match = self._index.match_binding(reached.principal, binding)
            gap = self._access.evaluation.find_gap(binding, match)
            if gap or permissions is None:
                self.gaps |= {gap: None} if gap else {}
                continue
            statement = describe_binding(self._index, reached.principal, binding)
            for action, formula in self._list_actions(
                reached.principal, (binding, match), permissions, place
            ):
                yield from self._yield_new_row(
                    path, (action, place), (formula, (statement,))
                )

    def _list_actions(
        self,
        principal: str,
        granted: tuple[IndexedBinding, Formula],
        permissions: frozenset[str],
        place: str,
    ) -> Iterator[tuple[str, Formula]]:
        """Yield the patterns of a role, and single permissions that are limited."""
        binding, match = granted
        glob = self._question.action
        wanted = permissions
        if glob != ALL:
            wanted = frozenset(p for p in permissions if fnmatchcase(p, glob))
        limited = self._select_limited(principal, wanted, place)
        whole = wanted - limited if limited else wanted
        for action in self._index.roles.join_patterns(whole):
            formula = evaluate_resource_condition(
                self._index, binding.condition, action, place
            )
            yield action, conjoin(match, formula)
        for action in sorted(limited):
            limits, _ = self._access.evaluation.evaluate_limits(
                principal, action, place
            )
            formula = evaluate_resource_condition(
                self._index, binding.condition, action, place
            )
            yield action, conjoin(match, formula, limits)

    def _select_limited(
        self, principal: str, permissions: frozenset[str], place: str
    ) -> frozenset[str]:
        """Select the permissions that deny policies or boundaries may refuse."""
        index = self._index
        if any(
            index.match(principal, each.principal_set) != FALSE
            for each in index.boundary_bindings
        ):
            return permissions
        rules = [
            rule
            for each in index.tree.get_chain(place)
            for policy in index.deny_policies.get(each, ())
            for rule in policy.rules or ()
            if any(index.match(principal, p) != FALSE for p in rule.principals)
        ]
        if any(
            policy.rules is None
            for each in index.tree.get_chain(place)
            for policy in index.deny_policies.get(each, ())
        ):
            return permissions
        return frozenset(
            each
            for each in permissions
            if any(denies_permission(rule, each) for rule in rules)
        )

    def _list_controlled(
        self, start: SubjectIdentity, reached: ReachedPrincipal
    ) -> Iterator[GooglePermissionRow]:
        """Yield a row for each resource whose policy a principal may set."""
        if self._question.direct:
            return
        for resource, via, access in self._access.list_controlled(reached.principal):
            place = self._select_resource(resource)
            if not place or self._is_owned(place):
                continue
            is_container = bool(get_container(resource)[0])
            everything = ALL if is_container else f"{via.rpartition('.')[0]}.*"
            action = self._select_action(everything)
            if not action:
                continue
            hop = PathHop(
                reached.principal, via, resource, access.formula, access.statements
            )
            added = DeterminingStatement(
                "allow-policy", resource, "a binding that the identity may add", "allow"
            )
            path = RowPath.build(start, (*reached.hops, hop))
            rows = self._yield_new_row(
                path, (action, place), (TRUE, (added,)), admin=is_container
            )
            for row in rows:
                yield row
                if is_container and row.found.total == TRUE and not start.hops:
                    self._owned.add(resource)

    def _is_owned(self, place: str) -> bool:
        """Return whether a row without conditions gives everything on a resource."""
        chain = self._index.tree.get_chain(place)
        return bool(self._owned) and not self._owned.isdisjoint(chain)

    def _select_action(self, everything: str) -> str:
        """Return the action of a row for a pattern; empty for none."""
        glob = self._question.action
        if glob == ALL or fnmatchcase(everything, glob):
            return everything
        inside = everything == ALL or fnmatchcase(glob, everything)
        return glob if inside else ""

    def _select_resource(self, place: str) -> str:
        """Return the resource of a row; empty if the glob excludes it."""
        glob = self._question.resource
        if glob == ALL or fnmatchcase(place, glob):
            return place
        if not is_glob(glob) and place in self._index.tree.get_chain(glob):
            return glob
        return ""

    def _yield_new_row(
        self,
        path: "RowPath",
        call: tuple[str, str],
        granted: tuple[Formula, tuple[DeterminingStatement, ...]],
        *,
        admin: bool = False,
    ) -> Iterator[GooglePermissionRow]:
        """Yield a row, unless an earlier one grants the call without conditions."""
        formula, statements = granted
        total = conjoin_hops(path.formula, formula)
        seen = self._listed.setdefault(call, set())
        if total != FALSE and TRUE not in seen and total not in seen:
            seen.add(total)
            assumed = self._access.evaluation.list_assumed()
            found = GoogleAccess(
                formula, path.hops, statements, assumed=assumed, admin=admin
            )
            yield GooglePermissionRow(path.start, found, *call)


@dataclass(frozen=True, slots=True)
class RowPath:
    """Path of all rows of one principal.

    Attributes:
        start: Identity of the question.
        hops: Steps from it.
        formula: Condition of all steps to it and from it.
    """

    start: SubjectIdentity
    hops: tuple[PathHop, ...]
    formula: Formula

    @classmethod
    def build(cls, start: SubjectIdentity, hops: tuple[PathHop, ...]) -> "RowPath":
        """Build the path of the rows of a principal."""
        steps = (hop.formula for hop in (*start.hops, *hops))
        return cls(start, hops, conjoin_hops(*steps))


def _build_answer(row: GooglePermissionRow) -> Answer:
    """Build the answer of a row."""
    return build_access_answer(row.start, row.found, (row.action, row.resource))
