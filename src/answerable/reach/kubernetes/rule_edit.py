"""Remove bindings and rules from catalogues (command `what-if`)."""

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from answerable.model.errors import UsageError
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.reach.kubernetes.catalogue import AccessEntry, Cluster, RbacRole
from answerable.reach.kubernetes.cluster_index import name_binding, name_role
from answerable.reach.kubernetes.platform import PLATFORM
from answerable.reach.platform import (
    PolicyEdit,
)
from answerable.reach.statement_removal import StatementRemoval

_HINT = (
    "name a binding or a rule: 'RoleBinding NAMESPACE/NAME', 'ClusterRoleBinding NAME', "
    "'ClusterRole NAME rule N'"
)
_ENTRY = "access entry "


def remove_rules_from_catalogues(
    catalogues: Iterable[PlatformCatalogue], edit: PolicyEdit
) -> tuple[PlatformCatalogue, ...]:
    """Remove the bindings and rules of an edit, as answers print them.

    Raises:
        UsageError: A binding or rule is unknown, or the edit is of another kind.
    """
    if edit.file:
        raise UsageError(
            "for Kubernetes, only bindings and rules can be removed", _HINT
        )
    removal = StatementRemoval([*edit.statements, *edit.policies], _get_statement_name)
    edited = removal.edit_catalogues(
        catalogues, PLATFORM, lambda body: _remove_from_body(body, removal)
    )
    removal.require_all_found("no scanned binding or rule matches", _HINT)
    return edited


def _get_statement_name(text: str) -> str:
    """Return the name in a printed statement: the rule behind `#`, without its text.

    An access entry is named before the mark.
    """
    holder, mark, rule = text.partition("#")
    if holder.startswith(_ENTRY):
        return " ".join(holder.split())
    name = " ".join((rule if mark else text).split())
    head, mark, rest = name.partition(" rule ")
    number = rest.partition(":")[0]
    return f"{head} rule {number}" if mark else name


def _remove_from_body(body: str, removal: StatementRemoval) -> str:
    """Return the JSON of a cluster without the bindings and rules."""
    cluster = msgspec.json.decode(body, type=Cluster)
    edited = replace(
        cluster,
        bindings=tuple(
            each
            for each in cluster.bindings
            if not removal.includes(name_binding(each))
        ),
        roles=tuple(_remove_rules(each, removal) for each in cluster.roles),
        access_entries=tuple(
            _remove_policies(each, removal) for each in cluster.access_entries
        ),
    )
    return msgspec.json.encode(edited).decode()


def _remove_rules(role: RbacRole, removal: StatementRemoval) -> RbacRole:
    """Return a role without the removed rules."""
    kept = tuple(
        rule
        for number, rule in enumerate(role.rules, 1)
        if not removal.includes(f"{name_role(role)} rule {number}")
    )
    return replace(role, rules=kept)


def _remove_policies(entry: AccessEntry, removal: StatementRemoval) -> AccessEntry:
    """Return an access entry without the removed access policies; none if it is named."""
    whole = removal.includes(f"{_ENTRY}{entry.principal}")
    kept = tuple(
        pair
        for pair in entry.policies
        if not (whole or removal.includes(f"access policy {pair[0]}"))
    )
    return replace(entry, policies=kept, groups=() if whole else entry.groups)
