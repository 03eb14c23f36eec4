"""Use of the actions that an identity's policies grant, from the ingested trail."""

from dataclasses import dataclass
from functools import cached_property

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.event import EventOutcome
from answerable.model.ids import IdentityId
from answerable.posture.facts import GrantedActionUse
from answerable.posture.rules.granted_actions import WINDOW_DAYS
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.reach.aws.evaluation.request import DENY_KEY
from answerable.reach.aws.permission_rows.row_action_expansion import ActionMatcher
from answerable.reach.aws.permission_rows.row_types import SCOPE, parse_row_filter
from answerable.reach.aws.subject_queries import ReachAnswer, iterate_subject_rows
from answerable.reach.condition_formula import Verdict, get_verdict
from answerable.services.lineage.recorded_calls import (
    LogCoverage,
    count_recorded_calls,
    read_log_coverage,
)
from answerable.services.posture.logged_use import LoggedUse
from answerable.services.posture.reach_view import SnapshotReach
from answerable.services.reach.compiled_snapshots import let_waiting_queries_run

# A row may be open where a single action is denied: patterns that overlap.
_OVERLAPS = (SCOPE, DENY_KEY)
_GRANTED = (Verdict.ALWAYS, Verdict.ONLY_IF)


@dataclass(eq=False)
class GrantedActionUseView:
    """Use of the granted actions of identities whose account is in an ingested trail."""

    use: LoggedUse
    reach: SnapshotReach

    def count_action_use(self, identity: str) -> GrantedActionUse | None:
        """Count the granted actions with and without calls; None without the logs.

        None also if the policies of the identity were not collected. Logs of fewer days
        than the rule needs are not compared with the actions.
        """
        let_waiting_queries_run(self.reach.inventory)
        use = self.use.get_use(identity) if self._is_collected(identity) else None
        if use is None:
            return None
        account = {get_arn_account(identity)}
        days = len(use.days)
        if days < WINDOW_DAYS:
            return GrantedActionUse(0, (), (), days)
        granted = self._list_granted_actions(identity)
        called = {
            str(self._load_catalogue.find_action(each.action) or each.action)
            for each in count_recorded_calls(
                self.use.store, self.use.inventory, identity, self.use.chains
            )
            if each.outcome is not EventOutcome.DENIED
        }
        silent = sorted(granted - called)
        missing = [
            e for e in silent if self._read_recorded_calls.find_missing_log(e, account)
        ]
        unused = sorted(set(silent).difference(missing))
        return GrantedActionUse(len(granted), tuple(unused), tuple(missing), days)

    def _is_collected(self, identity: str) -> bool:
        """Return whether the policies of an identity were collected."""
        query = self.reach.query
        return query is not None and identity in query.graph.accounts.principals

    def _list_granted_actions(self, identity: str) -> set[str]:
        """List the actions that an identity's own policies grant."""
        query = self.reach.query
        if query is None:
            return set()
        rows = iterate_subject_rows(
            query.graph, IdentityId(identity), parse_row_filter("*", "*"), direct=True
        )
        return {
            str(action)
            for each in rows
            if each.row is not None and _is_granted(each)
            for action in self._build_action_matcher.list_actions_of_row(each.row)
        }

    @cached_property
    def _load_catalogue(self) -> ActionCatalogue:
        """Load the catalogue of all services."""
        return load_catalogue()

    @cached_property
    def _build_action_matcher(self) -> ActionMatcher:
        """Build the matcher of action patterns."""
        return ActionMatcher(self._load_catalogue)

    @cached_property
    def _read_recorded_calls(self) -> LogCoverage:
        """Read the calls that the ingested trails record."""
        return read_log_coverage(self.use.store, self._load_catalogue)


def _is_granted(answer: ReachAnswer) -> bool:
    """Return whether a row grants each of its actions."""
    overlaps = any(term.key in _OVERLAPS for one in answer.formula for term in one)
    return not overlaps and get_verdict(answer.formula) in _GRANTED
