"""Adjacency rows: the identities that each actor can become in one step."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from answerable.reach.aws.bulk.bitset import build_bitset, build_range, list_positions
from answerable.reach.aws.bulk.caller_side import NO_VERDICTS, VerdictBits
from answerable.reach.aws.bulk.code_takeover import TakeoverSteps
from answerable.reach.aws.bulk.create_principal import IdentityCreation
from answerable.reach.aws.bulk.edges import (
    AssumeRolePermissions,
    CallVerdicts,
    CompiledGraph,
    PassRolePermissions,
)
from answerable.reach.aws.bulk.equivalence_classes import EquivalenceClasses
from answerable.reach.aws.bulk.existing_resources import ExistingResources
from answerable.reach.aws.bulk.pass_role import PassRoleSteps
from answerable.reach.aws.escalation_rules.registry import (
    EDIT_RULES,
    EditEffect,
    EditTarget,
    IamEditRule,
    list_rule_actions,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.paths.edges import IdentityNode

# New nodes, and whether unconditionally.
GroupNodes = tuple[tuple[IdentityNode, bool], ...]
# Helps only where a wider version exists.
_SET_DEFAULT_VERSION = "iam:SetDefaultPolicyVersion"
_WIDENING_EFFECTS = (EditEffect.SELF, EditEffect.MEMBERSHIP, EditEffect.FREE)


def union_verdicts(rows: Iterable[VerdictBits]) -> VerdictBits:
    """Unite verdicts."""
    sure = some = 0
    for row in rows:
        sure |= row.sure
        some |= row.some
    return VerdictBits(sure, some)


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
    _joining: dict[tuple[VerdictBits, ...], GroupNodes] = field(default_factory=dict)

    @classmethod
    def compute(
        cls, realm: CompiledGraph, actors: Sequence[int], there: ExistingResources
    ) -> "StepRows":
        """Compute the rows of some actors."""
        index = realm.index.restrict_to(build_bitset(actors, len(realm.nodes)))
        alone = replace(realm, index=index)
        return cls(alone, actors, there.for_graph(alone))

    def __post_init__(self) -> None:
        """Compute rows: role assumption by actor, the rest once per class."""
        realm, actors = self.realm, self.actors
        scope, size = realm.index.scope, len(realm.nodes)
        assuming = AssumeRolePermissions(realm)
        there = self.there
        self._first = self._choose_representatives(there)
        firsts = sorted(set(self._first.values()))
        realm.index.scope = build_bitset(firsts, size)
        self._edits = {edit: self._evaluate_edit(edit) for edit in EDIT_RULES}
        passing = PassRolePermissions(realm)
        ways = (
            PassRoleSteps(realm, there, passing),
            TakeoverSteps(realm, there, passing),
        )
        made = IdentityCreation(realm)
        written: dict[int, VerdictBits] = {}
        common: dict[int, VerdictBits] = {}
        for actor in firsts:
            row = written[actor] = self._combine_target_edits(actor, assuming)
            for way in ways:
                row = way.add_steps(actor, row)
            common[actor] = row
        realm.index.scope = scope
        passers = (n for n in actors if passing.able >> self._first[n] & 1)
        self.passers = build_bitset(passers, size)
        wide = [
            able
            for edit, able in self._edits.items()
            if edit.gives in _WIDENING_EFFECTS
        ]
        editing = set().union(*wide)
        editors = (n for n in actors if self._first[n] in editing)
        self.editors = build_bitset(editors, size)
        same: dict[VerdictBits, VerdictBits] = {}
        for actor in actors:
            one = self._first[actor]
            assumed = assuming.evaluate_actor(actor)
            near = common[one] | assumed
            row = (
                near
                | made.compute_row(actor, one)
                | self._widen_permissions(actor, one, near)
            )
            row |= self._remove_boundaries(actor, one, row)
            self.written.append(written[one])
            self.common.append(common[one])
            self.assumed.append(same.setdefault(assumed, assumed))
            self.steps.append(same.setdefault(row, row))

    def list_group_joins(self) -> Iterator[tuple[int, GroupNodes]]:
        """Pair actors with the nodes they become by joining a group.

        A node with unrestricted permissions makes one that joined a group redundant.
        """
        joins = [edit for edit in EDIT_RULES if edit.gives is EditEffect.MEMBERSHIP]
        for edit in joins:
            for number, actor in enumerate(self.actors):
                groups = self._edits[edit].get(self._first[actor], NO_VERDICTS)
                if groups.some:
                    row = self.steps[number]
                    yield actor, self._join_reachable_users(actor, groups, row)
                    yield actor, self._join_itself(actor, groups, row)
        for actor in self.actors:
            node = self.realm.nodes[actor]
            joined = node.extra not in ("", "*") and not node.bare
            if joined and not self._is_admin(actor):
                base = self.realm.index.base[actor]
                free = self._find_removable_boundaries(actor, self._first[actor])
                if free.some >> base & 1:
                    sure = bool(free.sure >> base & 1)
                    yield actor, ((node._replace(bare=True), sure),)

    def _join_reachable_users(
        self, actor: int, groups: VerdictBits, row: VerdictBits
    ) -> GroupNodes:
        """Add reachable users to groups, with and without their boundary."""
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
            found = self._joining[key] = tuple(self._list_group_nodes(*key))
        return found

    def _join_itself(
        self, actor: int, groups: VerdictBits, row: VerdictBits
    ) -> GroupNodes:
        """Add the actor itself to groups."""
        realm, node = self.realm, self.realm.nodes[actor]
        base = realm.index.base[actor]
        if node.extra or base >= realm.plain or self._is_admin(actor):
            return ()
        superfluous = realm.admins | row.sure >> realm.widened
        itself = 1 << base & realm.users & ~superfluous
        joined = self._list_group_nodes(
            VerdictBits(itself, itself), groups, NO_VERDICTS
        )
        if node.bare:
            return tuple((to._replace(bare=True), sure) for to, sure in joined)
        return tuple(joined)

    def _list_group_nodes(
        self, users: VerdictBits, groups: VerdictBits, free: VerdictBits
    ) -> Iterator[tuple[IdentityNode, bool]]:
        realm = self.realm
        for user in list_positions(users.some):
            own = realm.index.actors[user].groups
            for group in list_positions(groups.some):
                name = realm.groups.arns.texts[group]
                if name not in own:
                    node = IdentityNode(realm.nodes[user].identity, name)
                    certain = bool(users.sure >> user & groups.sure >> group & 1)
                    yield node, certain
                    if free.some >> user & 1:
                        certain &= bool(free.sure >> user & 1)
                        yield node._replace(bare=True), certain

    def _choose_representatives(self, there: ExistingResources) -> dict[int, int]:
        """Map each actor to the representative of its class, trust policies aside."""
        asked = [action.lower() for action in sorted(list_rule_actions())]
        kin = EquivalenceClasses(self.realm, asked, named=there.list_named_principals())
        first: dict[Hashable, int] = {}
        return {n: first.setdefault(kin.get_class_key(n), n) for n in self.actors}

    def _evaluate_edit(self, edit: IamEditRule) -> dict[int, VerdictBits]:
        """Return the actors that may make an IAM edit, each with its targets."""
        realm = self.realm
        policies = realm.policies
        grounds = {
            EditTarget.GROUP: realm.groups,
            EditTarget.POLICY: policies,
            EditTarget.BOUNDARY: policies,
        }
        stated = ContextKeys({key: (value,) for key, value in edit.context})
        ground = grounds.get(edit.on, realm.identities)
        return CallVerdicts(realm, edit.action, ground, stated).evaluate()

    def _combine_target_edits(
        self, actor: int, assuming: AssumeRolePermissions
    ) -> VerdictBits:
        """Unite the identities that new credentials and edited trusts lead to."""
        realm = self.realm
        found = []
        for edit in EDIT_RULES:
            verdicts = self._edits[edit].get(actor, NO_VERDICTS)
            if not verdicts.some:
                continue
            if edit.gives is EditEffect.TARGET:
                found.append(verdicts.restrict_to(realm.users))
            elif edit.gives is EditEffect.TRUST:
                after = assuming.evaluate_after_trust_edit(actor)
                both = VerdictBits(
                    verdicts.sure & after.sure, verdicts.some & after.some
                )
                found.append(both.restrict_to(realm.editable))
        return union_verdicts(found)

    def _widen_permissions(
        self, actor: int, kin: int, near: VerdictBits
    ) -> VerdictBits:
        """Widen the permissions of the actor, or of identities that it can become."""
        realm = self.realm
        able = self._list_possible_edits(kin, EditEffect.SELF)
        if not able:
            return NO_VERDICTS
        wide = self._widening.get(kin)
        if wide is None:
            wide = union_verdicts(
                self._find_widened_identities(edit, kin) for edit in able
            )
            self._widening[kin] = wide
        account = realm.index.actors[actor].identity.account
        own = 1 << realm.index.base[actor]
        others = realm.near.get(account, 0) & ~(realm.admins | own)
        sure = near.sure & wide.sure & others
        some = near.some & wide.some & others
        found = VerdictBits(sure << realm.widened, some << realm.widened)
        if realm.nodes[actor].extra != "*" and not self._is_admin(actor):
            found |= union_verdicts(self._widen_itself(actor, kin, able))
        return found

    def _list_possible_edits(
        self, kin: int, gives: EditEffect
    ) -> tuple[IamEditRule, ...]:
        """List the edits of one effect that an equivalence class may make."""
        found = self._abling.get((kin, gives))
        if found is None:
            listed = (
                e for e in EDIT_RULES if e.gives is gives and kin in self._edits[e]
            )
            found = self._abling[kin, gives] = tuple(listed)
        return found

    def _find_removable_boundaries(self, actor: int, kin: int) -> VerdictBits:
        """Return the identities whose boundary an actor may remove or widen."""
        realm = self.realm
        if not realm.bounded:
            return NO_VERDICTS
        free = self._freeing.get(kin)
        if free is None:
            able = self._list_possible_edits(kin, EditEffect.FREE)
            free = union_verdicts(
                self._find_widened_identities(edit, kin) for edit in able
            )
            self._freeing[kin] = free
        account = realm.index.actors[actor].identity.account
        return free.restrict_to(
            realm.near.get(account, 0) & build_range(0, realm.bounded.stop)
        )

    def _remove_boundaries(self, actor: int, kin: int, row: VerdictBits) -> VerdictBits:
        """Remove the boundary of the actor, or of identities that it can become."""
        realm = self.realm
        free = self._find_removable_boundaries(actor, kin)
        if not free.some:
            return NO_VERDICTS
        node, own = realm.nodes[actor], 1 << realm.index.base[actor]
        others = free.restrict_to(~own)
        changes = not node.bare and not self._is_admin(actor)
        found = []
        for kind, shift in enumerate((0, realm.widened)):
            reached = VerdictBits(
                others.sure & row.sure >> shift, others.some & row.some >> shift
            )
            if changes and node.extra == ("", "*")[kind]:
                reached |= free.restrict_to(own)
            found.append(
                VerdictBits(
                    realm.map_to_unbounded(reached.sure, kind),
                    realm.map_to_unbounded(reached.some, kind),
                )
            )
        return union_verdicts(found)

    def _is_admin(self, actor: int) -> bool:
        return self.realm.graph.is_administrator(self.realm.nodes[actor])

    def _find_widened_identities(self, edit: IamEditRule, actor: int) -> VerdictBits:
        """Return the identities whose policies an edit would widen."""
        realm = self.realm
        verdicts = self._edits[edit][actor]
        match edit.on:
            case EditTarget.USER:
                row = verdicts.restrict_to(realm.users)
            case EditTarget.ROLE:
                row = verdicts.restrict_to(realm.editable)
            case on:
                row = VerdictBits(
                    self._map_to_identities(verdicts.sure, on),
                    self._map_to_identities(verdicts.some, on),
                )
        return VerdictBits(0, row.some) if edit.action == _SET_DEFAULT_VERSION else row

    def _map_to_identities(self, targets: int, on: EditTarget) -> int:
        """Map groups, or policies, to the identities that have them."""
        found = self._mapped.get((targets, on))
        if found is None:
            members, found = self.realm.members[on], 0
            for target in list_positions(targets):
                found |= members[target]
            self._mapped[targets, on] = found
        return found

    def _widen_itself(
        self, actor: int, kin: int, able: Sequence[IamEditRule]
    ) -> Iterator[VerdictBits]:
        """Widen the actor by edits of its own policies or groups."""
        realm = self.realm
        principal = realm.index.actors[actor]
        base = realm.index.base[actor]
        wide = realm.widened + base
        to = (
            realm.map_to_unbounded(1 << base, 1)
            if realm.nodes[actor].bare
            else 1 << wide
        )
        for edit in able:
            verdicts = self._edits[edit][kin]
            match edit.on:
                case EditTarget.USER:
                    mine = 1 << base & realm.users
                case EditTarget.ROLE:
                    mine = 1 << base & realm.editable
                case EditTarget.GROUP:
                    mine = self._encode_targets(edit.on, principal.groups)
                case EditTarget.POLICY | EditTarget.BOUNDARY:
                    mine = self._encode_targets(edit.on, principal.policies)
            sure = verdicts.sure & mine and edit.action != _SET_DEFAULT_VERSION
            yield VerdictBits(to if sure else 0, to if verdicts.some & mine else 0)

    def _encode_targets(self, on: EditTarget, texts: tuple[str, ...]) -> int:
        """Encode groups, or customer-managed policies, as a bitset."""
        found = self._numbered.get((on, texts))
        if found is None:
            realm = self.realm
            ground = realm.groups if on is EditTarget.GROUP else realm.policies
            number = ground.arns.number
            found = sum(1 << number[text] for text in set(texts) if text in number)
            self._numbered[on, texts] = found
        return found
