"""Compute adjacency rows: the identities that each principal can become in a step."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from answerable.reach.aws.bulk.bitset import (
    NO_VERDICTS,
    VerdictBits,
    build_bitset,
    build_range,
    list_positions,
)
from answerable.reach.aws.bulk.code_takeover import TakeoverSteps
from answerable.reach.aws.bulk.create_principal import IdentityCreation
from answerable.reach.aws.bulk.equivalence_classes import EquivalenceClasses
from answerable.reach.aws.bulk.existing_resources import ExistingResources
from answerable.reach.aws.bulk.graph_compiler import (
    AssumeRolePermissions,
    CallVerdicts,
    CompiledGraph,
    PassRolePermissions,
)
from answerable.reach.aws.bulk.group_nodes import (
    GroupNodes,
    NodesByUser,
    union_verdicts,
)
from answerable.reach.aws.bulk.pass_role import PassRoleSteps
from answerable.reach.aws.escalation_rules.registry import (
    EDIT_RULES,
    EditEffect,
    EditTarget,
    IamEditRule,
    list_rule_actions,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys

_SET_DEFAULT_VERSION = "iam:SetDefaultPolicyVersion"  # needs a wider version
_WIDENING_EFFECTS = (EditEffect.SELF, EditEffect.MEMBERSHIP, EditEffect.FREE)


@dataclass(eq=False, slots=True)
class StepRows:
    """Adjacency rows of some actors.

    Attributes:
        realm: All actors, indexed by the statements of these.
        actors: These actors, in order.
        there: Resources that they may act on.
        steps: Identities that each can become in one step.
        written: Those by a credential or trust policy that it may write.
        common: Those by any step shared by its equivalence class.
        assumed: Those by assuming a role.
        editors: Actors that may edit a policy, group or boundary of others.
        passers: Actors that may pass a role.
    """

    realm: CompiledGraph
    actors: Sequence[int]
    there: ExistingResources
    steps: list[VerdictBits] = field(default_factory=list)
    written: list[VerdictBits] = field(default_factory=list)
    common: list[VerdictBits] = field(default_factory=list)
    assumed: list[VerdictBits] = field(default_factory=list)
    editors: int = 0
    passers: int = 0
    _first: dict[int, int] = field(default_factory=dict)
    _edits: dict[IamEditRule, dict[int, VerdictBits]] = field(default_factory=dict)
    _mapped: dict[tuple[int, EditTarget], int] = field(default_factory=dict)
    _abling: dict[tuple[int, EditEffect], tuple[IamEditRule, ...]] = field(
        default_factory=dict
    )
    _widening: dict[int, VerdictBits] = field(default_factory=dict)
    _freeing: dict[int, VerdictBits] = field(default_factory=dict)
    _numbered: dict[tuple[EditTarget, tuple[str, ...]], int] = field(
        default_factory=dict
    )
    _joining: dict[tuple[VerdictBits, ...], NodesByUser] = field(default_factory=dict)
    _groups: GroupNodes = field(init=False)

    @classmethod
    def compute(
        cls, graph: CompiledGraph, actors: Sequence[int], existing: ExistingResources
    ) -> "StepRows":
        """Compute the adjacency rows (one-step reach) of some principals."""
        index = graph.index.restrict_to(build_bitset(actors, len(graph.nodes)))
        alone = replace(graph, index=index)
        return cls(alone, actors, existing.with_principals_of_graph(alone))

    def __post_init__(self) -> None:
        """Compute rows: role assumption by principal, the rest once per class."""
        realm, actors = self.realm, self.actors
        scope, size = realm.index.scope, len(realm.nodes)
        self._groups = GroupNodes(realm)
        assuming = AssumeRolePermissions(realm)
        there = self.there
        self._first = self._choose_class_representatives(there)
        firsts = sorted(set(self._first.values()))
        realm.index.scope = build_bitset(firsts, size)
        self._edits = {edit: self._evaluate_iam_edit(edit) for edit in EDIT_RULES}
        passes = PassRolePermissions(realm)
        ways = PassRoleSteps(realm, there, passes), TakeoverSteps(realm, there, passes)
        made = IdentityCreation(realm)
        written: dict[int, VerdictBits] = {}
        common: dict[int, VerdictBits] = {}
        for actor in firsts:
            row = written[actor] = self._combine_identities_of_edits(actor, assuming)
            for way in ways:
                row = way.add_gained_identities(actor, row)
            common[actor] = row
        realm.index.scope = scope
        passers = (n for n in actors if passes.able >> self._first[n] & 1)
        self.passers = build_bitset(passers, size)
        wide = [
            able
            for edit, able in self._edits.items()
            if edit.effect in _WIDENING_EFFECTS
        ]
        editing = set().union(*wide)
        editors = (n for n in actors if self._first[n] in editing)
        self.editors = build_bitset(editors, size)
        same: dict[VerdictBits, VerdictBits] = {}
        for actor in actors:
            one = self._first[actor]
            assumed = assuming.find_assumable_roles(actor)
            near = common[one] | assumed
            row = (
                near
                | made.find_creatable_identities(actor, one)
                | self._find_identities_made_administrators(actor, one, near)
            )
            row |= self._find_identities_freed_of_boundary(actor, one, row)
            self.written.append(written[one])
            self.common.append(common[one])
            self.assumed.append(same.setdefault(assumed, assumed))
            self.steps.append(same.setdefault(row, row))

    def list_group_joins(self) -> Iterator[tuple[int, NodesByUser]]:
        """Pair principals with the graph nodes they become by joining an IAM group.

        A node with unrestricted permissions makes one that joined a group redundant.
        """
        joins = [edit for edit in EDIT_RULES if edit.effect is EditEffect.MEMBERSHIP]
        for edit in joins:
            for number, actor in enumerate(self.actors):
                groups = self._edits[edit].get(self._first[actor], NO_VERDICTS)
                if groups.some:
                    row = self.steps[number]
                    yield actor, self._list_reachable_group_nodes(actor, groups, row)
                    yield actor, self._list_own_group_nodes(actor, groups, row)
        for actor in self.actors:
            node = self.realm.nodes[actor]
            joined = node.extra not in ("", "*") and not node.bare
            if joined and not self._is_administrator(actor):
                base = self.realm.index.base[actor]
                free = self._find_removable_boundaries(actor, self._first[actor])
                if free.some >> base & 1:
                    sure = bool(free.sure >> base & 1)
                    yield actor, (((node._replace(bare=True), sure),),)

    def _list_reachable_group_nodes(
        self, actor: int, groups: VerdictBits, row: VerdictBits
    ) -> NodesByUser:
        """List the nodes of reachable users after a principal adds them to groups."""
        realm = self.realm
        near = realm.near.get(realm.index.actors[actor].identity.account, 0)
        own = 1 << realm.index.base[actor]
        superfluous = realm.admins | row.sure >> realm.widened
        users = row.restrict_to(realm.users & near & ~(own | superfluous))
        if not users.some:
            return ()
        free = self._find_removable_boundaries(actor, self._first[actor])
        key = users, groups, free.restrict_to(users.some)
        found = self._joining.get(key)
        if found is None:
            found = self._joining[key] = self._groups.list_nodes(*key)
        return found

    def _list_own_group_nodes(
        self, actor: int, groups: VerdictBits, row: VerdictBits
    ) -> NodesByUser:
        """List the nodes of a principal after it adds itself to groups."""
        realm, node = self.realm, self.realm.nodes[actor]
        base = realm.index.base[actor]
        if node.extra or base >= realm.plain or self._is_administrator(actor):
            return ()
        superfluous = realm.admins | row.sure >> realm.widened
        itself = 1 << base & realm.users & ~superfluous
        return self._groups.list_nodes(
            VerdictBits(itself, itself), groups, NO_VERDICTS, bare=node.bare
        )

    def _choose_class_representatives(
        self, existing: ExistingResources
    ) -> dict[int, int]:
        """Map each principal to one representative of its equivalence class."""
        used = [action.lower() for action in sorted(list_rule_actions())]
        kin = EquivalenceClasses(self.realm, used, (), existing.list_named_principals())
        first: dict[Hashable, int] = {}
        return {n: first.setdefault(kin.get_class_key(n), n) for n in self.actors}

    def _evaluate_iam_edit(self, edit: IamEditRule) -> dict[int, VerdictBits]:
        """Return the principals that may make an IAM edit, each with its targets."""
        realm = self.realm
        policies = realm.policies
        grounds = {
            EditTarget.GROUP: realm.groups,
            EditTarget.POLICY: policies,
            EditTarget.BOUNDARY: policies,
        }
        stated = ContextKeys({key: (value,) for key, value in edit.context})
        ground = grounds.get(edit.target, realm.identities)
        return CallVerdicts(realm, edit.action, ground, stated).evaluate_all_resources()

    def _combine_identities_of_edits(
        self, actor: int, assume_role: AssumeRolePermissions
    ) -> VerdictBits:
        """Unite the identities gained by new credentials and edited trust policies."""
        realm = self.realm
        found = []
        for edit in EDIT_RULES:
            verdicts = self._edits[edit].get(actor, NO_VERDICTS)
            if not verdicts.some:
                continue
            if edit.effect is EditEffect.TARGET:
                found.append(verdicts.restrict_to(realm.users))
            elif edit.effect is EditEffect.TRUST:
                after = assume_role.find_roles_after_trust_edit(actor)
                both = VerdictBits(
                    verdicts.sure & after.sure, verdicts.some & after.some
                )
                found.append(both.restrict_to(realm.editable))
        return union_verdicts(found)

    def _find_identities_made_administrators(
        self, actor: int, leader: int, reached: VerdictBits
    ) -> VerdictBits:
        """Return identities, reachable or itself, that a principal makes admins."""
        realm = self.realm
        able = self._list_permitted_iam_edits(leader, EditEffect.SELF)
        if not able:
            return NO_VERDICTS
        wide = self._widening.get(leader)
        if wide is None:
            wide = union_verdicts(
                self._find_widened_identities(edit, leader) for edit in able
            )
            self._widening[leader] = wide
        account = realm.index.actors[actor].identity.account
        own = 1 << realm.index.base[actor]
        others = realm.near.get(account, 0) & ~(realm.admins | own)
        sure = reached.sure & wide.sure & others
        some = reached.some & wide.some & others
        found = VerdictBits(sure << realm.widened, some << realm.widened)
        if realm.nodes[actor].extra != "*" and not self._is_administrator(actor):
            found |= union_verdicts(self._list_self_escalations(actor, leader, able))
        return found

    def _list_permitted_iam_edits(
        self, leader: int, effect: EditEffect
    ) -> tuple[IamEditRule, ...]:
        """List the edits of one effect that an equivalence class may make."""
        found = self._abling.get((leader, effect))
        if found is None:
            listed = (
                e for e in EDIT_RULES if e.effect is effect and leader in self._edits[e]
            )
            found = self._abling[leader, effect] = tuple(listed)
        return found

    def _find_removable_boundaries(self, actor: int, leader: int) -> VerdictBits:
        """Return the identities whose boundary a principal may remove or widen."""
        realm = self.realm
        if not realm.bounded:
            return NO_VERDICTS
        free = self._freeing.get(leader)
        if free is None:
            able = self._list_permitted_iam_edits(leader, EditEffect.FREE)
            free = union_verdicts(
                self._find_widened_identities(edit, leader) for edit in able
            )
            self._freeing[leader] = free
        account = realm.index.actors[actor].identity.account
        return free.restrict_to(
            realm.near.get(account, 0) & build_range(0, realm.bounded.stop)
        )

    def _find_identities_freed_of_boundary(
        self, actor: int, leader: int, row: VerdictBits
    ) -> VerdictBits:
        """Return identities whose boundary a principal removes, itself included."""
        realm = self.realm
        free = self._find_removable_boundaries(actor, leader)
        if not free.some:
            return NO_VERDICTS
        node, own = realm.nodes[actor], 1 << realm.index.base[actor]
        others = free.restrict_to(~own)
        changes = not node.bare and not self._is_administrator(actor)
        found = []
        for kind, shift in enumerate((0, realm.widened)):
            reached = VerdictBits(
                others.sure & row.sure >> shift, others.some & row.some >> shift
            )
            if changes and node.extra == ("", "*")[kind]:
                reached |= free.restrict_to(own)
            found.append(
                VerdictBits(
                    realm.map_to_nodes_without_boundary(reached.sure, kind),
                    realm.map_to_nodes_without_boundary(reached.some, kind),
                )
            )
        return union_verdicts(found)

    def _is_administrator(self, actor: int) -> bool:
        """Return whether a principal may call any action on any resource."""
        return self.realm.graph.is_administrator(self.realm.nodes[actor])

    def _find_widened_identities(self, edit: IamEditRule, actor: int) -> VerdictBits:
        """Return the identities whose policies an edit would widen."""
        realm = self.realm
        verdicts = self._edits[edit][actor]
        match edit.target:
            case EditTarget.USER:
                row = verdicts.restrict_to(realm.users)
            case EditTarget.ROLE:
                row = verdicts.restrict_to(realm.editable)
            case on:
                row = VerdictBits(
                    self._map_targets_to_identities(verdicts.sure, on),
                    self._map_targets_to_identities(verdicts.some, on),
                )
        return VerdictBits(0, row.some) if edit.action == _SET_DEFAULT_VERSION else row

    def _map_targets_to_identities(self, targets: int, target_kind: EditTarget) -> int:
        """Map a bitset of groups or policies to the identities that have them."""
        found = self._mapped.get((targets, target_kind))
        if found is None:
            members, found = self.realm.members[target_kind], 0
            for target in list_positions(targets):
                found |= members[target]
            self._mapped[targets, target_kind] = found
        return found

    def _list_self_escalations(
        self, actor: int, leader: int, possible_edits: Sequence[IamEditRule]
    ) -> Iterator[VerdictBits]:
        """Yield the principal as administrator, for each edit of its own policies."""
        realm = self.realm
        principal = realm.index.actors[actor]
        base = realm.index.base[actor]
        wide = realm.widened + base
        to = (
            realm.map_to_nodes_without_boundary(1 << base, 1)
            if realm.nodes[actor].bare
            else 1 << wide
        )
        for edit in possible_edits:
            verdicts = self._edits[edit][leader]
            match edit.target:
                case EditTarget.USER:
                    mine = 1 << base & realm.users
                case EditTarget.ROLE:
                    mine = 1 << base & realm.editable
                case EditTarget.GROUP:
                    mine = self._encode_targets(edit.target, principal.groups)
                case EditTarget.POLICY | EditTarget.BOUNDARY:
                    mine = self._encode_targets(edit.target, principal.policies)
            sure = verdicts.sure & mine and edit.action != _SET_DEFAULT_VERSION
            yield VerdictBits(to if sure else 0, to if verdicts.some & mine else 0)

    def _encode_targets(self, target_kind: EditTarget, names: tuple[str, ...]) -> int:
        """Encode group or customer-managed policy names as a bitset."""
        found = self._numbered.get((target_kind, names))
        if found is None:
            realm = self.realm
            ground = realm.groups if target_kind is EditTarget.GROUP else realm.policies
            number = ground.arn_index.number
            found = sum(1 << number[text] for text in set(names) if text in number)
            self._numbered[target_kind, names] = found
        return found
