"""Select one of several roles that the same identities of some accounts may assume.

Roles that anyone may assume are often copies in many accounts. Which identities may
assume a role depends on its trust policy, and on the resource patterns of their
statements: roles of which both are equal are equivalent.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from answerable.model.documents.shared_shapes import PathItem
from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.reach.aws.compiled.resources import RESOURCE_KEY_PREFIXES
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.context_keys import has_policy_variable
from answerable.reach.aws.evaluation.trust_policies import ASSUME_ROLE, RoleTrust
from answerable.reach.aws.patterns.arn_matching import ArnParts, matches_arn, split_arn
from answerable.reach.aws.patterns.glob_matching import ANY_TEXT, has_no_wildcard
from answerable.reach.condition_formula import Verdict

_ACCOUNT = 4  # part of an ARN
_ORDER = (Verdict.ALWAYS, Verdict.ONLY_IF, Verdict.NOT_KNOWN)


@dataclass(frozen=True, slots=True)
class SharedIdentity:
    """Identity that is or may reach an administrator, and that other accounts may become.

    Attributes:
        verdict: `not-known` if its account has too many identities to follow its paths.
        path: Steps from it to an administrator.
        trust: Numbers of the statements of its trust policy; None if it may be unlike
            other roles with these.
    """

    verdict: Verdict
    path: tuple[PathItem, ...]
    trust: tuple[int, ...] | None = None

    @property
    def rank(self) -> tuple[int, int]:
        """Return the sort key: unconditional first, not known last; the shorter path."""
        return _ORDER.index(self.verdict), len(self.path)


def select_distinct_roles(
    patterns: "RolePatterns | None",
    shared: Mapping[IdentityId, SharedIdentity],
    kept: Container[str],
) -> dict[IdentityId, SharedIdentity]:
    """Select the best of equivalent roles, as the identities of a batch see them.

    Args:
        patterns: Patterns of the batch; None if any two roles may be unlike.
        shared: Roles of other accounts.
        kept: Roles that may be entered otherwise than by their trust policies.
    """
    if patterns is None:
        return dict(shared)
    best: dict[object, IdentityId] = {}
    for name in sorted(shared):
        trust = None if name in kept else shared[name].trust
        matching = None if trust is None else patterns.find_matching(name)
        key: object = name if matching is None else (trust, matching)
        before = best.get(key)
        if before is None or shared[name].rank < shared[before].rank:
            best[key] = name
    return {name: shared[name] for name in sorted(best.values())}


class RolePatterns:
    """Resource patterns of the statements on assuming a role."""

    def __init__(self, every: Iterable[ArnParts], telling: Container[ArnParts]) -> None:
        """Index the patterns by the account that they name.

        Args:
            every: All of them.
            telling: Those of statements whose conditions read keys of the role.
        """
        self._by_account: dict[str, list[tuple[int, ArnParts, bool]]] = defaultdict(
            list
        )
        for number, each in enumerate(every):
            account = each[_ACCOUNT] if len(each) > _ACCOUNT else ANY_TEXT
            known = account if has_no_wildcard(account) else ANY_TEXT
            self._by_account[known].append((number, each, each in telling))

    def find_matching(self, role: str) -> frozenset[int] | None:
        """Find the patterns that match a role; None if one may tell it from others."""
        text = split_arn(role)
        found = []
        for account in (get_arn_account(role), ANY_TEXT):
            for number, pattern, is_telling in self._by_account.get(account, ()):
                if matches_arn(pattern, text):
                    if is_telling:
                        return None
                    found.append(number)
        return frozenset(found)


def collect_role_patterns(
    accounts: CompiledAccounts, names: Sequence[IdentityId], groups: Sequence[str]
) -> RolePatterns | None:
    """Collect the patterns of a batch; None if a statement may tell any two roles apart.

    Args:
        names: Identities of the batch.
        groups: Groups of its accounts.
    """
    every: dict[ArnParts, None] = {}
    telling: dict[ArnParts, None] = {}
    for clause in _list_statements(accounts, names, groups):
        reads_role = any(
            line.key.lower().startswith(RESOURCE_KEY_PREFIXES)
            or any(map(has_policy_variable, line.values))
            for line in clause.conditions
        )
        if not clause.parts or (reads_role and clause.not_resources):
            return None
        every |= dict.fromkeys(clause.parts)
        if reads_role:
            telling |= dict.fromkeys(clause.parts)
    return RolePatterns(every, telling)


def _list_statements(
    accounts: CompiledAccounts, names: Sequence[IdentityId], groups: Sequence[str]
) -> Iterator[CompiledStatement]:
    """Yield each statement on assuming a role once."""
    seen: set[int] = set()
    for name in names:
        principal = accounts.principals[name]
        for grant in accounts.list_statements_on_action(principal, ASSUME_ROLE):
            if grant.clause.number not in seen:
                seen.add(grant.clause.number)
                yield grant.clause
    for group in groups:
        for grant in accounts.groups[group]:
            if grant.clause.matches_action(ASSUME_ROLE):
                yield grant.clause


def describe_trust(trust: RoleTrust | None) -> tuple[int, ...] | None:
    """Return the numbers of a trust policy's statements.

    Returns:
        None if roles with these statements may differ in who may assume them.
    """
    if trust is None or not trust.collected or trust.gaps:
        return None
    kinds = {kind for grant in trust.grants for kind, _ in grant.clause.principals}
    if trust.may_depend_on_role_keys or "Federated" in kinds:
        return None
    return tuple(grant.clause.number for grant in trust.grants)
