"""Find recorded calls that an edit of policies would deny."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.lineage.chain_index import ChainIndex
from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.model.documents.what_if import BreakageItem, BrokenUseItem
from answerable.model.event import EventOutcome
from answerable.model.ids import IdentityId
from answerable.presentation.answer_coverage import format_time
from answerable.reach.aws.bulk.closure import get_graph_closure
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.reach.aws.permission_rows.callable_rows import list_callable_rows
from answerable.reach.aws.permission_rows.row_types import parse_row_filter
from answerable.reach.aws.query_context import QueryContext
from answerable.reach.aws.what_if.edit_scope import EditScope, find_scope_of_edit
from answerable.reach.aws.what_if.minimal_cuts import StatementSet
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.recorded_calls import (
    CallCount,
    LogCoverage,
    count_recorded_calls,
    read_log_coverage,
)
from answerable.store.store import EvidenceStore

_MOST_IDENTITIES = 200


@dataclass(slots=True)
class BrokenCallFinder:
    """Recorded calls that some edits would deny.

    Attributes:
        query: Collected snapshot.
        chains: Loaded chains; None to load them.
    """

    store: EvidenceStore
    query: QueryContext
    chains: Sequence[ChainTimeline] | None
    _chains: ChainIndex | None = None
    _calls: dict[str, list[CallCount]] = field(default_factory=dict)
    _trail: LogCoverage | None = None

    def find_broken_calls(
        self, after: QueryContext, removed: StatementSet
    ) -> BreakageItem:
        """List the recorded successful calls that the edited policies would deny.

        A call is listed if any permission for its action is lost, as recorded events do
        not name every resource. The result is unknown if a log is missing.

        Args:
            after: Snapshot without the statements.
        """
        scope = find_scope_of_edit(
            self.query.compiled_accounts, after.compiled_accounts
        )
        if self._chains is None:
            self._chains = ChainIndex.wrap_chains(
                load_or_compute_chains(self.store)
                if self.chains is None
                else self.chains
            )
        known = self.query.compiled_accounts.principals
        names = [
            IdentityId(name)
            for name in sorted(self._chains.identities.ids)
            if IdentityId(name) in known
        ]
        affected = [
            name for name in names if self._is_identity_affected(name, after, scope)
        ]
        used: list[BrokenUseItem] = []
        for name in affected[:_MOST_IDENTITIES]:
            used += self._list_broken_actions(name, after)
        since = self._find_recording_start(removed, scope)
        whole = len(affected) <= _MOST_IDENTITIES and since > 0
        return {
            "used": used if used or whole else None,
            "since": format_time(since) if whole else None,
        }

    def _is_identity_affected(
        self, name: IdentityId, after: QueryContext, scope: EditScope
    ) -> bool:
        """Return whether an edit may change an identity's permissions or paths."""
        if name in scope.identities or scope.resources or scope.roles:
            return True
        rows = [
            whole.step_table.steps[
                whole.get_or_assign_node_number(graph.get_start_node(name))
            ]
            for graph in (self.query.graph, after.graph)
            for whole in [get_graph_closure(graph)]
        ]
        return rows[0] != rows[1]

    def _list_broken_actions(
        self, name: IdentityId, after: QueryContext
    ) -> Iterable[BrokenUseItem]:
        """Yield the recorded actions of an identity that it could no longer call."""
        if name not in self._calls:
            self._calls[name] = count_recorded_calls(
                self.store, self.query.inventory, name, self._chains
            )
        calls: dict[str, list[CallCount]] = {}
        for call in self._calls[name]:
            if call.identity == name and call.outcome is not EventOutcome.DENIED:
                calls.setdefault(call.action, []).append(call)
        for action, each in calls.items():
            if self._loses_permission(name, action, after):
                last = max(call.last for call in each)
                yield {
                    "identity": name,
                    "action": action,
                    "count": sum(call.count for call in each),
                    "last_used": format_time(last) if last else None,
                }

    def _loses_permission(
        self, name: IdentityId, action: str, after: QueryContext
    ) -> bool:
        """Return whether an edit removes any permission for an action."""
        wanted = parse_row_filter(action, "*")
        rows = [
            {
                (row.actions, row.resources, row.formula)
                for row in list_callable_rows(
                    graph, graph.get_principal(graph.get_start_node(name)), wanted
                )
            }
            for graph in (self.query.graph, after.graph)
        ]
        return bool(rows[0] - rows[1])

    def _find_recording_start(self, removed: StatementSet, scope: EditScope) -> int:
        """Return since when audit logs record the affected calls; 0 if they do not."""
        if self._trail is None:
            self._trail = read_log_coverage(self.store, load_catalogue())
        facts = self.query.inventory.facts
        accounts = {get_arn_account(name) for name in scope.identities}
        accounts |= {get_arn_account(one.policy) for one in removed}
        accounts -= {"", "aws"}
        if not accounts:
            accounts = {each.account for each in facts.iterate_identities()}
        policies = facts.policies_by_id()
        actions = {
            action
            for one in removed
            for each in (policies.get(one.policy),)
            for statement in (each.statements if each else ())
            if statement.sid == one.sid
            for action in statement.actions or ("*",)
        }
        if not accounts or any(
            self._trail.find_missing_log(a, accounts) for a in actions
        ):
            return 0
        return self._trail.get_recording_start(accounts)
