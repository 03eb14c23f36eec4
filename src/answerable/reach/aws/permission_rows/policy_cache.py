"""Cache of evaluated resource policies, shared by principals with equal results.

Two principals have equal results if both are of one account and kind, no statement of
the policy names either of them by itself, and the condition keys of its statements have
equal values.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

from answerable.reach.aws.compiled.principals import Principal, is_root
from answerable.reach.aws.compiled.statements import Clause, asked_keys
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy

Said = TypeVar("Said")
_Signature = tuple[object, ...]


class Member(NamedTuple):
    """Policy with the statements that matter.

    Attributes:
        clauses: Its statements on the question.
        others: Other statements on the resource (RCPs).
    """

    policy: ResourcePolicy
    clauses: tuple[Clause, ...]
    others: tuple[Clause, ...] = ()


class PolicyCache(Generic[Said]):
    """Cache of evaluated policies, by class of principals."""

    def __init__(
        self,
        members: Iterable[Member],
        evaluate: Callable[[ResourcePolicy, Principal], Iterable[Said]],
    ) -> None:
        """Index the policies by the condition keys and principals of their statements.

        Args:
            members: The policies.
            evaluate: Evaluates one policy for a principal.
        """
        self._evaluate = evaluate
        self._keys: dict[tuple[str, ...], list[ResourcePolicy]] = defaultdict(list)
        self._naming: dict[str, list[ResourcePolicy]] = defaultdict(list)
        for policy, clauses, others in members:
            asked = {
                key for clause in (*clauses, *others) for key in asked_keys(clause)
            }
            self._keys[tuple(sorted(asked))].append(policy)
            for name in {name for clause in clauses for name in _names(clause)}:
                self._naming[name].append(policy)
        self._found: dict[tuple[ResourcePolicy, _Signature], tuple[Said, ...]] = {}
        self._whole: dict[tuple[_Signature, ...], tuple[Said, ...]] = {}

    def evaluated(self, principal: Principal) -> tuple[Said, ...]:
        """Return all results for a principal; an equal class gets the same tuple."""
        signatures = tuple(_signature(principal, keys) for keys in self._keys)
        naming = self._by_name(principal)
        if naming:
            return tuple(self._listed(principal, signatures, naming))
        found = self._whole.get(signatures)
        if found is None:
            found = tuple(self._listed(principal, signatures, naming))
            self._whole[signatures] = found
        return found

    def _listed(
        self,
        principal: Principal,
        signatures: Iterable[_Signature],
        naming: set[ResourcePolicy],
    ) -> Iterator[Said]:
        groups = zip(self._keys.values(), signatures, strict=True)
        for policies, signature in groups:
            for policy in policies:
                if policy in naming:
                    yield from self._evaluate(policy, principal)
                    continue
                found = self._found.get((policy, signature))
                if found is None:
                    found = tuple(self._evaluate(policy, principal))
                    self._found[policy, signature] = found
                yield from found

    def _by_name(self, principal: Principal) -> set[ResourcePolicy]:
        """Return the policies that name a principal by itself."""
        identity = principal.identity
        names = [identity.id, identity.unique_id or identity.id]
        if principal.is_role:
            names.append(f"{identity.account} {identity.name}")
        found: set[ResourcePolicy] = set()
        for name in names:
            found.update(self._naming.get(name, ()))
        return found


def _signature(principal: Principal, keys: Iterable[str]) -> _Signature:
    identity = principal.identity
    return (
        identity.account,
        principal.linked,
        principal.boundary is None,
        principal.session is None,
        is_root(identity),
        *[principal.known.get(key) for key in keys],
    )


def _names(clause: Clause) -> Iterator[str]:
    yield from clause.naming.ids
    for account, role in clause.naming.sessions:
        yield f"{account} {role}"
