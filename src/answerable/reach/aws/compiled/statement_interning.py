"""Interning of compiled statements: equal ones are one object."""

from answerable.model.policy import ConditionClause, Policy, PolicyLayer, Statement
from answerable.reach.aws.compiled.statements import (
    UNREAD,
    CompiledStatement,
    PolicyGap,
    PolicyStatement,
    StatementText,
    compile_statement,
)
from answerable.reach.aws.evaluation.date_conditions import decide_date_condition
from answerable.reach.aws.patterns.action_sets import fold_action


class StatementInterner:
    """Compiler that interns equal statements and equal spellings of keys."""

    def __init__(self) -> None:
        self.clauses: list[CompiledStatement] = []
        self._by_text: dict[tuple[object, ...], CompiledStatement] = {}
        self.written: dict[str, str] = {}  # actions, as first written
        self._spelling: dict[str, str] = {}
        self._actions: dict[tuple[str, ...], tuple[str, ...]] = {}

    def compile_policy(
        self, policy: Policy, layer: PolicyLayer
    ) -> tuple[list[PolicyStatement], list[PolicyGap]]:
        """Compile a policy for the layer it is attached at."""
        gaps = [
            PolicyGap(UNREAD, layer, policy.id, unread.sid) for unread in policy.unread
        ]
        grants = []
        for statement in policy.statements:
            if _is_complete(statement, layer):
                grants.append(
                    PolicyStatement(
                        self._intern(statement, policy.seen.at),
                        layer,
                        policy.id,
                        statement.sid,
                    )
                )
            else:
                gaps.append(PolicyGap(UNREAD, layer, policy.id, statement.sid))
        return grants, gaps

    def _intern(self, statement: Statement, seen_at: int) -> CompiledStatement:
        conditions = tuple(
            [
                decide_date_condition(self._normalise_condition(clause), seen_at)
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
            found = self._by_text[text] = self._compile_statement(statement, conditions)
            self.clauses.append(found)
        return found

    def _compile_statement(
        self, statement: Statement, conditions: tuple[ConditionClause, ...]
    ) -> CompiledStatement:
        return compile_statement(
            len(self.clauses),
            StatementText(
                effect=statement.effect,
                actions=self._fold_actions(statement.actions),
                not_actions=self._fold_actions(statement.not_actions),
                resources=statement.resources,
                not_resources=statement.not_resources,
                conditions=conditions,
                principals=statement.principals,
                not_principals=statement.not_principals,
            ),
        )

    def _fold_actions(self, written: tuple[str, ...]) -> tuple[str, ...]:
        """Fold actions, and record how each was first written."""
        found = self._actions.get(written)
        if found is None:
            found = self._actions[written] = tuple(map(fold_action, written))
            for pattern, action in zip(found, written, strict=True):
                self.written.setdefault(pattern, action)
        return found

    def _normalise_condition(self, clause: ConditionClause) -> ConditionClause:
        key = self._spelling.setdefault(clause.key.lower(), clause.key)
        operator = self._spelling.setdefault(
            "operator " + clause.operator.lower(), clause.operator
        )
        if (operator, key) == (clause.operator, clause.key):
            return clause
        return ConditionClause(operator, key, clause.values)


def _is_complete(statement: Statement, layer: PolicyLayer) -> bool:
    if not (statement.actions or statement.not_actions):
        return False
    return layer in _LAYERS_WITHOUT_RESOURCE or bool(
        statement.resources or statement.not_resources
    )


_LAYERS_WITHOUT_RESOURCE = (
    PolicyLayer.TRUST,
    PolicyLayer.RESOURCE,
    PolicyLayer.ENDPOINT,
)
