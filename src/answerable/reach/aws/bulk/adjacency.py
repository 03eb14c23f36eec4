"""Adjacency rows: the identities that each actor can become in one step."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from answerable.reach.aws.bulk.bitset import gathered, positions, span
from answerable.reach.aws.bulk.caller_side import NEVER, Verdicts
from answerable.reach.aws.bulk.code_takeover import Taking
from answerable.reach.aws.bulk.create_principal import Making
from answerable.reach.aws.bulk.edges import Assuming, Passing, Realm, Using
from answerable.reach.aws.bulk.equivalence_classes import Kin
from answerable.reach.aws.bulk.existing_resources import Existing
from answerable.reach.aws.bulk.pass_role import Launching
from answerable.reach.aws.escalation_rules.registry import (
    EDITS,
    Edit,
    Gives,
    On,
    actions,
)
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.paths.edges import Node

Joined = tuple[tuple[Node, bool], ...]  # new nodes, and whether unconditionally
_OLDER = "iam:SetDefaultPolicyVersion"  # helps only where a wider version exists

_WIDER = (Gives.SELF, Gives.MEMBERSHIP, Gives.FREE)


def union(rows: Iterable[Verdicts]) -> Verdicts:
    """Unite verdicts."""
    sure = some = 0
    for row in rows:
        sure |= row.sure
        some |= row.some
    return Verdicts(sure, some)


@dataclass(eq=False, slots=True)
class Some:
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

    realm: Realm
    actors: Sequence[int]
    there: Existing
    steps: list[Verdicts] = field(default_factory=list)
    written: list[Verdicts] = field(default_factory=list)
    common: list[Verdicts] = field(default_factory=list)
    assumed: list[Verdicts] = field(default_factory=list)
    editors: int = 0
    passers: int = 0
    _first: dict[int, int] = field(default_factory=dict)
    _edits: dict[Edit, dict[int, Verdicts]] = field(default_factory=dict)
    _mapped: dict[tuple[int, On], int] = field(default_factory=dict)
    _abling: dict[tuple[int, Gives], tuple[Edit, ...]] = field(default_factory=dict)
    _widening: dict[int, Verdicts] = field(default_factory=dict)
    _freeing: dict[int, Verdicts] = field(default_factory=dict)
    _numbered: dict[tuple[On, tuple[str, ...]], int] = field(default_factory=dict)
    _joining: dict[tuple[Verdicts, ...], Joined] = field(default_factory=dict)

    @classmethod
    def of(cls, realm: Realm, actors: Sequence[int], there: Existing) -> "Some":
        """Compute the rows of some actors."""
        index = realm.index.only(gathered(actors, len(realm.nodes)))
        alone = replace(realm, index=index)
        return cls(alone, actors, there.to(alone))

    def __post_init__(self) -> None:
        """Compute rows: role assumption by actor, the rest once per class."""
        realm, actors = self.realm, self.actors
        scope, size = realm.index.scope, len(realm.nodes)
        assuming = Assuming(realm)
        there = self.there
        self._first = self._kinship(there)
        firsts = sorted(set(self._first.values()))
        realm.index.scope = gathered(firsts, size)
        self._edits = {edit: self._editing(edit) for edit in EDITS}
        passing = Passing(realm)
        ways = Launching(realm, there, passing), Taking(realm, there, passing)
        made = Making(realm)
        written: dict[int, Verdicts] = {}
        common: dict[int, Verdicts] = {}
        for actor in firsts:
            row = written[actor] = self._editing_into(actor, assuming)
            for way in ways:
                row = way.added(actor, row)
            common[actor] = row
        realm.index.scope = scope
        passers = (n for n in actors if passing.able >> self._first[n] & 1)
        self.passers = gathered(passers, size)
        wide = [able for edit, able in self._edits.items() if edit.gives in _WIDER]
        editing = set().union(*wide)
        editors = (n for n in actors if self._first[n] in editing)
        self.editors = gathered(editors, size)
        same: dict[Verdicts, Verdicts] = {}
        for actor in actors:
            one = self._first[actor]
            assumed = assuming.verdicts(actor)
            near = common[one] | assumed
            row = near | made.row(actor, one) | self._wider(actor, one, near)
            row |= self._bare(actor, one, row)
            self.written.append(written[one])
            self.common.append(common[one])
            self.assumed.append(same.setdefault(assumed, assumed))
            self.steps.append(same.setdefault(row, row))

    def joined(self) -> Iterator[tuple[int, Joined]]:
        """Pair actors with the nodes they become by joining a group.

        A node with unrestricted permissions makes one that joined a group redundant.
        """
        joins = [edit for edit in EDITS if edit.gives is Gives.MEMBERSHIP]
        for edit in joins:
            for number, actor in enumerate(self.actors):
                groups = self._edits[edit].get(self._first[actor], NEVER)
                if groups.some:
                    row = self.steps[number]
                    yield actor, self._joins(actor, groups, row)
                    yield actor, self._joins_itself(actor, groups, row)
        for actor in self.actors:
            node = self.realm.nodes[actor]
            joined = node.extra not in ("", "*") and not node.bare
            if joined and not self._is_admin(actor):
                base = self.realm.index.base[actor]
                free = self._freed(actor, self._first[actor])
                if free.some >> base & 1:
                    sure = bool(free.sure >> base & 1)
                    yield actor, ((node._replace(bare=True), sure),)

    def _joins(self, actor: int, groups: Verdicts, row: Verdicts) -> Joined:
        """Add reachable users to groups, with and without their boundary."""
        realm = self.realm
        near = realm.near.get(realm.index.actors[actor].identity.account, 0)
        own = 1 << realm.index.base[actor]
        superfluous = realm.admins | row.sure >> realm.widened
        users = _within(row, realm.users & near & ~(own | superfluous))
        if not users.some:
            return ()
        free = self._freed(actor, self._first[actor])
        key = users, groups, _within(free, users.some)
        found = self._joining.get(key)
        if found is None:
            found = self._joining[key] = tuple(self._listed(*key))
        return found

    def _joins_itself(self, actor: int, groups: Verdicts, row: Verdicts) -> Joined:
        """Add the actor itself to groups."""
        realm, node = self.realm, self.realm.nodes[actor]
        base = realm.index.base[actor]
        if node.extra or base >= realm.plain or self._is_admin(actor):
            return ()
        superfluous = realm.admins | row.sure >> realm.widened
        itself = 1 << base & realm.users & ~superfluous
        joined = self._listed(Verdicts(itself, itself), groups, NEVER)
        if node.bare:
            return tuple((to._replace(bare=True), sure) for to, sure in joined)
        return tuple(joined)

    def _listed(
        self, users: Verdicts, groups: Verdicts, free: Verdicts
    ) -> Iterator[tuple[Node, bool]]:
        realm = self.realm
        for user in positions(users.some):
            own = realm.index.actors[user].groups
            for group in positions(groups.some):
                name = realm.groups.texts.texts[group]
                if name not in own:
                    node = Node(realm.nodes[user].identity, name)
                    certain = bool(users.sure >> user & groups.sure >> group & 1)
                    yield node, certain
                    if free.some >> user & 1:
                        certain &= bool(free.sure >> user & 1)
                        yield node._replace(bare=True), certain

    def _kinship(self, there: Existing) -> dict[int, int]:
        """Map each actor to the representative of its class, trust policies aside."""
        asked = [action.lower() for action in sorted(actions())]
        kin = Kin(self.realm, asked, named=there.named())
        first: dict[Hashable, int] = {}
        return {n: first.setdefault(kin.of(n), n) for n in self.actors}

    def _editing(self, edit: Edit) -> dict[int, Verdicts]:
        """Return the actors that may make an IAM edit, each with its targets."""
        realm = self.realm
        policies = realm.policies
        grounds = {On.GROUP: realm.groups, On.POLICY: policies, On.BOUNDARY: policies}
        stated = Known({key: (value,) for key, value in edit.context})
        ground = grounds.get(edit.on, realm.identities)
        return Using(realm, edit.action, ground, stated).verdicts()

    def _editing_into(self, actor: int, assuming: Assuming) -> Verdicts:
        """Unite the identities that new credentials and edited trusts lead to."""
        realm = self.realm
        found = []
        for edit in EDITS:
            verdicts = self._edits[edit].get(actor, NEVER)
            if not verdicts.some:
                continue
            if edit.gives is Gives.TARGET:
                found.append(_within(verdicts, realm.users))
            elif edit.gives is Gives.TRUST:
                after = assuming.after_edit(actor)
                both = Verdicts(verdicts.sure & after.sure, verdicts.some & after.some)
                found.append(_within(both, realm.editable))
        return union(found)

    def _wider(self, actor: int, kin: int, near: Verdicts) -> Verdicts:
        """Widen the permissions of the actor, or of identities that it can become."""
        realm = self.realm
        able = self._able(kin, Gives.SELF)
        if not able:
            return NEVER
        wide = self._widening.get(kin)
        if wide is None:
            wide = union(self._widened(edit, kin) for edit in able)
            self._widening[kin] = wide
        account = realm.index.actors[actor].identity.account
        own = 1 << realm.index.base[actor]
        others = realm.near.get(account, 0) & ~(realm.admins | own)
        sure = near.sure & wide.sure & others
        some = near.some & wide.some & others
        found = Verdicts(sure << realm.widened, some << realm.widened)
        if realm.nodes[actor].extra != "*" and not self._is_admin(actor):
            found |= union(self._own(actor, kin, able))
        return found

    def _able(self, kin: int, gives: Gives) -> tuple[Edit, ...]:
        """List the edits of one effect that an equivalence class may make."""
        found = self._abling.get((kin, gives))
        if found is None:
            listed = (e for e in EDITS if e.gives is gives and kin in self._edits[e])
            found = self._abling[kin, gives] = tuple(listed)
        return found

    def _freed(self, actor: int, kin: int) -> Verdicts:
        """Return the identities whose boundary an actor may remove or widen."""
        realm = self.realm
        if not realm.bounded:
            return NEVER
        free = self._freeing.get(kin)
        if free is None:
            able = self._able(kin, Gives.FREE)
            free = union(self._widened(edit, kin) for edit in able)
            self._freeing[kin] = free
        account = realm.index.actors[actor].identity.account
        return _within(free, realm.near.get(account, 0) & span(0, realm.bounded.stop))

    def _bare(self, actor: int, kin: int, row: Verdicts) -> Verdicts:
        """Remove the boundary of the actor, or of identities that it can become."""
        realm = self.realm
        free = self._freed(actor, kin)
        if not free.some:
            return NEVER
        node, own = realm.nodes[actor], 1 << realm.index.base[actor]
        others = _within(free, ~own)
        changes = not node.bare and not self._is_admin(actor)
        found = []
        for kind, shift in enumerate((0, realm.widened)):
            reached = Verdicts(
                others.sure & row.sure >> shift, others.some & row.some >> shift
            )
            if changes and node.extra == ("", "*")[kind]:
                reached |= _within(free, own)
            found.append(
                Verdicts(
                    realm.to_bare(reached.sure, kind), realm.to_bare(reached.some, kind)
                )
            )
        return union(found)

    def _is_admin(self, actor: int) -> bool:
        return self.realm.graph.admin(self.realm.nodes[actor])

    def _widened(self, edit: Edit, actor: int) -> Verdicts:
        """Return the identities whose policies an edit would widen."""
        realm = self.realm
        verdicts = self._edits[edit][actor]
        match edit.on:
            case On.USER:
                row = _within(verdicts, realm.users)
            case On.ROLE:
                row = _within(verdicts, realm.editable)
            case on:
                row = Verdicts(
                    self._held(verdicts.sure, on), self._held(verdicts.some, on)
                )
        return Verdicts(0, row.some) if edit.action == _OLDER else row

    def _held(self, targets: int, on: On) -> int:
        """Map groups, or policies, to the identities that have them."""
        found = self._mapped.get((targets, on))
        if found is None:
            members, found = self.realm.members[on], 0
            for target in positions(targets):
                found |= members[target]
            self._mapped[targets, on] = found
        return found

    def _own(self, actor: int, kin: int, able: Sequence[Edit]) -> Iterator[Verdicts]:
        """Widen the actor by edits of its own policies or groups."""
        realm = self.realm
        principal = realm.index.actors[actor]
        base = realm.index.base[actor]
        wide = realm.widened + base
        to = realm.to_bare(1 << base, 1) if realm.nodes[actor].bare else 1 << wide
        for edit in able:
            verdicts = self._edits[edit][kin]
            match edit.on:
                case On.USER:
                    mine = 1 << base & realm.users
                case On.ROLE:
                    mine = 1 << base & realm.editable
                case On.GROUP:
                    mine = self._numbers(edit.on, principal.groups)
                case On.POLICY | On.BOUNDARY:
                    mine = self._numbers(edit.on, principal.policies)
            sure = verdicts.sure & mine and edit.action != _OLDER
            yield Verdicts(to if sure else 0, to if verdicts.some & mine else 0)

    def _numbers(self, on: On, texts: tuple[str, ...]) -> int:
        """Encode groups, or customer-managed policies, as a bitset."""
        found = self._numbered.get((on, texts))
        if found is None:
            realm = self.realm
            ground = realm.groups if on is On.GROUP else realm.policies
            number = ground.texts.number
            found = sum(1 << number[text] for text in set(texts) if text in number)
            self._numbered[on, texts] = found
        return found


def _within(verdicts: Verdicts, bits: int) -> Verdicts:
    return Verdicts(verdicts.sure & bits, verdicts.some & bits)
