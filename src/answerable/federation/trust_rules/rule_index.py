"""Index the trust rules in force, and find the rule that a workload matches.

Rules of an issuer are indexed by their first equality claim, so a token is matched only
against rules with its value.
"""

from collections.abc import Iterator, Mapping

from answerable.federation.trust_rules.matching import (
    MatchedRule,
    Workload,
    claims_by_path,
    match_rule,
)
from answerable.federation.trust_rules.overlap import ClaimValue
from answerable.model.ids import AgentId
from answerable.model.token_claims import ClaimPath
from answerable.model.trust_rule import IssuedSubject, LaunchedSubject, TrustRule
from answerable.model.workload_attestation import Attestation

# To Python, true is 1, and hashes alike.
_ValueKey = tuple[type, ClaimValue]


class AmbiguousMatch(Exception):  # noqa: N818 - an answer between modules, not an outcome
    """Several rules match one workload; `check` rejects such rules at load."""


class RuleIndex:
    """Index of validated rules.

    Args:
        rules: Rules of one configuration; empty if it had a fault.
    """

    def __init__(self, rules: tuple[TrustRule, ...] = ()) -> None:
        self._by_id = {rule.id: rule for rule in rules}
        self._local = tuple(
            rule for rule in rules if not isinstance(rule.subject, IssuedSubject)
        )
        self._issued: dict[str, dict[ClaimPath, dict[_ValueKey, list[TrustRule]]]] = {}
        for rule in rules:
            if isinstance(rule.subject, IssuedSubject) and rule.subject.match:
                path, value = rule.subject.match[0]
                values = self._issued.setdefault(rule.subject.issuer, {})
                under = values.setdefault(path, {})
                under.setdefault((type(value), value), []).append(rule)

    def __iter__(self) -> Iterator[TrustRule]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def get_rule(self, id: str) -> TrustRule | None:
        """Return a rule by its id, None if it is unknown."""
        return self._by_id.get(id)

    def find_matching_rule(self, workload: Workload) -> MatchedRule | None:
        """Find the one trust rule that a workload's token matches; or None.

        Raises:
            Ambiguous: Several match.
        """
        leaves = claims_by_path(workload)
        found: MatchedRule | None = None
        for rule in self._candidate_rules(workload, leaves):
            held = match_rule(rule, workload, leaves)
            if isinstance(held, MatchedRule):
                if found is not None:
                    raise AmbiguousMatch
                found = held
        return found

    def find_launch_rule(
        self, agent: AgentId, started_by: int, runs_as: int, program: str
    ) -> str:
        """Return the id of the rule that lets a person start an agent, empty for none.

        Args:
            started_by: User id of the requester.
            runs_as: User id of the process.
            program: Absolute path of the program.
        """
        fit = [
            rule.id
            for rule in self._local
            if isinstance(rule.subject, LaunchedSubject)
            and rule.agent == agent
            and rule.subject.started_by == started_by
            and rule.subject.program in ("", program)
            and (
                runs_as == rule.subject.runs_as
                or (rule.subject.runs_as is None and runs_as != 0)
            )
        ]
        return fit[0] if len(fit) == 1 else ""

    def _candidate_rules(
        self, workload: Workload, leaves: Mapping[ClaimPath, ClaimValue]
    ) -> Iterator[TrustRule]:
        """Yield the rules that may match: the local ones, or those by a claim."""
        if isinstance(workload, Attestation):
            yield from self._local
            return
        for path, values in self._issued.get(workload.issuer, {}).items():
            value = leaves.get(path)
            if value is not None:
                yield from values.get((type(value), value), ())
