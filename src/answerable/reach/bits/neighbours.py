"""One row of bits per actor: whom it becomes in one step, for sure or perhaps."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from answerable.reach.bits.existing import Existing
from answerable.reach.bits.kin import Kin
from answerable.reach.bits.makers import Making
from answerable.reach.bits.passing import Launching
from answerable.reach.bits.planes import gathered, positions, span
from answerable.reach.bits.rights import NEVER, Verdicts
from answerable.reach.bits.taking import Taking
from answerable.reach.bits.ways import Assuming, Passing, Realm, Using, grown
from answerable.reach.estate.principals import Principal, is_editable
from answerable.reach.paths.steps import Node
from answerable.reach.rules.rules import EDITS, Edit, Gives, On, actions
from answerable.reach.verdict.context import Known

Joined = tuple[tuple[Node, bool], ...]  # what somebody becomes, and whether for sure
_OLDER = "iam:SetDefaultPolicyVersion"  # helps only where a wider version exists


def union(rows: Iterable[Verdicts]) -> Verdicts:
    """Unite."""
    sure = some = 0
    for row in rows:
        sure |= row.sure
        some |= row.some
    return Verdicts(sure, some)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The steps of every actor.

    Attributes:
        steps: By actor, whom it becomes.
        assumed: By actor, whom of these by assuming a role and nothing else.
    """

    steps: list[Verdicts]
    assumed: list[Verdicts]


def rows_of(realm: Realm) -> Rows:
    """Find every row; who may join groups adds actors, which have rows of their own."""
    rows = Rows([], [])
    actors = range(len(realm.nodes))
    there = Existing(realm)
    while actors:
        some = Some(realm, actors, there.anew())
        rows.steps.extend(some.steps)
        rows.assumed.extend(some.assumed)
        joined = [(actor, nodes) for actor, nodes in some.joined() if nodes]
        shared = {id(nodes): nodes for _, nodes in joined}
        met = (node for nodes in shared.values() for node, _ in nodes)
        new = dict.fromkeys(node for node in met if node not in realm.numbers)
        actors = grown(realm, list(new)) if new else range(0)
        bits = {one: _numbered(realm, nodes) for one, nodes in shared.items()}
        for actor, nodes in joined:
            rows.steps[actor] = union([rows.steps[actor], bits[id(nodes)]])
    realm.index.scope = realm.index.all
    realm.index.forget_members()
    return rows


@dataclass(eq=False, slots=True)
class Some:
    """The rows of some actors.

    Attributes:
        realm: All actors.
        actors: Some of them.
        there: The resources they may act on.
        steps: Whom each becomes.
        assumed: Whom of these by assuming a role.
    """

    realm: Realm
    actors: range
    there: Existing
    steps: list[Verdicts] = field(default_factory=list)
    assumed: list[Verdicts] = field(default_factory=list)
    _first: dict[int, int] = field(default_factory=dict)
    _edits: dict[Edit, dict[int, Verdicts]] = field(default_factory=dict)
    _holding: dict[On, list[int]] = field(default_factory=dict)
    _mapped: dict[tuple[int, On], int] = field(default_factory=dict)
    _widening: dict[int, Verdicts] = field(default_factory=dict)
    _freeing: dict[int, Verdicts] = field(default_factory=dict)
    _bared: dict[tuple[int, int], int] = field(default_factory=dict)
    _joining: dict[tuple[Verdicts, ...], Joined] = field(default_factory=dict)
    _admins: int = 0

    def __post_init__(self) -> None:
        """Find the rows: trust by trust, everything else once for all kin."""
        realm, actors = self.realm, self.actors
        scope = realm.index.scope = span(actors.start, actors.stop)
        assuming = Assuming(realm)
        there = self.there
        self._admins = gathered(
            (n for n in range(realm.plain) if self._is_admin(n)), realm.plain
        )
        self._first = self._kinship(there)
        firsts = sorted(set(self._first.values()))
        realm.index.scope = gathered(firsts, actors.stop)
        self._edits = {edit: self._editing(edit) for edit in EDITS}
        passing = Passing(realm)
        ways = Launching(realm, there, passing), Taking(realm, there, passing)
        made = Making(realm)
        common: dict[int, Verdicts] = {}
        for actor in firsts:
            row = self._editing_into(actor, assuming)
            for way in ways:
                row = way.added(actor, row)
            common[actor] = row
        realm.index.scope = scope
        same: dict[Verdicts, Verdicts] = {}
        for actor in actors:
            one = self._first[actor]
            assumed = assuming.verdicts(actor)
            near = union([common[one], assumed])
            wider = self._wider(actor, one, near)
            row = union([near, made.row(actor, one), wider])
            row = union([row, self._bare(actor, one, row)])
            self.assumed.append(same.setdefault(assumed, assumed))
            self.steps.append(same.setdefault(row, row))

    def joined(self) -> Iterator[tuple[int, Joined]]:
        """Pair actors with what they become by a membership.

        A node that may do anything makes one that joined a group superfluous.
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
                    yield actor, ((replace(node, bare=True), sure),)

    def _joins(self, actor: int, groups: Verdicts, row: Verdicts) -> Joined:
        """Have users join groups that one can become, with their boundary or not."""
        realm = self.realm
        near = realm.near.get(realm.index.actors[actor].identity.account, 0)
        own = 1 << realm.index.base[actor]
        superfluous = self._admins | row.sure >> realm.widened
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
        """Join groups oneself."""
        realm, node = self.realm, self.realm.nodes[actor]
        base = realm.index.base[actor]
        if node.extra or base >= realm.plain or self._is_admin(actor):
            return ()
        superfluous = self._admins | row.sure >> realm.widened
        itself = 1 << base & realm.users & ~superfluous
        joined = self._listed(Verdicts(itself, itself), groups, NEVER)
        if node.bare:
            return tuple((replace(to, bare=True), sure) for to, sure in joined)
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
                        yield replace(node, bare=True), certain

    def _kinship(self, there: Existing) -> dict[int, int]:
        """Say for each actor which one stands for it, trusts in it left aside."""
        index = self.realm.index
        asked = [action.lower() for action in sorted(actions())]
        kin = Kin(index, asked, named=there.named())
        first: dict[Hashable, int] = {}
        return {n: first.setdefault(kin.of(n), n) for n in self.actors}

    def _editing(self, edit: Edit) -> dict[int, Verdicts]:
        """Say who may make an edit of IAM on what."""
        realm = self.realm
        policies = realm.policies
        grounds = {On.GROUP: realm.groups, On.POLICY: policies, On.BOUNDARY: policies}
        stated = Known({key: (value,) for key, value in edit.context})
        ground = grounds.get(edit.on, realm.identities)
        return Using(realm, edit.action, ground, stated).verdicts()

    def _editing_into(self, actor: int, assuming: Assuming) -> Verdicts:
        """Unite what credentials and edited trusts lead to."""
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
        """Widen oneself, or whom one can become."""
        realm = self.realm
        able = [e for e in EDITS if kin in self._edits[e] and e.gives is Gives.SELF]
        if not able:
            return NEVER
        wide = self._widening.get(kin)
        if wide is None:
            wide = union(self._widened(edit, kin) for edit in able)
            self._widening[kin] = wide
        account = realm.index.actors[actor].identity.account
        own = 1 << realm.index.base[actor]
        others = realm.near.get(account, 0) & ~(self._admins | own)
        sure = near.sure & wide.sure & others
        some = near.some & wide.some & others
        found = [Verdicts(sure << realm.widened, some << realm.widened)]
        if realm.nodes[actor].extra != "*" and not self._is_admin(actor):
            found += self._own(actor, kin, able)
        return union(found)

    def _freed(self, actor: int, kin: int) -> Verdicts:
        """Say whose boundary an actor may take off, or make wider."""
        realm = self.realm
        if not realm.bare:
            return NEVER
        free = self._freeing.get(kin)
        if free is None:
            able = (e for e in EDITS if kin in self._edits[e] and e.gives is Gives.FREE)
            free = union(self._widened(edit, kin) for edit in able)
            self._freeing[kin] = free
        account = realm.index.actors[actor].identity.account
        return _within(free, realm.near.get(account, 0) & realm.bounded)

    def _bare(self, actor: int, kin: int, row: Verdicts) -> Verdicts:
        """Become somebody without the boundary: oneself, or whom one can become."""
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
                reached = union([reached, _within(free, own)])
            found.append(
                Verdicts(
                    self._to_bare(reached.sure, kind), self._to_bare(reached.some, kind)
                )
            )
        return union(found)

    def _to_bare(self, identities: int, kind: int) -> int:
        """Map identities to what they are without their boundary."""
        found = self._bared.get((identities, kind))
        if found is None:
            realm = self.realm
            bare = (realm.bare[number][kind] for number in positions(identities))
            found = gathered(bare, len(realm.nodes))
            self._bared[identities, kind] = found
        return found

    def _is_admin(self, actor: int) -> bool:
        return self.realm.graph.admin(self.realm.nodes[actor])

    def _widened(self, edit: Edit, actor: int) -> Verdicts:
        """Say whose policies an edit would widen, as identities."""
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
        """Map groups to their members, policies to those they are attached to."""
        found = self._mapped.get((targets, on))
        if found is None:
            holding = self._holding.get(on)
            if holding is None:
                holding = self._holding[on] = self._holders(on)
            found = 0
            for target in positions(targets):
                found |= holding[target]
            self._mapped[targets, on] = found
        return found

    def _holders(self, on: On) -> list[int]:
        realm = self.realm
        space = realm.groups if on is On.GROUP else realm.policies
        members: list[list[int]] = [[] for _ in space.texts.texts]
        number = space.texts.number
        for identity, actor in enumerate(realm.index.actors[: realm.plain]):
            for text in _targets(actor, on):
                if text in number:
                    members[number[text]].append(identity)
        return [gathered(found, realm.plain) for found in members]

    def _own(self, actor: int, kin: int, able: Sequence[Edit]) -> Iterator[Verdicts]:
        """Widen oneself by an edit of one's own policies or groups."""
        realm = self.realm
        principal = realm.index.actors[actor]
        base = realm.index.base[actor]
        wide = realm.widened + base
        to = 1 << (realm.bare[base][1] if realm.nodes[actor].bare else wide)
        for edit in able:
            verdicts = self._edits[edit][kin]
            match edit.on:
                case On.USER:
                    mine = 1 << base & realm.users
                case On.ROLE:
                    mine = 1 << base & realm.editable
                case On.GROUP:
                    mine = _numbers(realm.groups.texts.number, principal.groups)
                case On.POLICY | On.BOUNDARY:
                    mine = _numbers(realm.policies.texts.number, principal.policies)
            sure = verdicts.sure & mine and edit.action != _OLDER
            yield Verdicts(to if sure else 0, to if verdicts.some & mine else 0)


def _numbered(realm: Realm, nodes: Joined) -> Verdicts:
    """Write nodes as bits."""
    size = len(realm.nodes)
    sure = gathered((realm.numbers[node] for node, sure in nodes if sure), size)
    return Verdicts(sure, gathered((realm.numbers[node] for node, _ in nodes), size))


def _targets(actor: Principal, on: On) -> Sequence[str]:
    """List what an edit changes an identity by, that is no identity."""
    if on is On.BOUNDARY:
        return (actor.boundary_id,) if is_editable(actor.boundary_id) else ()
    return actor.groups if on is On.GROUP else actor.policies


def _within(verdicts: Verdicts, bits: int) -> Verdicts:
    return Verdicts(verdicts.sure & bits, verdicts.some & bits)


def _numbers(number: dict[str, int], texts: Iterable[str]) -> int:
    return sum(1 << number[text] for text in set(texts) if text in number)
