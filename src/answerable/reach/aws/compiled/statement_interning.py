"""Intern compiled policy statements, so that equal statements are one object."""

import hashlib
import re
from collections.abc import Set

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
from answerable.reach.aws.patterns.action_pattern_index import (
    encode_action_in_lower_case,
)

_ACCOUNT = re.compile(r"\d{12}")


class StatementNumbers:
    """Numbers of the statements of parts that are compiled one after the other.

    A statement that names an account of its part is not looked for in other parts: most
    statements are such, and would need memory. Other equal statements have one number.

    Attributes:
        written: Actions, as first written.
        spelling: Operators and keys of conditions, as first written.
    """

    def __init__(self) -> None:
        """Begin without statements."""
        self._size = 0
        self._numbers: dict[bytes, int] = {}  # by digest
        self._accounts: Set[str] = frozenset()
        self.written: dict[str, str] = {}
        self.spelling: dict[str, str] = {}

    def __len__(self) -> int:
        return self._size

    def begin_part(self, accounts: Set[str]) -> None:
        """Begin a part with some accounts."""
        self._accounts = accounts

    def assign_number(self, text: tuple[object, ...]) -> tuple[int, bool]:
        """Return the number of a statement, and whether it is new."""
        number, written = self._size, repr(text)
        if self._accounts.isdisjoint(_ACCOUNT.findall(written)):
            encoded = written.encode("utf-8", "surrogatepass")
            digest = hashlib.blake2b(encoded, digest_size=16).digest()
            number = self._numbers.setdefault(digest, number)
        is_new = number == self._size
        self._size += is_new
        return number, is_new


class StatementInterner:
    """Compiler that interns equal statements and equal spellings of keys.

    Attributes:
        clauses: Statements that no earlier part has.
        written: Actions, as first written.
    """

    def __init__(self, numbers: StatementNumbers | None = None) -> None:
        """Start with the numbers of earlier parts; by default, with none."""
        self.clauses: list[CompiledStatement] = []
        self._numbers = StatementNumbers() if numbers is None else numbers
        self._is_part = numbers is not None
        self._by_text: dict[tuple[object, ...], CompiledStatement] = {}
        self.written = self._numbers.written
        self._spelling = self._numbers.spelling
        self._actions: dict[tuple[str, ...], tuple[str, ...]] = {}

    def compile_policy_for_layer(
        self, policy: Policy, layer: PolicyLayer
    ) -> tuple[list[PolicyStatement], list[PolicyGap]]:
        """Compile a policy to statements, and gaps for the unreadable ones."""
        gaps = [
            PolicyGap(UNREAD, layer, policy.id, unread.sid) for unread in policy.unread
        ]
        grants = []
        for statement in policy.statements:
            if _has_required_elements(statement, layer):
                grants.append(
                    PolicyStatement(
                        self._intern_compiled_statement(statement, policy.seen.at),
                        layer,
                        policy.id,
                        statement.sid,
                    )
                )
            else:
                gaps.append(PolicyGap(UNREAD, layer, policy.id, statement.sid))
        return grants, gaps

    def _intern_compiled_statement(
        self, statement: Statement, seen_at: int
    ) -> CompiledStatement:
        """Return the compiled statement; equal statements are one object."""
        conditions = tuple(
            [
                decide_date_condition(
                    self._normalise_condition_spelling(clause), seen_at
                )
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
            number, is_new = len(self.clauses), True
            if self._is_part:
                number, is_new = self._numbers.assign_number(text)
            found = self._compile_statement(number, statement, conditions)
            self._by_text[text] = found
            if is_new:
                self.clauses.append(found)
        return found

    def _compile_statement(
        self,
        number: int,
        statement: Statement,
        conditions: tuple[ConditionClause, ...],
    ) -> CompiledStatement:
        """Compile a statement under a number."""
        return compile_statement(
            number,
            StatementText(
                effect=statement.effect,
                actions=self._normalise_action_spellings(statement.actions),
                not_actions=self._normalise_action_spellings(statement.not_actions),
                resources=statement.resources,
                not_resources=statement.not_resources,
                conditions=conditions,
                principals=statement.principals,
                not_principals=statement.not_principals,
            ),
        )

    def _normalise_action_spellings(self, actions: tuple[str, ...]) -> tuple[str, ...]:
        """Fold actions, and record how each was first written."""
        found = self._actions.get(actions)
        if found is None:
            found = self._actions[actions] = tuple(
                map(encode_action_in_lower_case, actions)
            )
            for pattern, action in zip(found, actions, strict=True):
                self.written.setdefault(pattern, action)
        return found

    def _normalise_condition_spelling(
        self, condition: ConditionClause
    ) -> ConditionClause:
        """Use the spelling first met of a condition's key and operator."""
        key = self._spelling.setdefault(condition.key.lower(), condition.key)
        operator = self._spelling.setdefault(
            "operator " + condition.operator.lower(), condition.operator
        )
        if (operator, key) == (condition.operator, condition.key):
            return condition
        return ConditionClause(operator, key, condition.values)


def _has_required_elements(statement: Statement, layer: PolicyLayer) -> bool:
    """Return whether a statement has the elements that its layer requires."""
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
