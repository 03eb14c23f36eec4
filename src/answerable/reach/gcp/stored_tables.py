"""Store the tables of Google Cloud, and restore only the rows that a question needs."""

from collections.abc import Iterable, Iterator, Mapping

from answerable.model.inventory import DerivedTables
from answerable.reach.gcp.catalogue import (
    GoogleResource,
    GoogleRole,
    GoogleServiceAccount,
)
from answerable.reach.gcp.estate_tables import (
    EstateHeader,
    EstateTables,
    GroupTables,
    IndexedBinding,
    ResourceTables,
)
from answerable.reach.lazy_tables import LazyMapping, LazySequence, encode_number_key

Tables = Mapping[str, Iterable[tuple[str, object]]]
_BindingRow = tuple[str, list[str], tuple[str, ...], str]
_Names = tuple[str, ...]


def encode_tables(tables: EstateTables) -> Tables:
    """Encode tables as sections of rows with ascending keys."""
    tree, groups = tables.tree, tables.groups
    numbers = {
        id(binding): (place, number)
        for place, own in tables.bindings.items()
        for number, binding in enumerate(own)
    }
    mappings: dict[str, Mapping[str, object]] = {
        "project-ids": tree.project_ids,
        "project-numbers": tree.project_numbers,
        "emails": tree.emails,
        "resources": tree.resources,
        "parents": tree.parents,
        "children": tree.children,
        "group-members": groups.members,
        "groups": groups.groups,
        "roles": tables.roles,
        "accounts": tables.accounts,
        "accounts-by-project": tables.accounts_by_project,
        "tags": tables.tags,
        "workloads": tables.workloads,
    }
    return {
        "header": [("", tables.header)],
        **{name: _sort_rows(rows) for name, rows in mappings.items()},
        "bindings": (
            (place, [_encode_binding(each) for each in tables.bindings[place]])
            for place in sorted(tables.bindings)
        ),
        "by-member": (
            (member, [numbers[id(each)] for each in tables.by_member[member]])
            for member in sorted(tables.by_member)
        ),
        "identities": (
            (encode_number_key(number), name)
            for number, name in enumerate(tables.identities)
        ),
    }


def _sort_rows(rows: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the rows of a mapping in the order of their keys."""
    return ((key, rows[key]) for key in sorted(rows))


def _encode_binding(binding: IndexedBinding) -> _BindingRow:
    """Encode a binding without its resource, which is the key of its row."""
    members = sorted(binding.members)
    return binding.role, members, binding.special, binding.condition


def restore_tables(stored: DerivedTables) -> EstateTables:
    """Restore tables whose rows are read on use."""
    header = stored.section("header", EstateHeader)[""]
    names = stored.section("identities", str)

    def read_bindings(place: str, rows: list[_BindingRow]) -> list[IndexedBinding]:
        return [
            IndexedBinding(place, role, frozenset(members), special, condition)
            for role, members, special, condition in rows
        ]

    bindings = LazyMapping(stored.section("bindings", list[_BindingRow]), read_bindings)

    def read_member(_: str, rows: list[tuple[str, int]]) -> list[IndexedBinding]:
        return [bindings[place][number] for place, number in rows]

    return EstateTables(
        header=header,
        tree=ResourceTables(
            stored.section("project-ids", str),
            stored.section("project-numbers", str),
            stored.section("emails", str),
            stored.section("resources", GoogleResource),
            stored.section("parents", str),
            stored.section("children", _Names),
        ),
        groups=GroupTables(
            stored.section("group-members", _Names),
            stored.section("groups", _Names),
            header.open_groups,
            header.organizations,
        ),
        roles=stored.section("roles", GoogleRole),
        accounts=stored.section("accounts", GoogleServiceAccount),
        accounts_by_project=stored.section("accounts-by-project", _Names),
        bindings=bindings,
        by_member=LazyMapping(
            stored.section("by-member", list[tuple[str, int]]), read_member
        ),
        tags=stored.section("tags", dict[str, tuple[str, str]]),
        workloads=stored.section("workloads", tuple[GoogleResource, ...]),
        identities=LazySequence(
            len(names), lambda number: names[encode_number_key(number)]
        ),
    )
