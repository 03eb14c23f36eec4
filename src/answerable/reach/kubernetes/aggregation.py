"""Compute the rules of aggregated ClusterRoles.

The controller of a cluster writes them into the role; manifests hold none.

Source: kubernetes pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go,
syncClusterRole
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from answerable.reach.kubernetes.catalogue import (
    LabelRequirement,
    PolicyRule,
    RbacRole,
)


def compute_aggregated_rules(roles: Sequence[RbacRole]) -> list[RbacRole]:
    """Return roles with the rules of aggregated ClusterRoles of manifests.

    An aggregated role may itself be selected: rules are added until none is new.
    """
    found = list(roles)
    sources = [n for n, role in enumerate(found) if not role.namespace]
    aggregated = [n for n in sources if found[n].aggregation and found[n].from_manifest]
    for n in aggregated:
        found[n] = replace(found[n], rules=())
    changed = True
    while changed:
        changed = False
        for n in aggregated:
            role = found[n]
            selected = (
                found[other]
                for other in sources
                if other != n and is_selected(role, found[other])
            )
            rules = _join_rules(selected)
            if set(rules) != set(role.rules):
                found[n] = replace(role, rules=rules)
                changed = True
    return found


def is_selected(role: RbacRole, other: RbacRole) -> bool:
    """Return whether a ClusterRole is aggregated into another one."""
    labels = dict(other.labels)
    return any(
        all(_is_requirement_met(each, labels) for each in selector)
        for selector in role.aggregation
    )


def _is_requirement_met(requirement: LabelRequirement, labels: dict[str, str]) -> bool:
    """Return whether labels meet a requirement of a selector.

    Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/,
    "Resources that support set-based requirements"; `NotIn` selects objects without
    the key too.
    """
    value = labels.get(requirement.key)
    if requirement.operator == "In":
        return value is not None and value in requirement.values
    if requirement.operator == "NotIn":
        return value is None or value not in requirement.values
    return (value is not None) == (requirement.operator == "Exists")


def _join_rules(roles: Iterable[RbacRole]) -> tuple[PolicyRule, ...]:
    """Join the rules of roles in the order of their names, each once."""
    ordered = sorted(roles, key=lambda each: each.name)
    return tuple(dict.fromkeys(rule for role in ordered for rule in role.rules))
