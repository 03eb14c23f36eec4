"""Read allow policies, deny policies, access boundaries, groups and constraints."""

from collections.abc import Iterable
from urllib.parse import unquote

from answerable.connectors.formats.document_node import RawValue
from answerable.connectors.formats.google_api_responses import (
    RawObject,
    get_text,
    get_value,
    list_objects,
    list_texts,
)
from answerable.connectors.gcp.parse.estate_builder import EstateBuilder
from answerable.model.google_cloud_ids import expand_resource_name, normalise_principal
from answerable.reach.gcp.catalogue import (
    GoogleAccessBoundary,
    GoogleAllowPolicy,
    GoogleBinding,
    GoogleBoundaryBinding,
    GoogleConstraint,
    GoogleDenyPolicy,
    GoogleDenyRule,
    GoogleGroup,
    GoogleResource,
    GoogleTag,
)

DENY_MARK = "/denypolicies/"
_RULE_LISTS = (
    "deniedPrincipals",
    "deniedPermissions",
    "exceptionPrincipals",
    "exceptionPermissions",
)
_USER_TYPES = {
    "USER": "user:",
    "GROUP": "group:",
    "SERVICE_ACCOUNT": "serviceAccount:",
}
_CONTAINERS = {"organization": "organizations", "folder": "folders"}


def _normalise_principals(members: Iterable[str]) -> tuple[str, ...]:
    """Return principals in canonical form, without deleted ones."""
    found = (normalise_principal(each) for each in members)
    return tuple(dict.fromkeys(each for each in found if each))


def read_allow_policy(builder: EstateBuilder, resource: str, raw: RawObject) -> None:
    """Read the bindings of an allow policy."""
    builder.collected.add("iam-policies")
    if not _is_policy(raw):
        what = "an allow policy with an unsupported binding"
        builder.add_problem(expand_resource_name(resource), what)
    bindings = tuple(
        GoogleBinding(
            get_text(each, "role"),
            _normalise_principals(list_texts(each, "members")),
            get_text(get_value(each, "condition"), "expression"),
        )
        for each in list_objects(raw, "bindings")
    )
    builder.policies.append(GoogleAllowPolicy(expand_resource_name(resource), bindings))


def _is_policy(raw: RawObject) -> bool:
    """Return whether each binding of an allow policy has a role and members."""
    bindings = raw.get("bindings", [])
    return isinstance(bindings, list) and all(
        isinstance(each, dict)
        and isinstance(each.get("role"), str)
        and _are_texts(each.get("members", []))
        and isinstance(each.get("condition") or {}, dict)
        for each in bindings
    )


def _are_texts(raw: RawValue) -> bool:
    """Return whether a value is a list of texts."""
    return isinstance(raw, list) and all(isinstance(each, str) for each in raw)


def read_searched_policy(builder: EstateBuilder, raw: RawObject) -> None:
    """Read an item of `gcloud asset search-all-iam-policies`."""
    resource = expand_resource_name(get_text(raw, "resource"))
    policy = get_value(raw, "policy")
    read_allow_policy(builder, resource, policy if isinstance(policy, dict) else {})
    project = get_text(raw, "project")
    ancestors = [
        project,
        *list_texts(raw, "folders"),
        get_text(raw, "organization"),
    ]
    if "/projects/" in resource and "cloudresourcemanager" in resource:
        number = project.rpartition("/")[2]
        name = resource.rpartition("/")[2]
        if number.isdigit():
            add_project_number(builder, name, number)
        ancestors = ancestors[1:]
    builder.add_ancestors(resource, tuple(each for each in ancestors if each))


def add_project_number(builder: EstateBuilder, name: str, number: str) -> None:
    """Note the number of a project."""
    full = expand_resource_name(f"projects/{name}")
    kind = "cloudresourcemanager.googleapis.com/Project"
    builder.add_resource(GoogleResource(full, kind, number=number))


def read_ancestor_policy(builder: EstateBuilder, raw: RawObject) -> None:
    """Read an item of `gcloud projects get-ancestors-iam-policy`."""
    kind, name = get_text(raw, "type"), get_text(raw, "id")
    resource = expand_resource_name(f"{_CONTAINERS.get(kind, f'{kind}s')}/{name}")
    policy = get_value(raw, "policy")
    if not isinstance(policy, dict):
        return
    if DENY_MARK in get_text(policy, "name"):
        read_deny_policy(builder, policy)
    else:
        read_allow_policy(builder, resource, policy)


def read_deny_policy(builder: EstateBuilder, raw: RawObject) -> None:
    """Read a deny policy; one of a list has no rules."""
    builder.collected.add("deny-policies")
    name = get_text(raw, "name")
    place = unquote(name.removeprefix("policies/").partition(DENY_MARK)[0])
    rules = None
    if _are_rules(get_value(raw, "rules")):
        rules = tuple(_read_deny_rule(each) for each in list_objects(raw, "rules"))
    elif "rules" in raw:
        builder.add_problem(f"//{place}", "a deny policy with an unsupported rule")
    known = builder.deny_policies.get(name)
    if known is None or known.rules is None:
        policy = GoogleDenyPolicy(name, f"//{place}", rules)
        builder.deny_policies[name] = policy


def _are_rules(raw: RawValue) -> bool:
    """Return whether a value is a list of deny rules; with any other, none is known."""
    return isinstance(raw, list) and all(
        isinstance(each, dict)
        and isinstance(get_value(each, "denyRule"), dict)
        and all(
            _are_texts(get_value(each, "denyRule", name) or []) for name in _RULE_LISTS
        )
        for each in raw
    )


def _read_deny_rule(raw: RawObject) -> GoogleDenyRule:
    """Read a rule of a deny policy."""
    rule = get_value(raw, "denyRule")
    return GoogleDenyRule(
        _normalise_principals(list_texts(rule, "deniedPrincipals")),
        list_texts(rule, "deniedPermissions"),
        _normalise_principals(list_texts(rule, "exceptionPrincipals")),
        list_texts(rule, "exceptionPermissions"),
        get_text(get_value(rule, "denialCondition"), "expression"),
    )


def read_boundary(builder: EstateBuilder, raw: RawObject) -> None:
    """Read a principal access boundary policy."""
    builder.collected.add("access-boundaries")
    name = get_text(raw, "name")
    resources = [
        resource
        for rule in list_objects(raw, "details", "rules")
        for resource in list_texts(rule, "resources")
    ]
    version = get_text(get_value(raw, "details"), "enforcementVersion")
    builder.boundaries[name] = GoogleAccessBoundary(name, tuple(resources), version)


def read_boundary_binding(builder: EstateBuilder, raw: RawObject) -> None:
    """Read a binding of a principal access boundary policy."""
    if get_text(raw, "policyKind") not in ("PRINCIPAL_ACCESS_BOUNDARY", ""):
        return
    builder.collected.add("access-boundaries")
    principal_set = get_text(get_value(raw, "target"), "principalSet")
    full = principal_set
    if principal_set.startswith("//"):
        full = f"principalSet:{principal_set}"
        if "Pools/" in principal_set:
            full += "/*"
    builder.boundary_bindings.append(
        GoogleBoundaryBinding(
            get_text(raw, "name"),
            get_text(raw, "policy"),
            full,
            get_text(get_value(raw, "condition"), "expression"),
        )
    )


def read_group(builder: EstateBuilder, raw: RawObject) -> None:
    """Read a group with its members: `{"group": EMAIL, "members": [...]}`."""
    builder.collected.add("groups")
    name = normalise_principal(f"group:{get_text(raw, 'group', 'email')}")
    members: list[str] = list(list_texts(raw, "members"))
    for field in ("members", "memberships"):
        for each in list_objects(raw, field):
            address = get_text(each, "email", "id")
            key = get_value(each, "preferredMemberKey")
            address = get_text(key, "id") or address
            kind = _USER_TYPES.get(get_text(each, "type"), "user:")
            members.append(f"{kind}{address}" if address else "")
    spelled = (each if ":" in each else f"user:{each}" for each in members if each)
    builder.groups.append(GoogleGroup(name, _normalise_principals(spelled)))


def read_tag(builder: EstateBuilder, raw: RawObject) -> None:
    """Read a tag binding, or an effective tag."""
    builder.collected.add("tags")
    name = get_text(raw, "tagValueNamespacedName", "namespacedTagValue")
    key, _, value = name.rpartition("/")
    resource = get_text(raw, "parent", "resource")
    if key and resource:
        builder.tags.append(GoogleTag(resource, key, value, get_text(raw, "tagValue")))


def read_constraints(builder: EstateBuilder, resource: str, raw: RawObject) -> None:
    """Read the boolean constraints of the organization policies of a resource."""
    builder.collected.add("org-policies")
    for each in list_objects(raw, "orgPolicy"):
        enforced = get_value(each, "booleanPolicy", "enforced") is True
        name = get_text(each, "constraint")
        if get_value(each, "booleanPolicy") is not None:
            builder.constraints.append(GoogleConstraint(resource, name, enforced))


def read_org_policy(builder: EstateBuilder, raw: RawObject) -> None:
    """Read an organization policy of API v2: `projects/P/policies/CONSTRAINT`."""
    builder.collected.add("org-policies")
    place, _, constraint = get_text(raw, "name").partition("/policies/")
    for rule in list_objects(raw, "spec", "rules"):
        if "enforce" in rule and "condition" not in rule:
            builder.constraints.append(
                GoogleConstraint(
                    expand_resource_name(place), constraint, rule["enforce"] is True
                )
            )
