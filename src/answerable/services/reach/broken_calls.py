"""Recorded calls that an edit of policies would deny."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from answerable.connectors.iam_catalogue.fetch import load
from answerable.lineage.chain_index import Chains
from answerable.lineage.stitch_inputs import JointChains
from answerable.model.documents.what_if import BreaksItem, UseItem
from answerable.model.event import Outcome
from answerable.model.ids import IdentityId
from answerable.presentation.inventory_lists import spelled_time
from answerable.reach.aws.bulk.closure import whole_of
from answerable.reach.aws.compiled.principal_element import owner_in
from answerable.reach.aws.permission_rows.row_types import make_filter
from answerable.reach.aws.what_if.edit_scope import EditScope, scope_of
from answerable.reach.aws.what_if.minimal_cuts import Cut
from answerable.reach.queries import principal_rows
from answerable.services.lineage.recorded_calls import Calls, Trail, calls_of, trail_of
from answerable.services.lineage.stitched_chains import stitched
from answerable.services.reach.query_context import Asked
from answerable.store.store import Store

_MOST_IDENTITIES = 200


@dataclass(slots=True)
class Breakage:
    """Recorded calls that some edits would deny.

    Attributes:
        asked: Collected snapshot.
        stood: Loaded chains; None to load them.
    """

    store: Store
    asked: Asked
    stood: Sequence[JointChains] | None
    _chains: Chains | None = None
    _calls: dict[str, list[Calls]] = field(default_factory=dict)
    _trail: Trail | None = None

    def of(self, after: Asked, cut: Cut) -> BreaksItem:
        """List the successful calls that the edited policies no longer allow.

        A call is listed if any permission for its action is lost, as recorded events do
        not name every resource. The result is unknown if a log is missing.

        Args:
            after: Snapshot without the statements.
        """
        scope = scope_of(self.asked.estate, after.estate)
        if self._chains is None:
            self._chains = Chains.of(
                stitched(self.store) if self.stood is None else self.stood
            )
        known = self.asked.estate.principals
        names = [
            IdentityId(name)
            for name in sorted(self._chains.identities.ids)
            if IdentityId(name) in known
        ]
        affected = [name for name in names if self._is_affected(name, after, scope)]
        used: list[UseItem] = []
        for name in affected[:_MOST_IDENTITIES]:
            used += self._used(name, after)
        since = self._since(cut, scope)
        whole = len(affected) <= _MOST_IDENTITIES and since > 0
        return {
            "used": used if used or whole else None,
            "since": spelled_time(since) if whole else None,
        }

    def _is_affected(self, name: IdentityId, after: Asked, scope: EditScope) -> bool:
        """Return whether the permissions or steps of an identity may differ."""
        if name in scope.identities or scope.resources:
            return True
        rows = [
            whole.rows.steps[whole.number(graph.start(name))]
            for graph in (self.asked.graph, after.graph)
            for whole in [whole_of(graph)]
        ]
        return rows[0] != rows[1]

    def _used(self, name: IdentityId, after: Asked) -> Iterable[UseItem]:
        if name not in self._calls:
            self._calls[name] = calls_of(
                self.store, self.asked.inventory, name, self._chains
            )
        calls: dict[str, list[Calls]] = {}
        for call in self._calls[name]:
            if call.identity == name and call.outcome is not Outcome.DENIED:
                calls.setdefault(call.action, []).append(call)
        for action, each in calls.items():
            if self._loses(name, action, after):
                last = max(call.last for call in each)
                yield {
                    "identity": name,
                    "action": action,
                    "count": sum(call.count for call in each),
                    "last_used": spelled_time(last) if last else None,
                }

    def _loses(self, name: IdentityId, action: str, after: Asked) -> bool:
        """Return whether a permission for an action is lost."""
        wanted = make_filter(action, "*")
        rows = [
            {
                (row.actions, row.resources, row.formula)
                for row in principal_rows(
                    graph, graph.principal(graph.start(name)), wanted
                )
            }
            for graph in (self.asked.graph, after.graph)
        ]
        return bool(rows[0] - rows[1])

    def _since(self, cut: Cut, scope: EditScope) -> int:
        """Return since when the trail records the affected calls; 0 if it does not."""
        if self._trail is None:
            self._trail = trail_of(self.store, load())
        accounts = {owner_in(name) for name in scope.identities}
        accounts |= {owner_in(one.policy) for one in cut}
        accounts -= {"", "aws"}
        if not accounts:
            accounts = {each.account for each in self.asked.inventory.facts.identities}
        policies = {one.id: one for one in self.asked.inventory.facts.policies}
        actions = {
            action
            for one in cut
            for each in (policies.get(one.policy),)  # type: ignore[call-overload]  # an id
            for statement in (each.statements if each else ())
            if statement.sid == one.sid
            for action in statement.actions or ("*",)
        }
        if not accounts or any(self._trail.lacks(a, accounts) for a in actions):
            return 0
        return self._trail.since(accounts)
