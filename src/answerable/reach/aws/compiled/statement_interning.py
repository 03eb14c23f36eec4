"""Interning of compiled statements: equal ones are one object."""

from answerable.model.policy import ConditionClause, Layer, Policy, Statement
from answerable.reach.aws.compiled.statements import (
    UNREAD,
    Clause,
    ClauseText,
    Gap,
    Grant,
    make_clause,
)
from answerable.reach.aws.evaluation.date_conditions import decide_by_time
from answerable.reach.aws.patterns.action_sets import folded


class Interner:
    """Compiler that interns equal statements and equal spellings of keys."""

    def __init__(self) -> None:
        self.clauses: list[Clause] = []
        self._by_text: dict[tuple[object, ...], Clause] = {}
        self.written: dict[str, str] = {}  # actions, as first written
        self._spelling: dict[str, str] = {}
        self._actions: dict[tuple[str, ...], tuple[str, ...]] = {}

    def compile(self, policy: Policy, layer: Layer) -> tuple[list[Grant], list[Gap]]:
        """Compile a policy for the layer it is attached at."""
        gaps = [Gap(UNREAD, layer, policy.id, unread.sid) for unread in policy.unread]
        grants = []
        for statement in policy.statements:
            if _is_whole(statement, layer):
                grants.append(
                    Grant(
                        self._intern(statement, policy.seen.at),
                        layer,
                        policy.id,
                        statement.sid,
                    )
                )
            else:
                gaps.append(Gap(UNREAD, layer, policy.id, statement.sid))
        return grants, gaps

    def _intern(self, statement: Statement, seen_at: int) -> Clause:
        conditions = tuple(
            [
                decide_by_time(self._spelled(clause), seen_at)
                for clause in statement.conditions
            ]
        )
        text = (
            statement.effect,
            statement.actions,
            statement.not_actions,
            statement.resources,
            statement.not_resources,
            conditions,
            statement.principals,
            statement.not_principals,
        )
        found = self._by_text.get(text)
        if found is None:
            found = self._by_text[text] = self._make(statement, conditions)
            self.clauses.append(found)
        return found

    def _make(
        self, statement: Statement, conditions: tuple[ConditionClause, ...]
    ) -> Clause:
        return make_clause(
            len(self.clauses),
            ClauseText(
                effect=statement.effect,
                actions=self._folded(statement.actions),
                not_actions=self._folded(statement.not_actions),
                resources=statement.resources,
                not_resources=statement.not_resources,
                conditions=conditions,
                principals=statement.principals,
                not_principals=statement.not_principals,
            ),
        )

    def _folded(self, written: tuple[str, ...]) -> tuple[str, ...]:
        """Fold actions, and record how each was first written."""
        found = self._actions.get(written)
        if found is None:
            found = self._actions[written] = tuple(map(folded, written))
            for pattern, action in zip(found, written, strict=True):
                self.written.setdefault(pattern, action)
        return found

    def _spelled(self, clause: ConditionClause) -> ConditionClause:
        key = self._spelling.setdefault(clause.key.lower(), clause.key)
        operator = self._spelling.setdefault(
            "operator " + clause.operator.lower(), clause.operator
        )
        if (operator, key) == (clause.operator, clause.key):
            return clause
        return ConditionClause(operator, key, clause.values)


def _is_whole(statement: Statement, layer: Layer) -> bool:
    if not (statement.actions or statement.not_actions):
        return False
    return layer in _OF_ITS_OWN or bool(statement.resources or statement.not_resources)


_OF_ITS_OWN = (Layer.TRUST, Layer.RESOURCE, Layer.ENDPOINT)
