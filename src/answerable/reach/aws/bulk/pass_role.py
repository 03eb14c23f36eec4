"""Steps by `iam:PassRole` and a service launch, for every actor at once."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from answerable.reach.aws.bulk.caller_side import NEVER, Verdicts
from answerable.reach.aws.bulk.edges import Passing, Realm
from answerable.reach.aws.bulk.equivalence_classes import MET, NEVER_MET, OPEN, Kin, met
from answerable.reach.aws.bulk.existing_resources import Existing
from answerable.reach.aws.escalation_rules.registry import LAUNCHES, Launch
from answerable.reach.aws.paths.pass_role import launchable


@dataclass(eq=False, slots=True)
class Launching:
    """Roles that an actor can pass to a service that runs code under them."""

    realm: Realm
    existing: Existing
    passing: Passing
    _kin: dict[Launch, Kin] = field(default_factory=dict)
    _met: dict[tuple[Launch, Hashable], int] = field(default_factory=dict)
    _any: int = 0

    def __post_init__(self) -> None:
        """Unite the roles that trust any service."""
        for trusting in self.realm.serving.values():
            self._any |= trusting.some

    def added(self, actor: int, row: Verdicts) -> Verdicts:
        """Add the roles that an actor can have a service run code under."""
        realm = self.realm
        account = realm.index.actors[actor].identity.account
        near = realm.near.get(account, 0)
        sure, some, _ = row
        if not self._any & near & ~sure or not self.passing.able >> actor & 1:
            return row
        for launch in LAUNCHES:
            trusting = realm.serving[launch.service]
            left = trusting.some & near & ~sure
            if not left:
                continue
            passed = self.passing.verdicts(launch.service).get(actor, NEVER)
            left &= passed.some & ~(some & ~(passed.sure & trusting.sure))
            how = self._launchable(actor, launch) if left else NEVER_MET
            if how != NEVER_MET:
                some |= left
            if how == MET:
                sure |= left & passed.sure & trusting.sure
        return Verdicts(sure, some)

    def _launchable(self, actor: int, launch: Launch) -> int:
        index = self.realm.index
        account = index.actors[actor].identity.account
        there = self.existing.there(launch.changes, account) if launch.changes else 0
        if there:
            places = self.existing.places(actor, launch.needs, there)
            if places.sure and not launch.awaits:
                return MET
            return OPEN if places.some else NEVER_MET
        kin = self._kin.get(launch)
        if kin is None:
            actions = [need.action.lower() for need in launch.needs]
            kin = self._kin[launch] = Kin(self.realm, actions, actions)
        if not kin.able >> actor & 1:
            return NEVER_MET
        key = launch, kin.of(actor)
        found = self._met.get(key)
        if found is None:
            answers = launchable(self.realm.graph, index.actors[actor], launch)
            found = self._met[key] = met(answers)
        return found
