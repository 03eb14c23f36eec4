"""Index the statements of one policy layer by the principals that hold them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from copy import copy
from typing import NamedTuple

from answerable.model.policy import PolicyEffect
from answerable.reach.aws.bulk.bitset import build_bitset
from answerable.reach.aws.compiled.statements import CompiledStatement, PolicyStatement
from answerable.reach.aws.patterns.glob_matching import has_no_wildcard

_PLAIN = re.compile(r"[*?$]")


class ActionStatements(NamedTuple):
    """Statements of one layer that match one action."""

    allows: tuple[CompiledStatement, ...]
    denies: tuple[CompiledStatement, ...]


class ActorsByEffect(NamedTuple):
    """Actors with an unconditional statement on every resource, by effect."""

    allowed: int
    denied: int


class HolderList:
    """Collector of holders by statement."""

    def __init__(self) -> None:
        self._found: dict[CompiledStatement, list[int]] = defaultdict(list)

    def add_holder_of_statements(
        self, statements: Iterable[PolicyStatement], number: int
    ) -> None:
        """Record that a principal's policies contain these statements."""
        for grant in statements:
            self._found[grant.clause].append(number)

    def list_statements_with_holders(
        self, size: int
    ) -> Iterator[tuple[CompiledStatement, int]]:
        """Pair each statement with a bitset of the principals that have it."""
        for clause, numbers in self._found.items():
            yield clause, build_bitset(numbers, size)


class HolderTable:
    """Statements of one layer, each with its holders."""

    def __init__(self) -> None:
        self.actors: dict[CompiledStatement, int] = {}
        self._by_service: dict[str, list[CompiledStatement]] = defaultdict(list)
        self._taking: dict[str, ActionStatements] = {}
        self._wide: dict[str, ActorsByEffect] = {}
        self._narrow: dict[str, dict[str, list[CompiledStatement]]] = {}

    def add_statement_holders(self, statement: CompiledStatement, actors: int) -> None:
        """Add principals whose policies contain a statement, and index it."""
        if statement not in self.actors:
            for service in list_statement_services(statement):
                self._by_service[service].append(statement)
            self._taking.clear()
            self._narrow.clear()
        self._wide.clear()
        self.actors[statement] = self.actors.get(statement, 0) | actors

    def with_changed_holders(
        self, removed: HolderList, added: HolderList, size: int
    ) -> "HolderTable":
        """Return a copy with the statements of some holders removed and added."""
        new = copy(self)
        new.actors = dict(self.actors)
        new._by_service = defaultdict(list, self._by_service)
        new._taking, new._wide, new._narrow = {}, {}, {}
        for clause, actors in removed.list_statements_with_holders(size):
            new.actors[clause] &= ~actors
        for clause, actors in added.list_statements_with_holders(size):
            if clause not in new.actors:
                for service in list_statement_services(clause):
                    new._by_service[service] = [*new._by_service[service], clause]
            new.actors[clause] = new.actors.get(clause, 0) | actors
        return new

    def select_statements(self, action: str) -> ActionStatements:
        """Select the statements that match an action in lower case."""
        found = self._taking.get(action)
        if found is None:
            mine = [
                c
                for c in self.list_statements_on_service(action.partition(":")[0])
                if c.matches_action(action)
            ]
            found = self._taking[action] = ActionStatements(
                tuple(c for c in mine if c.effect is PolicyEffect.ALLOW),
                tuple(c for c in mine if c.effect is PolicyEffect.DENY),
            )
        return found

    def find_holders_of_all_resource_statements(self, action: str) -> ActorsByEffect:
        """Return the holders of `Resource: *` statements on an action, by effect."""
        found = self._wide.get(action)
        if found is None:
            allowed = denied = 0
            for clause in self.list_statements_on_service(action.partition(":")[0]):
                if clause.wide and clause.matches_action(action):
                    if clause.effect is PolicyEffect.ALLOW:
                        allowed |= self.actors[clause]
                    else:
                        denied |= self.actors[clause]
            found = self._wide[action] = ActorsByEffect(allowed, denied)
        return found

    def list_statements_on_specific_resources(
        self, action: str, resource: str
    ) -> Iterator[CompiledStatement]:
        """List statements on specific resources that may match a call."""
        service = action.partition(":")[0]
        by_start = self._narrow.get(service)
        if by_start is None:
            by_start = self._narrow[service] = defaultdict(list)
            for clause in self.list_statements_on_service(service):
                for start in list_literal_resource_prefixes(clause):
                    by_start[start].append(clause)
        met: set[CompiledStatement] = set()
        for length in range(len(resource) + 1):
            for clause in by_start.get(resource[:length], ()):
                if clause not in met and clause.matches_action(action):
                    met.add(clause)
                    yield clause

    def list_statements_on_service(self, service: str) -> Iterator[CompiledStatement]:
        """List statements that may match actions of a service; all for `*`."""
        if service == "*":
            yield from self.actors
            return
        yield from self._by_service.get(service, ())
        yield from self._by_service.get("", ())


def list_literal_resource_prefixes(statement: CompiledStatement) -> set[str]:
    """List the literal prefixes of a statement's resource patterns."""
    if statement.wide:
        return set()
    if not statement.resources:
        return {""}
    return {_PLAIN.split(written, maxsplit=1)[0] for written in statement.resources}


def list_statement_services(statement: CompiledStatement) -> set[str]:
    """Return the service prefixes that a statement may match; empty for any."""
    named = {pattern.partition(":")[0] for pattern in statement.actions}
    if statement.not_actions or not all(map(has_no_wildcard, named)):
        return {""}
    return named
