"""Resources' side of an evaluation: trust, bucket, key and other resource policies.

The rules are those of `evaluation.resource_policies`, for all actors and all resources
of a space at once.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import NamedTuple

from answerable.model.policy import Effect, Layer
from answerable.reach.aws.bulk.bitset import NONE, Plane, gathered, positions
from answerable.reach.aws.bulk.caller_side import Call
from answerable.reach.aws.bulk.partition import atoms_of
from answerable.reach.aws.bulk.statement_effects import applying
from answerable.reach.aws.bulk.statement_index import Index, Part
from answerable.reach.aws.compiled.principal_matching import (
    SESSION_NAME,
    escape,
    may_escape,
    names,
)
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.formula import TRUE, Atom

ESCAPING, DIRECT, ACCOUNT, DENIED, FENCED = range(5)
_HOW = {"escaping": ESCAPING, "direct": DIRECT, "account": ACCOUNT}


class Voice(NamedTuple):
    """Result of the resource policies for one actor, by resource.

    Attributes:
        escaping: Allowed by name, and not limited by the boundary.
        direct: Allowed by name, or as anyone.
        account: Delegated to its account.
        denied: Denied.
        fenced: Denied by resource control policies.
        odd: Resources where open conditions are not monotone and may combine.
    """

    escaping: Plane = NONE
    direct: Plane = NONE
    account: Plane = NONE
    denied: Plane = NONE
    fenced: Plane = NONE
    odd: int = 0


SILENT = Voice()


class Name(NamedTuple):
    """Actors that a statement names in the same way."""

    how: int
    actors: int
    is_open: bool = False
    odd: bool = False


class Naming:
    """Matcher of Principal elements against actors."""

    def __init__(self, index: Index, given: Known) -> None:
        """Index identities by account, id and role name.

        Args:
            index: The actors.
            given: Stated condition keys; a stated session name decides.
        """
        by_account: dict[str, list[int]] = defaultdict(list)
        by_id: dict[str, list[int]] = defaultdict(list)
        by_role: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, principal in enumerate(index.actors[: index.size]):
            identity = principal.identity
            by_account[identity.account].append(number)
            for named in {identity.id, identity.unique_id} - {""}:
                by_id[named].append(number)
            if principal.is_role:
                by_role[identity.account, identity.name].append(number)
        accounts = {
            account: gathered(numbers, index.size)
            for account, numbers in by_account.items()
        }
        self._begin(index, given, accounts, by_id, by_role)

    def _begin(
        self,
        index: Index,
        given: Known,
        accounts: Mapping[str, int],
        by_id: Mapping[str, Sequence[int]],
        by_role: Mapping[tuple[str, str], Sequence[int]],
    ) -> None:
        self._index = index
        self._is_stated = given.get(SESSION_NAME) is not None
        self.accounts, self.by_id, self.by_role = accounts, by_id, by_role
        self._found: dict[tuple[Clause, int], list[Name]] = {}

    @classmethod
    def restored(
        cls,
        index: Index,
        given: Known,
        *,
        accounts: Mapping[str, int],
        by_id: Mapping[str, Sequence[int]],
        by_role: Mapping[tuple[str, str], Sequence[int]],
    ) -> "Naming":
        """Build a matcher from indexes built before."""
        new = cls.__new__(cls)
        new._begin(index, given, accounts, by_id, by_role)
        return new

    def over(self, index: Index) -> "Naming":
        """Return the same matcher for actors that differ in their policies alone."""
        new = copy(self)
        new._index = index
        return new

    def of(self, clause: Clause) -> list[Name]:
        """List the actors that a statement names, by the way it names them."""
        key = (clause, len(self._index.actors))
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = list(self._find(clause))
        return found

    def _find(self, clause: Clause) -> Iterator[Name]:
        index, naming = self._index, clause.naming
        if clause.not_principals:
            # A deny with NotPrincipal excepts no principal that has a boundary.
            for name in self._one_by_one(clause, range(index.size)):
                yield name._replace(actors=name.actors & ~index.unbound)
            yield from self._met(clause, positions(index.unbound))
            return
        if naming.everyone:
            yield Name(DIRECT, index.all)
            yield from self._escaping(clause)
        for account in naming.accounts:
            if account in self.accounts:
                yield Name(ACCOUNT, index.with_gains(self.accounts[account]))
        if naming.canonical:
            yield Name(ACCOUNT, index.all, is_open=True)
        single = {n for named in naming.ids for n in self.by_id.get(named, ())}
        for role in naming.sessions:
            single.update(self.by_role.get(role, ()))
        yield from self._one_by_one(clause, sorted(single))

    def _escaping(self, clause: Clause) -> Iterator[Name]:
        """Yield the actors for which a grant to `*` may bypass the boundary."""
        index = self._index
        limited = index.bounded
        for limit, actors in index.limits.items():
            limited |= actors if limit.layer is Layer.SESSION else 0
        if limited and may_escape(clause):
            yield Name(ESCAPING, limited, is_open=escape(clause) != TRUE)

    def _one_by_one(self, clause: Clause, numbers: Iterable[int]) -> Iterator[Name]:
        for name in self._met(clause, numbers):
            yield name._replace(actors=self._index.with_gains(name.actors))

    def _met(self, clause: Clause, numbers: Iterable[int]) -> Iterator[Name]:
        met: dict[Name, list[int]] = defaultdict(list)
        for number in numbers:
            for how, when in names(clause, self._index.actors[number]):
                odd = any(self._is_odd(a) for alternative in when for a in alternative)
                met[Name(_HOW[how], 0, when != TRUE, odd)].append(number)
        for name, found in met.items():
            members = gathered(found, len(self._index.actors))
            yield name._replace(actors=members)

    def _is_odd(self, one: Atom) -> bool:
        """Tell whether only the exact evaluation decides an atom."""
        return one.negated or (self._is_stated and one.key.lower() == SESSION_NAME)


class Voices:
    """Resources' side of one call.

    Attributes:
        named: Actors that some allow names.
        allow_atoms: Conditions that leave an allow open.
        deny_atoms: Conditions that leave a deny open.
    """

    def __init__(
        self,
        index: Index,
        naming: Naming,
        call: Call,
        spoken: Iterable[tuple[Clause, int]],
        fenced: Iterable[tuple[Clause, int]] = (),
    ) -> None:
        """Collect the effects of all statements on a call.

        Args:
            index: Statements by holder.
            naming: Principals by the names that policies use.
            call: The call.
            spoken: Resource policy statements, each with its resources.
            fenced: RCP denies, each with its resources.
        """
        self._index, self._call = index, call
        self.named = 0
        self.allow_atoms: set[object] = set()
        self.deny_atoms: set[object] = set()
        self._said: dict[tuple[int, int], tuple[Plane, int]] = {}
        for clause, resources in spoken:
            if clause.takes_action(call.action):
                for name in naming.of(clause):
                    if name.actors & index.scope:
                        how = DENIED if clause.effect is Effect.DENY else name.how
                        self._say(clause, resources, name._replace(how=how))
        anyone = index.all & ~index.linked
        for clause, resources in fenced:
            self._say(clause, resources, Name(FENCED, anyone))
        self._of: dict[int, list[int]] = defaultdict(list)
        self._list = list(self._said.items())
        for number, ((_, actors), _) in enumerate(self._list):
            for actor in positions(actors & index.scope):
                self._of[actor].append(number)
        self._shared: dict[tuple[int, ...], Voice] = {(): SILENT}

    def of(self, actor: int) -> Voice:
        """Return the result for one actor."""
        key = tuple(self._of.get(actor, ()))
        found = self._shared.get(key)
        if found is None:
            planes, odd = [NONE] * 5, 0
            for number in key:
                (how, _), (plane, strange) = self._list[number]
                planes[how] |= plane
                odd |= strange
            escaping, direct, account, denied, fenced = planes
            found = Voice(escaping, direct, account, denied, fenced, odd)
            self._shared[key] = found
        return found

    def _say(self, clause: Clause, resources: int, name: Name) -> None:
        call = self._call
        deny = name.how >= DENIED
        actors = name.actors & self._index.scope
        for part in applying(clause, call.space, call.known, self._index, actors):
            plane = part.plane.within(resources)
            if name.is_open:
                plane = Plane(0, plane.maybe)
            if not plane.maybe:
                continue
            if plane.sure != plane.maybe:
                atoms = self.deny_atoms if deny else self.allow_atoms
                atoms.update(atoms_of(clause))
                if name.is_open:
                    atoms.add("answerable:named")
            odd = plane.maybe if name.odd else part.odd & resources
            self._add(name.how, part, plane, odd)

    def _add(self, how: int, part: Part, plane: Plane, odd: int) -> None:
        self.named |= part.actors if how < DENIED else 0
        held, strange = self._said.get((how, part.actors), (NONE, 0))
        self._said[how, part.actors] = held | plane, strange | odd
