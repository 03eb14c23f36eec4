"""One row of bits per actor: whom it becomes in one step, for sure or perhaps."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from answerable.reach.context import Known
from answerable.reach.existing import Existing
from answerable.reach.kin import Kin
from answerable.reach.makers import Making
from answerable.reach.passing import Launching
from answerable.reach.planes import gathered, positions
from answerable.reach.rights import NEVER, Verdicts
from answerable.reach.rules import EDITS, Edit, Gives, On, actions
from answerable.reach.taking import Taking
from answerable.reach.ways import Assuming, Passing, Realm, Using

_OLDER = "iam:SetDefaultPolicyVersion"  # helps only where a wider version exists


def union(rows: Iterable[Verdicts]) -> Verdicts:
    """Unite."""
    sure = some = 0
    for row in rows:
        sure |= row.sure
        some |= row.some
    return Verdicts(sure, some)


@dataclass(eq=False, slots=True)
class Neighbours:
    """The rows of a realm.

    Attributes:
        realm: The actors.
        rows: By actor.
    """

    realm: Realm
    rows: list[Verdicts] = field(default_factory=list)
    _edits: dict[Edit, dict[int, Verdicts]] = field(default_factory=dict)
    _holding: dict[On, list[int]] = field(default_factory=dict)
    _mapped: dict[tuple[int, On], int] = field(default_factory=dict)
    _widening: dict[int, Verdicts] = field(default_factory=dict)
    _admins: int = 0

    def __post_init__(self) -> None:
        """Find every row."""
        realm = self.realm
        assuming = Assuming(realm)
        there = Existing(realm)
        self._admins = gathered(
            (n for n in range(realm.plain) if self._is_admin(n)), realm.plain
        )
        first = self._kinship(there)
        realm.index.scope = gathered(set(first), len(first))
        self._edits = {edit: self._editing(edit) for edit in EDITS}
        passing = Passing(realm)
        ways = Launching(realm, there, passing), Taking(realm, there, passing)
        made = Making(realm)
        common: dict[int, Verdicts] = {}
        for actor in sorted(set(first)):
            row = self._editing_into(actor, assuming)
            for way in ways:
                row = way.added(actor, row)
            common[actor] = row
        realm.index.scope = realm.index.all
        same: dict[Verdicts, Verdicts] = {}
        for actor, one in enumerate(first):
            near = union([common[one], assuming.verdicts(actor)])
            wider = self._wider(actor, one, near)
            row = union([near, made.row(actor, one), wider])
            self.rows.append(same.setdefault(row, row))

    def _kinship(self, there: Existing) -> list[int]:
        """Say for each actor which one stands for it, trusts in it left aside."""
        index = self.realm.index
        asked = [action.lower() for action in sorted(actions())]
        kin = Kin(index, asked, named=there.named(asked))
        first: dict[Hashable, int] = {}
        return [first.setdefault(kin.of(n), n) for n in range(len(index.actors))]

    def _editing(self, edit: Edit) -> dict[int, Verdicts]:
        """Say who may make an edit of IAM on what."""
        realm = self.realm
        grounds = {On.GROUP: realm.groups, On.POLICY: realm.policies}
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
        others = realm.near.get(account, 0) & ~self._admins
        sure = near.sure & wide.sure & others
        some = near.some & wide.some & others
        found = [Verdicts(sure << realm.widened, some << realm.widened)]
        if realm.nodes[actor].extra != "*" and not self._is_admin(actor):
            found += self._own(actor, kin, able)
        return union(found)

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
            for text in actor.groups if on is On.GROUP else actor.policies:
                if text in number:
                    members[number[text]].append(identity)
        return [gathered(found, realm.plain) for found in members]

    def _own(self, actor: int, kin: int, able: Sequence[Edit]) -> Iterator[Verdicts]:
        """Widen oneself by an edit of one's own policies or groups."""
        realm = self.realm
        principal = realm.index.actors[actor]
        base = realm.index.base[actor]
        to = 1 << realm.widened + base
        for edit in able:
            verdicts = self._edits[edit][kin]
            match edit.on:
                case On.USER:
                    mine = 1 << base & realm.users
                case On.ROLE:
                    mine = 1 << base & realm.editable
                case On.GROUP:
                    mine = _numbers(realm.groups.texts.number, principal.groups)
                case On.POLICY:
                    mine = _numbers(realm.policies.texts.number, principal.policies)
            sure = verdicts.sure & mine and edit.action != _OLDER
            yield Verdicts(to if sure else 0, to if verdicts.some & mine else 0)


def _within(verdicts: Verdicts, bits: int) -> Verdicts:
    return Verdicts(verdicts.sure & bits, verdicts.some & bits)


def _numbers(number: dict[str, int], texts: Iterable[str]) -> int:
    return sum(1 << number[text] for text in set(texts) if text in number)
