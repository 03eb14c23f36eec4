"""List the principals that can make one call, the surest first."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from answerable.model.documents.shared_shapes import TruncationItem
from answerable.model.google_cloud_ids import is_service_account
from answerable.model.ids import IdentityId
from answerable.reach.answer_items import parse_row_cursor
from answerable.reach.condition_formula import FALSE, TRUE
from answerable.reach.gcp.access_evaluation import AccessGap
from answerable.reach.gcp.answer_building import (
    GoogleAccess,
    build_access_answer,
    list_words,
)
from answerable.reach.gcp.estate_access import EstateAccess, get_policy_permission
from answerable.reach.gcp.estate_tables import IndexedBinding
from answerable.reach.gcp.limit_changes import (
    list_common_changes,
    select_tag_permissions,
)
from answerable.reach.gcp.step_rules import CONTAINER_POLICY, ROLE_UPDATE
from answerable.reach.gcp.step_search import ReachedPrincipal
from answerable.reach.platform import (
    AnswerList,
    PageBounds,
    Question,
    SubjectIdentity,
)

_SETS = (
    "domain:",
    "principalSet:",
    "projectOwner:",
    "projectEditor:",
    "projectViewer:",
)


@dataclass(slots=True)
class _CallerSearch:
    """Search for the callers of one call.

    Attributes:
        gaps: Missing data that could add callers.
    """

    access: EstateAccess
    question: Question
    gaps: dict[AccessGap, None]

    def find_callers(self) -> dict[str, GoogleAccess]:
        """Find the access of every caller."""
        found = self.find_present_callers()
        index = self.access.index
        if self.question.direct or not index.has_changeable_limits():
            return found
        call = self.question.action, self.question.resource
        places = [self.question.resource]
        if index.header.tag_conditions:
            places += self._list_candidates()
        for principal in list_limit_editors(self.access, self.question, places):
            present = found.get(principal)
            if present is not None and present.total == TRUE:
                continue
            lifted = self.access.find_access(principal, *call, direct=False)
            self.gaps |= dict.fromkeys(lifted.gaps)
            if lifted.total != FALSE and not lifted.gaps:
                found[principal] = lifted
        return found

    def find_present_callers(self) -> dict[str, GoogleAccess]:
        """Find the access of every caller under the present limits."""
        found = dict(self._find_holders())
        if self.question.direct:
            return found
        sure = {name: each.total == TRUE for name, each in found.items()}
        for origin, steps in self.access.search.search_back(sure).items():
            end = found[steps[-1].target]
            path = ReachedPrincipal(origin, steps)
            found[origin] = replace(end, hops=(*path.hops, *end.hops))
        return {name: each for name, each in found.items() if each.total != FALSE}

    def _find_holders(self) -> Iterator[tuple[str, GoogleAccess]]:
        """Yield the principals that can call by themselves, or by a policy they set."""
        call = self.question.action, self.question.resource
        for principal in self._list_candidates():
            reached = ReachedPrincipal(principal)
            best: GoogleAccess | None = None
            if self.question.direct:
                each = self.access.find_access(principal, *call, direct=True)
                best = each if each.total != FALSE and not each.gaps else None
            else:
                for each in self.access.list_accesses(reached, *call):
                    if each.gaps:
                        self.gaps |= dict.fromkeys(each.gaps)
                    elif each.total != FALSE and (best is None or each.total == TRUE):
                        best = each
                        if each.total == TRUE:
                            break
            if best is not None:
                yield principal, best

    def _list_candidates(self) -> Iterable[str]:
        """List the members, also of groups, that bindings of the resource name."""
        index, found = self.access.index, dict[str, None]()
        tree = index.tree
        wanted = {(self.question.resource, self.question.action)}
        if not self.question.direct:
            for place in tree.get_chain(self.question.resource):
                wanted |= {(place, get_policy_permission(index, place))}
                wanted |= {(place, ROLE_UPDATE)}
        editors = False
        for place, permission in sorted(wanted):
            for each in tree.get_chain(place) if permission else ():
                for binding in index.select_bindings(each, permission):
                    found |= self._expand_members(binding)
                    editors = editors or permission == ROLE_UPDATE
        for place in tree.get_chain(self.question.resource) if editors else ():
            for binding in index.by_resource.get(place, ()):
                if not binding.role.startswith("roles/"):
                    found |= self._expand_members(binding)
        if not index.has_policies_of(self.question.resource):
            gap = self.access.evaluation.explain_policies(self.question.resource)
            self.gaps[gap] = None
        return found

    def _expand_members(self, binding: IndexedBinding) -> Mapping[str, None]:
        """Return the members of a binding and of its groups, and note unknown ones."""
        index = self.access.index
        principals = index.principals
        expanded = principals.expand(binding.members)
        sets = [each for each in binding.members if each.startswith(_SETS)]
        if sets:
            expanded |= {
                each
                for each in index.list_identities()
                if any(index.match(each, member) != FALSE for member in sets)
            }
        for each in sorted(expanded & principals.open_groups):
            if each not in principals.members:
                what = "the members of the group were not collected"
                self.gaps[AccessGap(each, what, "gcp-groups")] = None
        return dict.fromkeys(sorted(expanded))


def list_limit_editors(
    access: EstateAccess, question: Question, ends: Iterable[str]
) -> Iterable[str]:
    """List the principals that may change a limit.

    Args:
        ends: Resources and service accounts whose tags may decide.
    """
    index, found = access.index, dict[str, None]()
    calls = [
        way[0] for change in list_common_changes(index) for way in change.ways if way
    ]
    for via, place in dict.fromkeys(calls):
        change = replace(question, action=via, resource=place, direct=False)
        found |= dict.fromkeys(_CallerSearch(access, change, {}).find_present_callers())
    if index.header.tag_conditions:
        holders = dict.fromkeys(_list_tag_holders(access, ends), True)
        found |= dict.fromkeys([*holders, *access.search.search_back(holders)])
    return sorted(found)


def _list_tag_holders(access: EstateAccess, ends: Iterable[str]) -> Iterator[str]:
    """Yield the members whose roles may change tags of some resources and accounts."""
    index = access.index
    places = {
        place: None
        for end in ends
        for place in index.tree.get_chain(
            index.get_account_resource(end) if is_service_account(end) else end
        )
    }
    for place in places:
        for binding in index.by_resource.get(place, ()):
            permissions = index.roles.get_permissions(binding.role) or frozenset()
            if select_tag_permissions(index, binding.role, place) or not (
                permissions.isdisjoint(CONTAINER_POLICY.values())
            ):
                yield from sorted(index.principals.expand(binding.members))


def list_callers_of_call(
    access: EstateAccess, question: Question, page: PageBounds
) -> AnswerList:
    """List the principals that can make a call; answers are built for the page alone.

    Raises:
        UsageError: The cursor is malformed.
    """
    search = _CallerSearch(access, question, {})
    found = search.find_callers()
    ordered = sorted(
        found, key=lambda each: (found[each].total != TRUE, len(found[each].hops), each)
    )
    first = parse_row_cursor(page.cursor or "0")
    end = first + page.rows if page.rows else len(ordered)
    call = question.action, question.resource
    answers = tuple(
        build_access_answer(SubjectIdentity(each, IdentityId(each)), found[each], call)
        for each in ordered[first:end]
    )
    is_last = end >= len(ordered)
    assumed = {word for each in found.values() for word in each.assumed}
    return AnswerList(
        answers,
        frozenset(assumed) | list_words(search.gaps),
        access.index.unread,
        "" if is_last or page.cursor is None else str(end),
        len(answers),
        None
        if is_last
        else TruncationItem(
            rows=len(answers), what="callers", done=end, of=len(ordered)
        ),
    )
