"""PostgreSQL as a permission platform: format of ids and calls, and its evaluator."""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.postgres_ids import (
    PLATFORM,
    PREFIX,
    ResourceName,
    build_postgres_role_id,
    parse_postgres_object_id,
    parse_postgres_role_id,
)
from answerable.reach.answer_items import build_item_without_statements, cut_answer_page
from answerable.reach.condition_formula import Verdict
from answerable.reach.platform import (
    Answer,
    AnswerList,
    AppliedEdit,
    ConditionContext,
    PageBounds,
    PathHop,
    PlatformScope,
    PolicyEdit,
    Question,
    SubjectIdentity,
    UnknownSubject,
)

if TYPE_CHECKING:
    from answerable.reach.postgres.server_index import PostgresServer

_ORDER = (Verdict.ALWAYS, Verdict.ONLY_IF, Verdict.NOT_KNOWN)


@dataclass(frozen=True, slots=True)
class PostgresEvaluator:
    """Grants of the PostgreSQL servers of one snapshot, by host."""

    servers: "Mapping[str, PostgresServer]"

    def resolve_identity(
        self, start: SubjectIdentity
    ) -> SubjectIdentity | UnknownSubject:
        """Return a role, with the reason if its memberships are not known."""
        from answerable.reach.postgres.answer_building import SOURCE

        parsed = parse_postgres_role_id(start.identity)
        if parsed is None:
            return UnknownSubject(start.identity, "not the id of a role", SOURCE)
        server = self.servers.get(parsed.host)
        if server is None:
            what = f"no scan describes the server {parsed.host}"
            return UnknownSubject(start.identity, what, SOURCE)
        if not server.has_roles:
            what = f"the roles of {parsed.host} were not collected"
            unknown = UnknownSubject(start.identity, what, SOURCE)
            return replace(start, unknown=unknown)
        if server.get_role(parsed.role) is None:
            what = f"the scan of {parsed.host} contains no such role"
            return UnknownSubject(start.identity, what, SOURCE, absent=True)
        if parsed.database not in server.contents:
            what = f"no scan describes the grants in database {parsed.database or '?'}"
            unknown = UnknownSubject(start.identity, what, SOURCE)
            return replace(start, unknown=unknown)
        return start

    def list_entries(self, identity: IdentityId) -> Sequence[PathHop]:
        """Return no step: no workflow's token enters a PostgreSQL role."""
        return ()

    def find_paths(
        self, starts: Sequence[SubjectIdentity], targets: Collection[IdentityId]
    ) -> Iterator[SubjectIdentity]:
        """Find the paths of roles to those of `targets` that they are or become."""
        from answerable.reach.postgres.object_action_evaluation import open_role_session
        from answerable.reach.postgres.session_steps import (
            get_role_id_of_session,
            iterate_reachable_sessions,
        )

        for start in starts:
            parsed = parse_postgres_role_id(start.identity)
            server = self.servers.get(parsed.host) if parsed else None
            if server is None:
                continue
            session = open_role_session(server, start.identity, direct=False)
            for path in iterate_reachable_sessions(session) if session else ():
                identity = IdentityId(get_role_id_of_session(path.session))
                if identity in targets:
                    hops = (*start.hops, *path.hops)
                    yield replace(start, identity=identity, hops=hops)

    def find_nearest_paths(
        self, targets: Collection[IdentityId], skipped: Container[str]
    ) -> Iterator[SubjectIdentity]:
        """Find one path of each role to any of `targets`."""
        from answerable.reach.condition_formula import TRUE

        for start in self._list_all_roles():
            if start.subject in skipped:
                continue
            paths = list(self.find_paths([start], targets))
            sure = (p for p in paths if all(hop.formula == TRUE for hop in p.hops))
            best = next(sure, paths[0] if paths else None)
            if best is not None:
                yield best

    def continue_from(self, start: SubjectIdentity) -> SubjectIdentity:
        """Return the identity unchanged: it takes each step as itself."""
        return start

    def _list_all_roles(self) -> Iterator[SubjectIdentity]:
        """List every role in each described database of its server."""
        from answerable.reach.postgres.object_action_evaluation import (
            list_roles_as_callers,
        )

        for server in self.servers.values():
            for database in server.contents:
                yield from list_roles_as_callers(server, database)

    def name_credential_source(self, account: str) -> str:
        """Name the scan source that describes roles."""
        from answerable.reach.postgres.answer_building import SOURCE

        return SOURCE

    def evaluate(self, question: Question) -> Answer:
        """Evaluate one call for some roles, with proof and assumptions."""
        from answerable.reach.postgres.object_action_evaluation import (
            evaluate_object_action,
        )

        resource = _get_parsed_resource(question)
        return evaluate_object_action(
            self.servers.get(resource.host), question, resource
        )

    def list_permissions(self, question: Question, page: PageBounds) -> AnswerList:
        """List what some roles can do, themselves and as others."""
        return cut_answer_page(
            list(_list_permission_rows(self.servers, question)), page
        )

    def list_callers(self, question: Question, page: PageBounds) -> AnswerList:
        """List all roles that can make one call, the surest first."""
        from answerable.reach.postgres.object_action_evaluation import (
            evaluate_object_action,
            list_roles_as_callers,
        )

        resource = _get_parsed_resource(question)
        server = self.servers.get(resource.host)
        starts = list_roles_as_callers(server, resource.database) if server else []
        answers = [
            evaluate_object_action(
                server,
                replace(question, subject=each.subject, identities=(each,)),
                resource,
            )
            for each in starts
        ]
        if not starts:
            answers = [evaluate_object_action(server, question, resource)]
        found = [each for each in answers if each.verdict is not Verdict.NEVER]
        found.sort(key=lambda each: _ORDER.index(each.verdict))
        missing = frozenset().union(*(each.not_collected for each in answers))
        return replace(
            cut_answer_page(found, page, "callers"),
            not_collected=missing,
            unread=any(each.unread for each in answers),
        )

    def describe_scope(self) -> PlatformScope:
        """Describe the collected roles and servers."""
        from answerable.reach.postgres.object_action_evaluation import (
            list_roles_as_callers,
        )

        count = sum(
            len(list_roles_as_callers(each, "")) for each in self.servers.values()
        )
        from answerable.reach.postgres.answer_building import SOURCE

        return PlatformScope(count, tuple(sorted(self.servers)), (), SOURCE)


def _get_parsed_resource(question: Question) -> ResourceName:
    """Return the database object that a parsed call is on.

    Raises:
        UsageError: The call was not parsed for this platform.
    """
    found = parse_postgres_object_id(question.resource)
    if found is None:
        raise UsageError(f"not a PostgreSQL resource (got {question.resource[:80]!r})")
    return found


def _list_permission_rows(
    servers: "Mapping[str, PostgresServer]", question: Question
) -> list[Answer]:
    """List the rows of a question, those of missing data last."""
    from answerable.reach.postgres.permission_rows import iterate_permission_rows

    last = [
        Answer(
            build_item_without_statements(
                question.subject, question.action, question.resource, Verdict.NOT_KNOWN
            ),
            (each.unknown,),
        )
        for each in question.identities
        if each.unknown
    ]
    return [*iterate_permission_rows(servers, question), *last]


@dataclass(frozen=True, slots=True)
class PostgresPlatform:
    """Grants of PostgreSQL servers: roles, memberships, owners, row security."""

    name: str = PLATFORM
    kinds: tuple[str, ...] = (PLATFORM,)

    def owns(self, key: str) -> bool:
        """Return whether an id is a role's or an object's."""
        return key.startswith(PREFIX)

    def parse_call(
        self, inventory: Inventory, action: str, resource: str
    ) -> tuple[str, str]:
        """Parse a privilege, and the id or the name of an object."""
        from answerable.reach.postgres.call_parsing import (
            parse_object_argument,
            parse_privilege_or_owner_right,
        )

        privilege = parse_privilege_or_owner_right(action)
        return privilege, str(
            parse_object_argument(get_server_indexes(inventory), privilege, resource)
        )

    def parse_session(
        self, inventory: Inventory, subject: str, context: ConditionContext
    ) -> tuple[str, ConditionContext]:
        """Return both unchanged: a session has no id of its own."""
        return subject, context

    def find_external(self, inventory: Inventory, text: str) -> str | None:
        """Find a role that no scan describes."""
        return text if parse_postgres_role_id(text) else None

    def open(self, inventory: Inventory, question: Question) -> PostgresEvaluator:
        """Index the servers of a snapshot, or reuse the index."""
        return PostgresEvaluator(get_server_indexes(inventory))

    def suggest_actions(self, prefix: str) -> Iterable[tuple[str, str]]:
        """Suggest privileges while one is typed."""
        from answerable.reach.postgres.privileges import PRIVILEGES

        known = sorted(set().union(*PRIVILEGES.values()))
        return [
            (each, "privilege") for each in known if each.startswith(prefix.upper())
        ]

    def open_edit(
        self, inventory: Inventory, question: Question, edit: PolicyEdit
    ) -> AppliedEdit:
        """Take grants, memberships or row policies away."""
        from answerable.reach.postgres.catalogue_edit import (
            remove_grants_from_catalogues,
        )
        from answerable.reach.postgres.server_index import build_server_indexes

        edited = remove_grants_from_catalogues(inventory.facts.catalogues, edit)
        before, after = get_server_indexes(inventory), build_server_indexes(edited)
        return _compare_servers(inventory, before, after)

    def open_comparison(
        self, before: Inventory, after: Inventory, question: Question
    ) -> AppliedEdit:
        """Compare the servers of two snapshots."""
        sides = get_server_indexes(before), get_server_indexes(after)
        return _compare_servers(after, *sides, own_rows=True)

    def compile_snapshot(self, inventory: Inventory, before: Inventory | None) -> None:
        """Index the servers of a snapshot once for all questions."""
        get_server_indexes(inventory)


def get_server_indexes(inventory: Inventory) -> "Mapping[str, PostgresServer]":
    """Return the index of each server of a snapshot, by host."""
    return inventory.get_or_compute_value("postgres servers", _build_server_indexes)


def _compare_servers(
    inventory: Inventory,
    before: "Mapping[str, PostgresServer]",
    after: "Mapping[str, PostgresServer]",
    *,
    own_rows: bool = False,
) -> AppliedEdit:
    """Compare the rows of all roles in all databases of servers."""
    from answerable.reach.row_comparison import RowComparison

    return RowComparison(
        inventory,
        PostgresEvaluator(before),
        PostgresEvaluator(after),
        lambda: (
            build_postgres_role_id(server.host, database, role)
            for server in (*before.values(), *after.values())
            for database in server.contents
            for role in server.roles
            if not role.startswith("pg_")
        ),
        has_superusers=True,
        own_rows=own_rows,
    ).build_edit()


def _build_server_indexes(inventory: Inventory) -> "Mapping[str, PostgresServer]":
    """Build the index of each server."""
    from answerable.reach.postgres.server_index import build_server_indexes

    return build_server_indexes(inventory.facts.select_catalogues(PLATFORM))
