"""Find the identities that each principal gains by taking over running code."""

from dataclasses import dataclass, field

from answerable.reach.aws.bulk.bitset import (
    NO_VERDICTS,
    VerdictBits,
    build_bitset,
    list_positions,
)
from answerable.reach.aws.bulk.existing_resources import ExistingResources
from answerable.reach.aws.bulk.graph_compiler import CompiledGraph, PassRolePermissions
from answerable.reach.aws.escalation_rules.registry import TakeoverRule


@dataclass(eq=False, slots=True)
class TakeoverSteps:
    """Identities whose running code an actor can take over."""

    realm: CompiledGraph
    existing: ExistingResources
    passing: PassRolePermissions
    _identities: dict[int, int] = field(default_factory=dict)

    def add_gained_identities(self, actor: int, row: VerdictBits) -> VerdictBits:
        """Add to a row the identities whose running code a principal takes over."""
        account = self.realm.index.actors[actor].identity.account
        for rule, there, able in self.existing.list_takeover_targets(account):
            if not able >> actor & 1:
                continue
            missing = row.some if rule.precondition else row.sure
            if self._find_identities_code_runs_as(there) & ~missing:
                row = self._apply_takeover_rule(actor, rule, there, row)
        return row

    def _apply_takeover_rule(
        self, actor: int, rule: TakeoverRule, candidates: int, row: VerdictBits
    ) -> VerdictBits:
        """Add the identities that one takeover rule gives on some resources."""
        places = self.existing.find_permitted_resources(actor, rule.needs, candidates)
        if not places.some:
            return row
        sure, some = map(self._find_identities_code_runs_as, places)
        if rule.service:
            passed = self.passing.find_passable_roles(rule.service).get(
                actor, NO_VERDICTS
            )
            sure, some = sure & passed.sure, some & passed.some
        if rule.precondition:
            sure = 0
        return VerdictBits(row.sure | sure, row.some | some)

    def _find_identities_code_runs_as(self, resources: int) -> int:
        """Return, as a bitset, the roles that code in these resources runs as."""
        found = self._identities.get(resources)
        if found is None:
            runs_as = (
                self.existing.runs_as[place] for place in list_positions(resources)
            )
            known = (number for number in runs_as if number is not None)
            found = build_bitset(known, self.realm.plain)
            self._identities[resources] = found
        return found
