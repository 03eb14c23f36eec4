"""Grade the exposure of every identity: administrator, public, externally assumable.

Computed from the closure over all actors; paths are searched only for the identities
that are shown.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import VerdictBits, build_bitset, list_positions
from answerable.reach.aws.bulk.closure import GraphClosure, get_graph_closure
from answerable.reach.aws.evaluation.trust_policies import TrustEntry
from answerable.reach.aws.external_caller_queries import build_role_entry_hop
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.path_search import (
    BackwardSearch,
    search_backward_from_targets,
)
from answerable.reach.condition_formula import FALSE, TRUE, Verdict
from answerable.reach.platform import PathHop

_ANYONE = "*"


class ExposureGrade(StrEnum):
    """Grade of exposure, the most severe first."""

    PUBLIC_ADMIN = "public administrators"
    EXTERNAL_ADMIN = "externally assumable administrators"
    PUBLIC = "public"
    ADMIN = "administrators"
    EXTERNAL = "externally assumable"
    BECOMES = "becomes others"
    NOTHING = "no more than its own permissions"


@dataclass(frozen=True, slots=True)
class IdentityExposure:
    """Exposure of one identity.

    Attributes:
        identity: Id of the identity.
        admin: Verdict on being or becoming an administrator.
        public: Verdict on its trust policy admitting anyone.
        external: Verdict on its trust policy admitting a named outside principal.
        becomes: How many other identities it can become.
        entered_by: Outside principals that its trust policy admits.
    """

    identity: IdentityId
    admin: Verdict
    public: Verdict
    external: Verdict
    becomes: int
    entered_by: tuple[str, ...]

    @property
    def grade(self) -> ExposureGrade:
        """Severity: public or external entry, administrator, becomes others."""
        admin = self.admin is not Verdict.NEVER
        if self.public is not Verdict.NEVER:
            return ExposureGrade.PUBLIC_ADMIN if admin else ExposureGrade.PUBLIC
        if self.external is not Verdict.NEVER:
            return ExposureGrade.EXTERNAL_ADMIN if admin else ExposureGrade.EXTERNAL
        if admin:
            return ExposureGrade.ADMIN
        return ExposureGrade.BECOMES if self.becomes else ExposureGrade.NOTHING

    @property
    def is_unconditional(self) -> bool:
        """Return whether admin, public or external access needs no condition."""
        return Verdict.ALWAYS in (self.admin, self.public, self.external)


@dataclass(eq=False, slots=True)
class AccountExposure:
    """Exposure of all identities of a graph, from its closure.

    Attributes:
        admins: Actors that are or reach an administrator.
        ends: Identities of a part of the accounts that reach an administrator in
            another part, with the verdict on it; `not-known` if that part has too many
            identities to follow every path.
    """

    graph: IdentityGraph
    whole: GraphClosure = field(init=False)
    admins: VerdictBits = field(init=False)
    _are_admins: VerdictBits = field(init=False)
    _not_known: int = field(init=False)
    _entries: dict[IdentityId, tuple[TrustEntry, ...]] = field(default_factory=dict)
    _counts: dict[int, int] = field(default_factory=dict)
    _towards: BackwardSearch | None = None
    ends: Mapping[IdentityId, Verdict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find administrators, and the roles that outside principals may enter."""
        graph = self.graph
        self.whole = whole = get_graph_closure(graph)
        numbers = range(whole.size)
        own = build_bitset(
            (n for n in numbers if graph.is_administrator(whole.get_node_by_number(n))),
            whole.size,
        )
        sure, some, not_known = (
            build_bitset(
                (
                    whole.get_or_assign_node_number(graph.get_start_node(name))
                    for name, verdict in self.ends.items()
                    if verdict in verdicts
                ),
                whole.size,
            )
            for verdicts in (
                (Verdict.ALWAYS,),
                (Verdict.ALWAYS, Verdict.ONLY_IF),
                (Verdict.NOT_KNOWN,),
            )
        )
        self._not_known = whole.some.find_nodes_reaching(not_known)
        self._are_admins = VerdictBits(own | sure, own | some)
        self.admins = VerdictBits(
            whole.sure.find_nodes_reaching(self._are_admins.sure),
            whole.some.find_nodes_reaching(self._are_admins.some),
        )
        for role in graph.accounts.externally_trusted_roles:
            found = tuple(
                each
                for each in graph.list_external_role_entries(role)
                if each.answer.formula != FALSE
            )
            if found:
                self._entries[role] = found

    def list_identity_exposures(self) -> Iterator[IdentityExposure]:
        """Yield each identity's admin rights, outside access and reached others."""
        whole = self.whole
        for name in self.graph.accounts.principals:
            number = whole.get_or_assign_node_number(self.graph.get_start_node(name))
            entries = self._entries.get(name, ())
            yield IdentityExposure(
                identity=name,
                admin=self._get_verdict_on_admin(number),
                public=_get_verdict_of_outside_entries(
                    e for e in entries if e.principal == _ANYONE
                ),
                external=_get_verdict_of_outside_entries(
                    e for e in entries if e.principal != _ANYONE
                ),
                becomes=self._count_reachable_identities(number),
                entered_by=tuple(dict.fromkeys(each.principal for each in entries)),
            )

    def _get_verdict_on_admin(self, number: int) -> Verdict:
        """Return the verdict on being or becoming an administrator."""
        found = _get_verdict_of_graph_nodes(self.admins, 1 << number)
        is_cut = found is Verdict.NEVER and self._not_known >> number & 1
        return Verdict.NOT_KNOWN if is_cut else found

    def _count_reachable_identities(self, number: int) -> int:
        """Count the other identities that a node can become."""
        row = self.whole.some.beyond[number]
        count = self._counts.get(row)  # many nodes share a row
        if count is None:
            count = self.whole.actors.index.replace_copies(row).bit_count()
            self._counts[row] = count
        return count - bool(row & self._get_graph_nodes_of_identity(number))

    def _get_graph_nodes_of_identity(self, number: int) -> int:
        """Return, as a bitset, the node of an identity and its variants."""
        return self.whole.actors.index.include_copies(1 << number)

    def list_reachable_identities(
        self, exposure: IdentityExposure, limit: int
    ) -> list[IdentityId]:
        """List identities that an exposed one can become, administrators first."""
        whole = self.whole
        number = whole.get_or_assign_node_number(
            self.graph.get_start_node(exposure.identity)
        )
        others = whole.some.beyond[number] & ~self._get_graph_nodes_of_identity(number)
        found: dict[IdentityId, None] = {}
        for part in (others & self._are_admins.some, others & ~self._are_admins.some):
            for node in list_positions(part):
                if len(found) == limit:
                    return list(found)
                found[whole.get_node_by_number(node).identity] = None
        return list(found)

    def find_exposure_path(self, exposure: IdentityExposure) -> tuple[PathHop, ...]:
        """Return the path to an administrator, else the entry from outside."""
        if exposure.admin is not Verdict.NEVER:
            if self._towards is None:
                self._towards = search_backward_from_targets(
                    self.graph, (), self._are_admins
                )
            way = self._towards.find_path_to_target(
                self.graph.get_start_node(exposure.identity)
            )
            return way.hops if way is not None else ()
        for each in self._entries.get(exposure.identity, ()):
            hop = build_role_entry_hop(each, exposure.identity)
            return (replace(hop, origin=each.principal),)
        return ()


def _get_verdict_of_outside_entries(entries: Iterable[TrustEntry]) -> Verdict:
    """Return the verdict on outside entries to a role: always, only-if or never."""
    formulas = [each.answer.formula for each in entries]
    if TRUE in formulas:
        return Verdict.ALWAYS
    return Verdict.ONLY_IF if formulas else Verdict.NEVER


def _get_verdict_of_graph_nodes(verdicts: VerdictBits, actors: int) -> Verdict:
    """Return the best verdict over some graph nodes: always, only-if or never."""
    if verdicts.sure & actors:
        return Verdict.ALWAYS
    return Verdict.ONLY_IF if verdicts.some & actors else Verdict.NEVER
