"""Estates of Google Cloud for tests: an organization, a folder and two projects."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from answerable.connectors.gcp_roles.fetch import load_predefined_roles
from answerable.model.google_cloud_ids import expand_resource_name, normalise_principal
from answerable.model.ids import IdentityId
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.reach.gcp.call_parsing import parse_call
from answerable.reach.gcp.catalogue import (
    GoogleAccessBoundary,
    GoogleAllowPolicy,
    GoogleBinding,
    GoogleBoundaryBinding,
    GoogleCloudEstate,
    GoogleConstraint,
    GoogleDenyPolicy,
    GoogleDenyRule,
    GoogleGroup,
    GooglePoolProvider,
    GoogleResource,
    GoogleRole,
    GoogleServiceAccount,
    GoogleTag,
)
from answerable.reach.gcp.estate_access import EstateAccess
from answerable.reach.gcp.evaluator import GcpEvaluator, build_access
from answerable.reach.platform import Answer, Question, SubjectIdentity

KINDS = (
    "access-boundaries",
    "custom-roles",
    "deny-policies",
    "groups",
    "iam-policies",
    "org-policies",
    "resources",
    "service-accounts",
    "tags",
    "workload-pools",
)
BOUNDARIES = "organizations/1/locations/global/principalAccessBoundaryPolicies/"
SEEN_AT = 1_790_000_000 * 10**9  # 2026-09-21
SEEN = FactProvenance("gcp:test", "test", WrittenBy.PLATFORM, SEEN_AT)
TREE = (
    GoogleResource(
        "//cloudresourcemanager.googleapis.com/organizations/1",
        domain="example.com",
        customer="C1",
        is_root=True,
    ),
    GoogleResource(
        "//cloudresourcemanager.googleapis.com/folders/10",
        parent="//cloudresourcemanager.googleapis.com/organizations/1",
    ),
    GoogleResource(
        "//cloudresourcemanager.googleapis.com/projects/p",
        parent="//cloudresourcemanager.googleapis.com/folders/10",
        number="100",
    ),
    GoogleResource(
        "//cloudresourcemanager.googleapis.com/projects/q",
        parent="//cloudresourcemanager.googleapis.com/organizations/1",
        number="200",
    ),
    GoogleResource(
        "//storage.googleapis.com/b",
        "storage.googleapis.com/Bucket",
        parent="//cloudresourcemanager.googleapis.com/projects/p",
    ),
)


def account(name: str, project: str = "p") -> str:
    """Return the address of a service account."""
    return f"{name}@{project}.iam.gserviceaccount.com"


def members(texts: Sequence[str]) -> tuple[str, ...]:
    """Return principals as the connector stores them."""
    found = (normalise_principal(each) for each in texts)
    return tuple(each for each in found if each)


def build_estate(row: Mapping[str, Any]) -> GoogleCloudEstate:
    """Build the estate of a row; every kind is collected that it does not name."""
    policies: dict[str, list[GoogleBinding]] = {
        expand_resource_name("organizations/1"): []
    }
    for place, role, who, *condition in row.get("bind", ()):
        binding = GoogleBinding(role, members(who), *condition)
        policies.setdefault(expand_resource_name(place), []).append(binding)
    for place in row.get("no_policy", ()):
        policies.pop(expand_resource_name(place), None)
    denied = [
        GoogleDenyPolicy(
            f"policies/d{number}",
            expand_resource_name(place),
            None
            if rule is None
            else (
                GoogleDenyRule(
                    members(rule.get("who", ())),
                    tuple(rule.get("permissions", ())),
                    members(rule.get("except", ())),
                    tuple(rule.get("except_permissions", ())),
                    rule.get("condition", ""),
                ),
            ),
        )
        for number, (place, rule) in enumerate(row.get("deny", ()))
    ]
    bounds = list(enumerate(row.get("bound", ())))
    return GoogleCloudEstate(
        "organizations/1",
        collected=tuple(k for k in KINDS if k not in row.get("missing", ())),
        seen_at=SEEN_AT,
        resources=(
            *TREE,
            *(
                GoogleResource(name, kind, runs_as=tuple(runs_as))
                for name, (kind, runs_as) in row.get("workloads", {}).items()
            ),
        ),
        policies=tuple(
            GoogleAllowPolicy(place, tuple(bindings))
            for place, bindings in policies.items()
        ),
        roles=tuple(
            GoogleRole(name, tuple(permissions or ()), permissions is None)
            for name, permissions in row.get("roles", {}).items()
        ),
        deny_policies=tuple(denied),
        boundaries=tuple(
            GoogleAccessBoundary(
                f"{BOUNDARIES}pab{n}", tuple(each["resources"]), each.get("version", "")
            )
            for n, each in bounds
            if "resources" in each
        ),
        boundary_bindings=tuple(
            GoogleBoundaryBinding(
                f"binding{n}",
                f"{BOUNDARIES}pab{n}",
                each["set"],
                each.get("condition", ""),
            )
            for n, each in bounds
        ),
        groups=tuple(
            GoogleGroup(f"group:{name}", members(who))
            for name, who in row.get("groups", {}).items()
        ),
        service_accounts=tuple(
            GoogleServiceAccount(
                each, each.partition("@")[2].partition(".")[0], unique_id=f"9{n}"
            )
            for n, each in enumerate(row.get("accounts", (account("bot"),)))
        ),
        providers=tuple(
            GooglePoolProvider(
                f"projects/100/locations/global/workloadIdentityPools/{pool}/providers/x",
                f"projects/100/locations/global/workloadIdentityPools/{pool}",
                issuer=each.get("issuer", ""),
                aws_account=each.get("aws", ""),
                mapping=tuple(each.get("mapping", {}).items()),
                condition=each.get("condition", ""),
            )
            for pool, each in row.get("providers", {}).items()
        ),
        tags=tuple(
            GoogleTag(expand_resource_name(place), *pair.rsplit("/", 1))
            for place, pair in row.get("tags", ())
        ),
        constraints=tuple(
            GoogleConstraint(expand_resource_name(place), name, enforced)
            for place, name, enforced in row.get("constraints", ())
        ),
    )


def build_estate_access(row: Mapping[str, Any]) -> EstateAccess:
    """Build the index of the estate of a row."""
    return index_estate(build_estate(row))


def index_estate(estate: GoogleCloudEstate) -> EstateAccess:
    """Build the index of an estate, as a snapshot stores it."""
    body = msgspec.json.encode(estate).decode()
    catalogue = PlatformCatalogue("gcp", estate.name, body, SEEN)
    return build_access([catalogue], load_predefined_roles)


def ask(access: EstateAccess, words: Sequence[str], *, direct: bool) -> Answer:
    """Ask whether a principal has a permission on a resource."""
    permission, resource = parse_call(access, words[1], words[2])
    key = IdentityId(normalise_principal(words[0]))
    evaluator = GcpEvaluator(access)
    found = evaluator.resolve_identity(SubjectIdentity(key, key))
    identities = (found,) if isinstance(found, SubjectIdentity) else ()
    question = Question(
        SEEN_AT, key, permission, resource, direct=direct, identities=identities
    )
    return evaluator.evaluate(question)
