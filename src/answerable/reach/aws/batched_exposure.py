"""Grade the exposure of the identities of many accounts, a batch of accounts at a time.

The memory of a closure grows with the square of its identities. A step from one account
leads to another only by a role whose trust policy admits outsiders, or by code that
outsiders may change. A batch therefore gets the identities of other batches that it may
become, if they are or reach an administrator, or if that is not known, as its ends. A
batch whose ends have changed is graded again, until none has.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from operator import itemgetter

import msgspec

from answerable.model.documents.shared_shapes import PathItem
from answerable.model.ids import IdentityId
from answerable.reach.aws.account_batches import (
    AccountBatch,
    cut_into_batches,
    group_names_by_account,
    list_named_identities,
    list_spread_accounts,
    restrict_to_identities,
)
from answerable.reach.aws.answer_items import build_path_item
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.reach.aws.compiled.trust_index import (
    list_trusted_identity_providers,
    list_trusted_principals,
)
from answerable.reach.aws.equivalent_roles import (
    RolePatterns,
    SharedIdentity,
    collect_role_patterns,
    describe_trust,
    select_distinct_roles,
)
from answerable.reach.aws.escalation_rules.registry import TAKEOVER_RULES
from answerable.reach.aws.evaluation.trust_policies import RoleTrust
from answerable.reach.aws.identity_exposure import AccountExposure, IdentityExposure
from answerable.reach.aws.paths.identity_edges import IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.condition_formula import FALSE, TRUE, Verdict

BATCH_IDENTITIES = 10_000
_ROWS_AT_ONCE = 512  # decoded together
_ANY = "*"


class ExposureRow(msgspec.Struct, array_like=True, frozen=True):
    """Exposure of one identity.

    Attributes:
        admin: Verdict on being or becoming an administrator; `not-known` if there are
            too many identities to follow every path.
        conditional: Whether outside principals enter under conditions only.
        entered_by: Outside principals that its trust policy admits.
        path: Steps to an administrator.
    """

    admin: Verdict
    conditional: bool
    entered_by: tuple[str, ...]
    path: tuple[PathItem, ...] = ()


_ROWS = msgspec.msgpack.Decoder(list[tuple[str, ExposureRow]])


@dataclass(eq=False, slots=True)
class BatchedExposure:
    """Exposure of all identities of many accounts.

    Attributes:
        load: Loads the graph of all accounts again, without rows that were read before.
        most_followed: Most identities whose paths are followed at once.
        size: Identities of a batch; an account is never divided.
        between_batches: Called after each batch.
        is_complete: Whether the paths of all batches were followed.
    """

    load: Callable[[], IdentityGraph]
    most_followed: int
    size: int
    between_batches: Callable[[], object] = int
    is_complete: bool = True
    _shared: dict[str, dict[IdentityId, SharedIdentity]] = field(default_factory=dict)
    _rows: list[list[bytes]] = field(default_factory=list)
    _ends: list[tuple[int, int]] = field(default_factory=list)
    _groups: Mapping[str, list[str]] = field(default_factory=dict)
    _patterns: dict[int, RolePatterns | None] = field(default_factory=dict)
    _shared_code: frozenset[str] = frozenset()
    _spread: frozenset[str] = frozenset()
    _accounts: list[set[str]] = field(default_factory=list)

    def grade_all(self) -> None:
        """Grade all batches until the ends of none have changed."""
        graph = self.load()
        self._groups = group_names_by_account(graph.accounts.groups)
        self._shared_code = _list_identities_of_shared_code(graph)
        self._spread = list_spread_accounts(graph.accounts.principals)
        del graph
        while self._has_changed_ends() and self._grade_changed_batches():
            pass

    def iterate_rows(self) -> Iterator[tuple[str, ExposureRow]]:
        """Yield the exposure of each identity, sorted by id."""
        return merge(*map(_decode_rows, self._rows), key=itemgetter(0))

    def _has_changed_ends(self) -> bool:
        """Return whether a batch has other ends than when it was graded, or is new."""
        return not self._accounts or any(
            before != _digest_ends(self._select_ends(accounts))
            for accounts, (before, _) in zip(self._accounts, self._ends, strict=True)
        )

    def _grade_changed_batches(self) -> bool:
        """Grade the batches that are new or whose ends have changed."""
        changed = False
        principals = self.load().accounts.principals
        batches = cut_into_batches(principals, self.size, self._spread)
        for number, batch in enumerate(batches):
            if number == len(self._rows):
                self._accounts.append(batch.accounts)
                self._rows.append([])
                self._ends.append((0, 0))
            ends = self._select_ends(batch.accounts)
            if self._ends[number][0] != (every := _digest_ends(ends)):
                whole = self.load()
                if len(ends) > 1:
                    patterns = self._load_patterns(number, whole, batch)
                    ends = select_distinct_roles(patterns, ends, self._shared_code)
                before = self._ends[number][1]
                self._ends[number] = (every, _digest_ends(ends))
                if before != self._ends[number][1]:
                    changed = True
                    self._rows[number] = self._pack_batch(whole, batch, ends)
                del whole
                self.between_batches()
        return changed

    def _load_patterns(
        self, number: int, whole: IdentityGraph, batch: AccountBatch
    ) -> RolePatterns | None:
        """Collect the patterns of a batch, once: its principals are read for them."""
        if number not in self._patterns:
            self._patterns[number] = collect_role_patterns(
                whole.accounts, batch.names, self._list_groups(batch)
            )
        return self._patterns[number]

    def _list_groups(self, batch: AccountBatch) -> list[str]:
        """List the groups of the accounts of a batch."""
        return [name for each in batch.accounts for name in self._groups.get(each, ())]

    def _pack_batch(
        self,
        whole: IdentityGraph,
        batch: AccountBatch,
        ends: Mapping[IdentityId, SharedIdentity],
    ) -> list[bytes]:
        """Grade a batch, and compress its rows, some hundred together."""
        rows = sorted(self._grade_batch(whole, batch, ends), key=itemgetter(0))
        return [
            zlib.compress(msgspec.msgpack.encode(rows[at : at + _ROWS_AT_ONCE]), 1)
            for at in range(0, len(rows), _ROWS_AT_ONCE)
        ]

    def _select_ends(self, accounts: set[str]) -> dict[IdentityId, SharedIdentity]:
        """Select the identities of other batches that some accounts may become."""
        return {
            key: each
            for account in (_ANY, *sorted(accounts))
            for key, each in self._shared.get(account, {}).items()
            if get_arn_account(key) not in accounts
        }

    def _grade_batch(
        self,
        whole: IdentityGraph,
        batch: AccountBatch,
        ends: Mapping[IdentityId, SharedIdentity],
    ) -> Iterator[tuple[str, ExposureRow]]:
        """Grade the identities of a batch, and share those that others may become."""
        accounts = whole.accounts
        named = list(list_named_identities(accounts, batch.names))
        part = IdentityGraph(
            restrict_to_identities(
                accounts,
                sorted({*batch.names, *ends, *named}),
                self._list_groups(batch),
            ),
            tagged=whole.tagged,
            tagged_policies=whole.tagged_policies,
        )
        if len(part.accounts.principals) > self.most_followed:
            self.is_complete = False
            for key, row in _grade_without_paths(part, batch.names):
                self._share_identity(part, IdentityId(key), row.admin, ())
                yield key, row
            return
        paths = _BatchPaths(part, ends)
        for each in paths.exposure.list_identity_exposures():
            if each.identity not in batch.members:
                continue
            path: tuple[PathItem, ...] = ()
            if each.admin in (Verdict.ALWAYS, Verdict.ONLY_IF):
                path = paths.find_path(each)
            if each.admin is not Verdict.NEVER:
                path = self._share_identity(part, each.identity, each.admin, path)
            yield (
                str(each.identity),
                ExposureRow(
                    each.admin,
                    Verdict.ALWAYS not in (each.public, each.external),
                    each.entered_by,
                    path,
                ),
            )

    def _share_identity(
        self,
        part: IdentityGraph,
        name: IdentityId,
        verdict: Verdict,
        path: tuple[PathItem, ...],
    ) -> tuple[PathItem, ...]:
        """Share an identity with the accounts that may become it; return its path.

        A path stays the same as long as the verdict does, so that none has a loop.
        """
        trust = part.accounts.trusts.get(name)
        admitted = _list_admitted_accounts(trust) if trust else set()
        if name in self._shared_code:
            admitted.add(_ANY)
        admitted -= {get_arn_account(name)}
        described = describe_trust(trust) if admitted else None
        for account in admitted:
            known = self._shared.setdefault(account, {})
            before = known.get(name)
            if before is not None and before.verdict is verdict:
                path = before.path
            else:
                known[name] = SharedIdentity(verdict, path, described)
        return path


class _BatchPaths:
    """Paths to administrators of a batch: within it, or to an end and on from there."""

    def __init__(
        self, part: IdentityGraph, ends: Mapping[IdentityId, SharedIdentity]
    ) -> None:
        self._part, self._ends = part, ends
        verdicts = {key: each.verdict for key, each in ends.items()}
        self.exposure = AccountExposure(part, ends=verdicts)
        self._within = AccountExposure(part) if ends else self.exposure
        self._verdicts = {
            each.identity: each.admin for each in self._within.list_identity_exposures()
        }

    def find_path(self, exposure: IdentityExposure) -> tuple[PathItem, ...]:
        """Find the shorter of both paths of an identity with one verdict."""
        within: tuple[PathItem, ...] | None = None
        if self._verdicts[exposure.identity] is exposure.admin:
            hops = self._within.find_exposure_path(exposure)
            within = tuple(map(build_path_item, hops))
        if within is not None and len(within) <= 1:
            return within
        hops = self.exposure.find_exposure_path(exposure)
        last = IdentityId(hops[-1].to) if hops else exposure.identity
        beyond = tuple(map(build_path_item, hops))
        if last in self._ends and not self._part.is_administrator(IdentityNode(last)):
            beyond += self._ends[last].path
        return beyond if within is None or len(beyond) < len(within) else within


def _grade_without_paths(
    part: IdentityGraph, names: Sequence[IdentityId]
) -> Iterator[tuple[str, ExposureRow]]:
    """Grade identities by their own policies: they are too many to follow paths."""
    for name in names:
        entries = [
            each
            for each in part.list_external_role_entries(name)
            if each.answer.formula != FALSE
        ]
        admin = part.is_administrator(part.get_start_node(name))
        yield (
            str(name),
            ExposureRow(
                Verdict.ALWAYS if admin else Verdict.NOT_KNOWN,
                all(each.answer.formula != TRUE for each in entries),
                tuple(dict.fromkeys(each.principal for each in entries)),
            ),
        )


def _digest_ends(ends: Mapping[IdentityId, SharedIdentity]) -> int:
    """Return a digest of the ends of a batch; never 0."""
    return hash(frozenset((key, each.verdict) for key, each in ends.items())) or 1


def _decode_rows(chunks: Iterable[bytes]) -> Iterator[tuple[str, ExposureRow]]:
    """Decode the rows of a batch, some at a time."""
    for each in chunks:
        yield from _ROWS.decode(zlib.decompress(each))


def _list_identities_of_shared_code(graph: IdentityGraph) -> frozenset[str]:
    """List the identities of code that principals of other accounts may change."""
    shared = {
        resource
        for rule in TAKEOVER_RULES
        for resource in graph.list_cross_account_resources(rule)
    }
    if not shared:
        return frozenset()
    return frozenset(
        str(identity)
        for identity, resources in graph.accounts.code_by_identity.items()
        if not shared.isdisjoint(resources)
    )


def _list_admitted_accounts(trust: RoleTrust) -> set[str]:
    """List the accounts whose principals a trust policy may admit; `*` for any."""
    found = set()
    for key, _ in list_trusted_principals((trust,)):
        kind, _, account = key.partition(" ")
        known = account if kind in ("account", "session") else get_arn_account(key)
        found.add(known or _ANY)
    for key, _ in list_trusted_identity_providers((trust,)):
        found |= {get_arn_account(key)} - {""}
    return found
