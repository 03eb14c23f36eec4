"""Remove bindings and deny rules from catalogues (command `what-if`)."""

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from answerable.model.errors import UsageError
from answerable.model.google_cloud_ids import normalise_principal
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.reach.gcp.catalogue import (
    GoogleAllowPolicy,
    GoogleBinding,
    GoogleCloudEstate,
    GoogleDenyPolicy,
)
from answerable.reach.gcp.estate_compiler import compile_tree
from answerable.reach.gcp.resource_tree import ResourceTree
from answerable.reach.platform import PolicyEdit
from answerable.reach.statement_removal import StatementRemoval

_HINT = "name the binding as in the output: 'RESOURCE#ROLE to MEMBER'"
_TO = " to "


def _get_statement_name(text: str) -> str:
    """Return the name in a printed statement, without its condition and place."""
    whole = " ".join(text.split()).partition(" if ")[0]
    holder, mark, rule = whole.partition("#")
    if mark and rule.startswith("rule "):
        return f"{holder}#{rule.partition(' on ')[0]}"
    if mark and rule.startswith("rules "):
        return holder
    head, to, member = whole.partition(_TO)
    return f"{head}{to}{normalise_principal(member)}" if to else whole


def remove_bindings_from_catalogues(
    catalogues: Iterable[PlatformCatalogue], edit: PolicyEdit, platform: str
) -> tuple[PlatformCatalogue, ...]:
    """Remove the bindings and rules of an edit, as answers print them.

    Raises:
        UsageError: A binding or rule is unknown, or the edit is of another kind.
    """
    if edit.file:
        raise UsageError(
            "for Google Cloud, only bindings and deny rules can be removed", _HINT
        )
    removal = StatementRemoval([*edit.statements, *edit.policies], _get_statement_name)
    listed = tuple(catalogues)
    estates = [
        msgspec.json.decode(each.body, type=GoogleCloudEstate)
        for each in listed
        if each.platform == platform
    ]
    tree = ResourceTree(
        compile_tree(
            (each for estate in estates for each in estate.resources),
            (each for estate in estates for each in estate.service_accounts),
        )
    )
    edited = removal.edit_catalogues(
        listed, platform, lambda body: _remove_from_body(body, removal, tree)
    )
    removal.require_all_found("no scanned binding or deny rule matches", _HINT)
    return edited


def _remove_from_body(body: str, removal: StatementRemoval, tree: ResourceTree) -> str:
    """Return the JSON of an estate without the bindings and rules."""
    estate = msgspec.json.decode(body, type=GoogleCloudEstate)
    edited = replace(
        estate,
        policies=tuple(_edit_policy(each, removal, tree) for each in estate.policies),
        deny_policies=tuple(_edit_deny(each, removal) for each in estate.deny_policies),
    )
    return msgspec.json.encode(edited).decode()


def _edit_policy(
    policy: GoogleAllowPolicy, removal: StatementRemoval, tree: ResourceTree
) -> GoogleAllowPolicy:
    """Return an allow policy without the removed members."""
    place = tree.normalise(policy.resource)
    kept = tuple(_edit_binding(each, place, removal) for each in policy.bindings)
    return replace(policy, bindings=tuple(each for each in kept if each.members))


def _edit_binding(
    binding: GoogleBinding, place: str, removal: StatementRemoval
) -> GoogleBinding:
    """Return a binding without the removed members."""
    members = tuple(
        each
        for each in binding.members
        if not removal.includes(
            f"{place}#{binding.role}{_TO}{each}", f"{binding.role}{_TO}{each}"
        )
    )
    return replace(binding, members=members)


def _edit_deny(policy: GoogleDenyPolicy, removal: StatementRemoval) -> GoogleDenyPolicy:
    """Return a deny policy without the removed rules."""
    if removal.includes(policy.name):
        return replace(policy, rules=())
    if policy.rules is None:
        return policy
    kept = tuple(
        rule
        for number, rule in enumerate(policy.rules, 1)
        if not removal.includes(f"{policy.name}#rule {number}")
    )
    return replace(policy, rules=kept)
