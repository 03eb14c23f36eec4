"""Steps by takeover of running code, for every actor at once."""

from dataclasses import dataclass, field

from answerable.reach.aws.bulk.bitset import gathered, positions
from answerable.reach.aws.bulk.caller_side import NEVER, Verdicts
from answerable.reach.aws.bulk.edges import Passing, Realm
from answerable.reach.aws.bulk.existing_resources import Existing
from answerable.reach.aws.escalation_rules.registry import Running


@dataclass(eq=False, slots=True)
class Taking:
    """Identities whose running code an actor can take over."""

    realm: Realm
    existing: Existing
    passing: Passing
    _identities: dict[int, int] = field(default_factory=dict)

    def added(self, actor: int, row: Verdicts) -> Verdicts:
        """Add the identities whose code an actor can take over to its row."""
        account = self.realm.index.actors[actor].identity.account
        for rule, there, able in self.existing.takeable(account):
            if not able >> actor & 1:
                continue
            missing = row.some if rule.awaits else row.sure
            if self._identity_bits(there) & ~missing:
                row = self._taken(actor, rule, there, row)
        return row

    def _taken(self, actor: int, rule: Running, there: int, row: Verdicts) -> Verdicts:
        places = self.existing.places(actor, rule.needs, there)
        if not places.some:
            return row
        sure, some = map(self._identity_bits, places)
        if rule.service:
            passed = self.passing.verdicts(rule.service).get(actor, NEVER)
            sure, some = sure & passed.sure, some & passed.some
        if rule.awaits:
            sure = 0
        return Verdicts(row.sure | sure, row.some | some)

    def _identity_bits(self, places: int) -> int:
        """Return the identities that the code in some resources runs as."""
        found = self._identities.get(places)
        if found is None:
            runs_as = (self.existing.runs_as[place] for place in positions(places))
            known = (number for number in runs_as if number is not None)
            found = gathered(known, self.realm.plain)
            self._identities[places] = found
        return found
