"""Evaluate questions about the Google Cloud estate of one snapshot."""

from collections.abc import (
    Callable,
    Collection,
    Container,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from answerable.model.google_cloud_ids import (
    expand_resource_name,
    is_resource,
    is_service_account,
    normalise_permission,
    normalise_principal,
)
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.reach.condition_formula import Verdict
from answerable.reach.gcp import stored_tables
from answerable.reach.gcp.access_evaluation import takes_permission
from answerable.reach.gcp.answer_building import (
    SOURCE,
    build_access_answer,
    build_impossible_answer,
    build_not_known_answer,
    explain_gaps,
    list_words,
)
from answerable.reach.gcp.caller_lists import (
    list_callers_of_call,
    list_limit_editors,
)
from answerable.reach.gcp.catalogue import GoogleCloudEstate
from answerable.reach.gcp.estate_access import EstateAccess
from answerable.reach.gcp.estate_compiler import compile_estates
from answerable.reach.gcp.estate_index import (
    ACCOUNTS,
    ORG_POLICIES,
    RESOURCES,
    GoogleCloudIndex,
)
from answerable.reach.gcp.estate_tables import EstateTables
from answerable.reach.gcp.permission_rows import RowLister
from answerable.reach.gcp.pool_trusts import PoolTrusts
from answerable.reach.gcp.role_catalogue import PredefinedRoles
from answerable.reach.platform import (
    Answer,
    AnswerList,
    PageBounds,
    PathHop,
    PlatformScope,
    Question,
    SubjectIdentity,
    UnknownSubject,
)

if TYPE_CHECKING:
    from answerable.reach.token_trust import Claims, TokenTrust

PLATFORM = "gcp"
_TABLES = "google_cloud"  # name of the stored tables
_RANKS = (Verdict.ALWAYS, Verdict.ONLY_IF, Verdict.NOT_KNOWN, Verdict.NEVER)
# Kinds that could add a step to another identity.
_STEP_KINDS = (ACCOUNTS, RESOURCES, ORG_POLICIES)


class GcpEvaluator:
    """Permissions of the Google Cloud estate of one snapshot."""

    def __init__(self, access: EstateAccess) -> None:
        self.access = access
        self.index = access.index
        self._trusts = PoolTrusts(self.index)

    def resolve_identity(
        self, start: SubjectIdentity
    ) -> SubjectIdentity | UnknownSubject:
        """Return a principal in its canonical form, or the missing data."""
        if not self.index.header.scanned:
            what = "no scan describes Google Cloud"
            return UnknownSubject(start.identity, what, SOURCE)
        principal = normalise_principal(start.identity) or start.identity
        if is_service_account(principal) and principal not in self.index.accounts:
            project = self.index.tree.get_project(
                self.index.get_account_resource(principal)
            )
            listed = self.index.accounts_by_project.get(project, ())
            if listed and ACCOUNTS in self.index.collected:
                scanned = project.rpartition("/")[2]
                what = f"the scan of {scanned} contains no such account"
                return UnknownSubject(start.identity, what, SOURCE, absent=True)
        return replace(start, identity=IdentityId(principal))

    def list_entries(self, identity: IdentityId) -> Sequence[PathHop]:
        """Return no step: a workflow's token enters by a step between platforms."""
        return ()

    def find_paths(
        self, starts: Sequence[SubjectIdentity], targets: Collection[IdentityId]
    ) -> Iterator[SubjectIdentity]:
        """Find the paths of principals to those of `targets` that they are or become."""
        for start in starts:
            ways = [(self.access, start.hops)]
            ways += [
                (lifted.access, (*start.hops, *lifted.hops))
                for lifted in self.access.list_lifted(start.identity)
                if not lifted.gaps
            ]
            seen: set[str] = set()
            for access, first in ways:
                for reached in access.search.search_from(start.identity):
                    identity = IdentityId(reached.principal)
                    if identity in targets and identity not in seen:
                        seen.add(identity)
                        hops = (*first, *reached.hops)
                        yield replace(start, identity=identity, hops=hops)

    def find_nearest_paths(
        self, targets: Collection[IdentityId], skipped: Container[str]
    ) -> Iterator[SubjectIdentity]:
        """Find one path of each known principal to any of `targets`."""
        wanted = {str(each): True for each in targets}
        found = set(wanted)
        for origin, steps in self.access.search.search_back(wanted).items():
            if origin in skipped:
                continue
            hops = tuple(
                PathHop(s.origin, s.via, s.target, s.formula, s.statements)
                for s in steps
            )
            yield SubjectIdentity(origin, IdentityId(steps[-1].target), hops)
            found.add(origin)
        known = frozenset(self.index.list_identities())
        for each in targets:
            if each in known and each not in skipped:
                yield SubjectIdentity(each, each)
        for path in self._find_lifted_paths(wanted, found):
            if path.subject not in skipped:
                yield path

    def _find_lifted_paths(
        self, wanted: Mapping[str, bool], found: Container[str]
    ) -> Iterator[SubjectIdentity]:
        """Find one path to a target for each other principal that may change limits."""
        if not self.index.has_changeable_limits():
            return
        question = Question(self.index.seen_at)
        for origin in list_limit_editors(self.access, question, wanted):
            if origin in found:
                continue
            paths = (
                SubjectIdentity(
                    origin,
                    IdentityId(reached.principal),
                    (*lifted.hops, *reached.hops),
                )
                for lifted in self.access.list_lifted(origin)
                if not lifted.gaps
                for reached in lifted.access.search.search_from(origin)
                if reached.principal in wanted
            )
            yield from islice(paths, 1)

    def continue_from(self, start: SubjectIdentity) -> SubjectIdentity:
        """Return the identity unchanged: it takes each step as itself."""
        return start

    def name_credential_source(self, account: str) -> str:
        """Name the scan source that describes service accounts and keys."""
        return SOURCE

    def evaluate(self, question: Question) -> Answer:
        """Evaluate one call for some principals, with proof and assumptions."""
        call = question.action, question.resource
        if not takes_permission(self.index, *call):
            return build_impossible_answer(question)
        best: Answer | None = None
        for start in question.identities:
            answer = self._evaluate_start(question, start)
            if best is None or _rank_answer(answer) < _rank_answer(best):
                best = answer
        return best or build_not_known_answer(question, ())

    def _evaluate_start(self, question: Question, start: SubjectIdentity) -> Answer:
        """Evaluate a call for one principal."""
        call = question.action, question.resource
        found = self.access.find_access(start.identity, *call, direct=question.direct)
        if found.gaps:
            return build_not_known_answer(
                question, explain_gaps(found.gaps), list_words(found.gaps)
            )
        words: frozenset[str] = frozenset()
        if found.verdict is Verdict.NEVER and not question.direct:
            words = self._list_step_words()
        answer = build_access_answer(start, found, call, words)
        if answer.verdict is Verdict.NEVER and start.unknown is not None:
            return build_not_known_answer(question, (start.unknown,))
        return replace(answer, unread=self.index.unread)

    def _list_step_words(self) -> frozenset[str]:
        """List the kinds that were not collected and could add a step."""
        missing = (each for each in _STEP_KINDS if each not in self.index.collected)
        return frozenset(f"gcp-{each}" for each in missing)

    def list_permissions(self, question: Question, page: PageBounds) -> AnswerList:
        """List what some principals can do, themselves and as others."""
        asked = replace(
            question,
            action=normalise_permission(question.action),
            resource=self.normalise_resource(question.resource),
        )
        return RowLister(self.access, asked).list_page(page)

    def list_callers(self, question: Question, page: PageBounds) -> AnswerList:
        """List the principals that can make one call, the surest first."""
        return list_callers_of_call(self.access, question, page)

    def normalise_resource(self, resource: str) -> str:
        """Return the canonical form of a resource, or a glob as it is."""
        full = expand_resource_name(resource)
        return self.index.tree.normalise(full) if is_resource(full) else full

    def describe_scope(self) -> PlatformScope:
        """Describe the collected principals and projects."""
        header = self.index.header
        return PlatformScope(header.identities, header.projects, (), SOURCE)

    def list_token_issuers(self) -> Sequence[str]:
        """List the issuers that providers of identity pools trust."""
        return self._trusts.list_token_issuers()

    def has_trust_policy(self, identity: IdentityId) -> bool:
        """Return whether the providers of a pool were collected."""
        return self._trusts.has_trust_policy(identity)

    def list_token_trusts(self, issuer: str) -> "Iterable[TokenTrust]":
        """List the principals of pools that trust an issuer."""
        return self._trusts.list_token_trusts(issuer)

    def list_token_entries(
        self, trust: "TokenTrust", claims: "Claims"
    ) -> Sequence[PathHop]:
        """List the steps by which a token enters as a principal of a pool."""
        return self._trusts.list_token_entries(trust, claims)

    def list_service_trusts(self, service: str) -> Sequence[IdentityId]:
        """Return none: services have agents of their own."""
        return ()

    def list_service_entries(
        self, identity: IdentityId, service: str, keys: "Claims"
    ) -> Sequence[PathHop]:
        """Return none: services have agents of their own."""
        return ()


def _rank_answer(answer: Answer) -> int:
    """Rank an answer by its verdict, the surest first."""
    return _RANKS.index(answer.verdict)


def decode_estates(
    catalogues: Iterable[PlatformCatalogue],
) -> list[GoogleCloudEstate]:
    """Decode the catalogues of Google Cloud."""
    return [
        msgspec.json.decode(each.body, type=GoogleCloudEstate)
        for each in catalogues
        if each.platform == PLATFORM
    ]


def build_access(
    catalogues: Iterable[PlatformCatalogue], load_roles: Callable[[], PredefinedRoles]
) -> EstateAccess:
    """Build the index of the collected data."""
    tables = compile_estates(decode_estates(catalogues))
    return _open_tables(tables, load_roles)


def _open_tables(
    tables: EstateTables, load_roles: Callable[[], PredefinedRoles]
) -> EstateAccess:
    """Build the index of compiled tables."""
    predefined = load_roles() if tables.header.scanned else PredefinedRoles()
    return EstateAccess(GoogleCloudIndex(tables, predefined))


def get_access(
    inventory: Inventory, load_roles: Callable[[], PredefinedRoles]
) -> EstateAccess:
    """Return the index of a snapshot; its tables are compiled once and stored."""

    def build(found: Inventory) -> EstateAccess:
        derived = found.derived
        stored = derived.load(_TABLES) if derived else None
        if stored is not None:
            return _open_tables(stored_tables.restore_tables(stored), load_roles)
        tables = compile_estates(
            decode_estates(found.facts.select_catalogues(PLATFORM))
        )
        if derived is not None and tables.header.scanned:
            derived.save(_TABLES, stored_tables.encode_tables(tables))
        return _open_tables(tables, load_roles)

    return inventory.get_or_compute_value("google cloud estate", build)


def list_all_identities(accesses: Iterable[EstateAccess]) -> Iterator[str]:
    """List the principals of several sides."""
    for access in accesses:
        yield from access.index.list_identities()
