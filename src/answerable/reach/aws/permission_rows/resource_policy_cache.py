"""Cache of evaluated resource policies, shared by principals with equal results.

Two principals have equal results if both are of one account and kind, no statement of
the policy names either of them by itself, and the condition keys of its statements have
equal values.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

from answerable.reach.aws.compiled.principals import CompiledPrincipal, is_root_user
from answerable.reach.aws.compiled.statements import (
    CompiledStatement,
    list_statement_keys,
)
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy

EvaluatedItem = TypeVar("EvaluatedItem")
_PrincipalSignature = tuple[object, ...]


class CachedPolicy(NamedTuple):
    """Policy with the statements that matter.

    Attributes:
        clauses: Its statements on the question.
        others: Other statements on the resource (RCPs).
    """

    policy: ResourcePolicy
    clauses: tuple[CompiledStatement, ...]
    others: tuple[CompiledStatement, ...] = ()


class ResourcePolicyCache(Generic[EvaluatedItem]):
    """Cache of evaluated policies, by class of principals."""

    def __init__(
        self,
        members: Iterable[CachedPolicy],
        evaluate: Callable[
            [ResourcePolicy, CompiledPrincipal], Iterable[EvaluatedItem]
        ],
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
                key
                for clause in (*clauses, *others)
                for key in list_statement_keys(clause)
            }
            self._keys[tuple(sorted(asked))].append(policy)
            for name in {
                name for clause in clauses for name in _list_principal_names(clause)
            }:
                self._naming[name].append(policy)
        self._found: dict[
            tuple[ResourcePolicy, _PrincipalSignature], tuple[EvaluatedItem, ...]
        ] = {}
        self._whole: dict[
            tuple[_PrincipalSignature, ...], tuple[EvaluatedItem, ...]
        ] = {}

    def evaluate_for_principal(
        self, principal: CompiledPrincipal
    ) -> tuple[EvaluatedItem, ...]:
        """Return all policies' results; equal principals share one tuple."""
        signatures = tuple(
            _get_policy_result_signature(principal, keys) for keys in self._keys
        )
        naming = self._list_naming_policies(principal)
        if naming:
            return tuple(self._list_results_by_signature(principal, signatures, naming))
        found = self._whole.get(signatures)
        if found is None:
            found = tuple(
                self._list_results_by_signature(principal, signatures, naming)
            )
            self._whole[signatures] = found
        return found

    def _list_results_by_signature(
        self,
        principal: CompiledPrincipal,
        signatures: Iterable[_PrincipalSignature],
        naming_policies: set[ResourcePolicy],
    ) -> Iterator[EvaluatedItem]:
        """Yield each policy's results, evaluated once per signature."""
        groups = zip(self._keys.values(), signatures, strict=True)
        for policies, signature in groups:
            for policy in policies:
                if policy in naming_policies:
                    yield from self._evaluate(policy, principal)
                    continue
                found = self._found.get((policy, signature))
                if found is None:
                    found = tuple(self._evaluate(policy, principal))
                    self._found[policy, signature] = found
                yield from found

    def _list_naming_policies(
        self, principal: CompiledPrincipal
    ) -> set[ResourcePolicy]:
        """Return the policies that name this very principal."""
        identity = principal.identity
        names = [identity.id, identity.unique_id or identity.id]
        if principal.is_role:
            names.append(f"{identity.account} {identity.name}")
        found: set[ResourcePolicy] = set()
        for name in names:
            found.update(self._naming.get(name, ()))
        return found


def _get_policy_result_signature(
    principal: CompiledPrincipal, keys: Iterable[str]
) -> _PrincipalSignature:
    """Return the attributes that decide a policy's result for a principal."""
    identity = principal.identity
    return (
        identity.account,
        principal.linked,
        principal.boundary is None,
        principal.session is None,
        is_root_user(identity),
        *[principal.known.get_key_values(key) for key in keys],
    )


def _list_principal_names(clause: CompiledStatement) -> Iterator[str]:
    """Yield the ids and role sessions that a statement's principals name."""
    yield from clause.naming.ids
    for account, role in clause.naming.sessions:
        yield f"{account} {role}"
