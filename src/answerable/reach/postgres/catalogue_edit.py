"""Remove grants from catalogues, and list what changes (command `what-if`)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

import msgspec

from answerable.model.documents.shared_shapes import ReachItem, TruncationItem
from answerable.model.documents.what_if import AccessChangeItem
from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.postgres_ids import (
    PLATFORM,
    build_postgres_role_id,
    quote_sql_identifier,
)
from answerable.reach.acting_agents import list_agents_by_identity_used
from answerable.reach.formula import Verdict
from answerable.reach.platform import (
    ChangeList,
    PolicyEdit,
    Question,
    SubjectIdentity,
)
from answerable.reach.postgres.catalogue import Catalogue, DatabaseObject
from answerable.reach.postgres.permission_rows import iterate_permission_rows
from answerable.reach.postgres.server_index import PostgresServer

_RANKS = (Verdict.NEVER, Verdict.ONLY_IF, Verdict.ALWAYS)
_ALWAYS = _RANKS.index(Verdict.ALWAYS)
_ORDER = ("appears", "stronger", "weaker", "falls-away")
_HINT = "`answerable can SUBJECT ACTION RESOURCE -o json` prints policy and statement"
RowKey = tuple[str, str]


def remove_grants_from_catalogues(
    catalogues: Iterable[PlatformCatalogue], edit: PolicyEdit
) -> tuple[PlatformCatalogue, ...]:
    """Remove the statements of an edit, as answers print them.

    A statement is written alone, or as `POLICY#STATEMENT`.

    Raises:
        UsageError: A statement is unknown, or the edit is of another kind.
    """
    if edit.file or edit.policies:
        raise UsageError(
            "PostgreSQL takes away single grants (expected --without STATEMENT)", _HINT
        )
    removal = _Removal({" ".join(text.split()) for text in edit.statements})
    edited = tuple(
        replace(each, body=_remove_statements_from_catalogue(each.body, removal))
        if each.platform == PLATFORM
        else each
        for each in catalogues
    )
    for text in removal.wanted - removal.found:
        close = get_close_matches(text, removal.known, n=1)
        raise UsageError(
            f"no such statement (got {text[:200]!r})",
            f"did you mean {close[0]!r}?" if close else _HINT,
        )
    return edited


class _Removal:
    """Statements to remove, and those that were found.

    Attributes:
        known: Every statement that could be removed.
    """

    def __init__(self, wanted: set[str]) -> None:
        self.wanted = wanted
        self.found: set[str] = set()
        self.known: dict[str, None] = {}

    def includes_statement(self, policy: str, statement: str) -> bool:
        """Tell whether the edit removes this grant, and note that it exists."""
        spellings = {statement, f"{policy}#{statement}"}
        self.known |= dict.fromkeys(sorted(spellings))
        self.found |= spellings & self.wanted
        return not spellings.isdisjoint(self.wanted)


def _remove_statements_from_catalogue(body: str, removal: _Removal) -> str:
    """Return the JSON of a catalogue without the statements."""
    catalogue = msgspec.json.decode(body, type=Catalogue)
    memberships = tuple(
        each
        for each in catalogue.memberships
        if not removal.includes_statement(
            quote_sql_identifier(each.role), each.statement
        )
    )
    roles = catalogue.roles and tuple(
        replace(
            role,
            superuser=role.superuser
            and not _is_role_attribute_removed(removal, role.name, "SUPERUSER"),
            create_role=role.create_role
            and not _is_role_attribute_removed(removal, role.name, "CREATEROLE"),
        )
        for role in catalogue.roles
    )
    edited = replace(
        catalogue,
        roles=roles,
        memberships=memberships,
        databases=tuple(
            _remove_grants_of_object(each, removal) for each in catalogue.databases
        ),
        contents=tuple(
            replace(
                contents,
                objects=tuple(
                    _remove_grants_of_object(each, removal) for each in contents.objects
                ),
            )
            for contents in catalogue.contents
        ),
    )
    return msgspec.json.encode(edited).decode()


def _is_role_attribute_removed(removal: _Removal, role: str, attribute: str) -> bool:
    """Tell whether an attribute of a role is to be removed."""
    name = quote_sql_identifier(role)
    return removal.includes_statement(f"role {name}", f"ALTER ROLE {name} {attribute}")


def _remove_grants_of_object(made: DatabaseObject, removal: _Removal) -> DatabaseObject:
    """Return an object without the grants and row policies."""
    name = f"{made.kind} {made.name}"
    grants = tuple(
        g for g in made.grants if not removal.includes_statement(name, g.statement)
    )
    policies = tuple(
        p
        for p in made.policies
        if not removal.includes_statement(name, f"POLICY {p.name}")
    )
    return replace(made, grants=grants, policies=policies)


@dataclass(frozen=True, slots=True)
class EditedServers:
    """Servers before and after an edit."""

    inventory: Inventory
    before: Mapping[str, PostgresServer]
    after: Mapping[str, PostgresServer]

    def list_permission_changes(
        self, question: Question, after: Sequence[SubjectIdentity], limit: int
    ) -> ChangeList:
        """List the differences between the rows of both sides."""
        if question.subject:
            sides = [(question.identities, tuple(after))]
        else:
            sides = [
                ((each,), (each,)) for each in self._list_roles_in_every_database()
            ]
        items: list[AccessChangeItem] = []
        missing: set[str] = set()
        for was, will in sides:
            old = _collect_strongest_rows(self.before, question, was)
            new = _collect_strongest_rows(self.after, question, will)
            items += _list_rows_with_changed_verdict(
                old, new, self._list_agents_of_subject
            )
            for row in (*old.values(), *new.values()):
                missing |= set(row["assuming"])
        items.sort(key=lambda item: _ORDER.index(item["change"]))
        shown = None
        if limit and len(items) > limit:
            shown = TruncationItem(
                rows=limit, what="changes", done=limit, of=len(items)
            )
            items = items[:limit]
        return ChangeList(tuple(items), frozenset(missing), shown=shown)

    def _list_roles_in_every_database(self) -> list[SubjectIdentity]:
        """List every role in every described database."""
        return [
            SubjectIdentity(key, IdentityId(key))
            for server in self.before.values()
            for database in server.contents
            for role in server.roles
            if not role.startswith("pg_")
            for key in (build_postgres_role_id(server.host, database, role),)
        ]

    def _list_agents_of_subject(self, subject: str) -> list[str]:
        """List the agents that act through a subject."""
        return list_agents_by_identity_used(self.inventory, subject)


def _collect_strongest_rows(
    servers: Mapping[str, PostgresServer],
    question: Question,
    identities: Sequence[SubjectIdentity],
) -> dict[RowKey, ReachItem]:
    """Keep, for each action and resource, the row with the most permissive verdict."""
    asked = replace(question, identities=tuple(identities))
    rows: dict[RowKey, ReachItem] = {}
    for answer in iterate_permission_rows(servers, asked):
        item = answer.item
        key = item["action"], item["resource"]
        if key not in rows or _rank_row_by_verdict(rows[key]) < _rank_row_by_verdict(
            item
        ):
            rows[key] = item
    return rows


def _rank_row_by_verdict(item: ReachItem | None) -> int:
    """Rank a permission row's verdict: never or no row 0, only-if 1, always 2."""
    return _RANKS.index(Verdict(item["verdict"])) if item else 0


def _list_rows_with_changed_verdict(
    old: Mapping[RowKey, ReachItem],
    new: Mapping[RowKey, ReachItem],
    list_agents: Callable[[str], list[str]],
) -> Iterable[AccessChangeItem]:
    """Yield the rows whose verdict differs; a superuser's row covers all others."""
    whole = _list_unconditional_superuser_rows(
        old
    ) | _list_unconditional_superuser_rows(new)
    for key in dict.fromkeys((*old, *new)):
        was, will = old.get(key), new.get(key)
        if _rank_row_by_verdict(was) == _rank_row_by_verdict(will) or (
            whole and key not in whole
        ):
            continue
        if not was or not will:
            change = "falls-away" if was else "appears"
        else:
            change = (
                "weaker"
                if _rank_row_by_verdict(was) > _rank_row_by_verdict(will)
                else "stronger"
            )
        shown = was if change in ("falls-away", "weaker") else will
        item = shown or was
        if item is None:
            continue
        yield {
            "change": change,
            "kind": "permission",
            "subject": item["subject"],
            "action": item["action"],
            "resource": item["resource"],
            "before": was["verdict"] if was else Verdict.NEVER.value,
            "after": will["verdict"] if will else Verdict.NEVER.value,
            "covers_before": "all" if was else "none",
            "covers_after": "all" if will else "none",
            "admin": item["admin"],
            "agents": list_agents(item["subject"]),
            "determining": item["determining"],
            "path": item["path"],
            "assuming": item.get("assuming", []),
        }


def _list_unconditional_superuser_rows(rows: Mapping[RowKey, ReachItem]) -> set[RowKey]:
    """List the unconditional rows of a superuser, which cover all others."""
    return {
        k
        for k, row in rows.items()
        if row["admin"] and _rank_row_by_verdict(row) == _ALWAYS
    }
