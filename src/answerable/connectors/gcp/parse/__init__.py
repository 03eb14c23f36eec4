"""Parse output of gcloud and Cloud Asset Inventory into an estate and its facts."""

import re
from collections.abc import Iterable
from pathlib import PurePath

import msgspec

from answerable.connectors.formats.google_api_responses import (
    GoogleAnswer,
    RawObject,
    get_text,
    get_value,
    is_role_name,
    iterate_answers,
    read_role,
)
from answerable.connectors.gcp.declaration import (
    KINDS,
    PLATFORM,
    build_coverage_word,
)
from answerable.connectors.gcp.parse import policy_readers as policies
from answerable.connectors.gcp.parse import resource_readers as resources
from answerable.connectors.gcp.parse.estate_builder import MOST_PROBLEMS, EstateBuilder
from answerable.connectors.gcp.parse.estate_facts import EstateFacts
from answerable.connectors.parsed_source import ParsedSource
from answerable.model.errors import ParseError
from answerable.model.google_cloud_ids import get_container
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.sighting import SightedFacts

EXPECTED_KIND = "output of gcloud or Cloud Asset Inventory as JSON"
# Words in the name of a file that holds the whole list of a kind, also an empty one.
_NAMED_KINDS = (
    ("deny", "deny-policies"),
    ("boundar", "access-boundaries"),
    ("group", "groups"),
    ("org-polic", "org-policies"),
    ("key", "service-account-keys"),
    ("service-account", "service-accounts"),
    ("pool", "workload-pools"),
    ("provider", "workload-pools"),
    ("role", "custom-roles"),
    ("tag", "tags"),
    ("iam-polic", "iam-policies"),
    ("resource", "resources"),
)
_POLICY_NAMES = (
    (re.compile(r"policies/.+/denypolicies/[^/]+"), policies.read_deny_policy),
    (re.compile(r".+/principalAccessBoundaryPolicies/[^/]+"), policies.read_boundary),
    (re.compile(r".+/policyBindings/[^/]+"), policies.read_boundary_binding),
    (re.compile(r"[a-z]+/[^/]+/policies/[^/]+"), policies.read_org_policy),
)
_RESOURCE_NAMES = (
    (re.compile(r".*/assistants/[^/]+/agents/[^/]+"), resources.read_gemini_agent),
    (re.compile(r".*/serviceAccounts/[^/]+/keys/[^/]+"), resources.read_key),
    (re.compile(r".*/serviceAccounts/[^/]+"), resources.read_account),
    (
        re.compile(r".*/workloadIdentityPools/[^/]+/providers/[^/]+"),
        resources.read_provider,
    ),
    (re.compile(r".*/workloadIdentityPools/[^/]+"), resources.read_pool),
    (re.compile(r"(?:projects|folders|organizations)/[^/]+"), resources.read_container),
)


def parse(
    files: Iterable[tuple[bytes, str]], source: str, now: int, fallback: str
) -> ParsedSource:
    """Parse all files of one estate.

    Args:
        files: Pairs (content, path).
        source: The sync's source.
        now: UTC nanoseconds.
        fallback: Name of an estate without an organization or project.
    """
    builder = EstateBuilder()
    first = ""
    for data, place in files:
        first = first or place
        _read_file(builder, data, place)
        if _has_only_foreign_objects(builder):
            break
    return build_inventory_facts(builder, source, now, (fallback, first))


def _read_file(builder: EstateBuilder, data: bytes, place: str) -> None:
    """Read one file; what is invalid becomes a problem, the rest is kept."""
    problems, before = len(builder.problems), builder.recognised
    count = 0
    try:
        for answer in iterate_answers(data, place):
            count += 1
            read_object(builder, answer)
            if _has_only_foreign_objects(builder):
                return
    except ParseError as error:
        builder.add_problem(place, error.reason)
    kind = find_named_kind(place)
    whole = len(builder.problems) == problems
    if kind and whole and (builder.recognised > before or not count):
        builder.collected.add(kind)
        builder.recognised += not count


def _has_only_foreign_objects(builder: EstateBuilder) -> bool:
    """Return whether many objects were read and none is of Google Cloud."""
    return not builder.recognised and len(builder.problems) >= MOST_PROBLEMS


def find_named_kind(place: str) -> str:
    """Find the kind that the name of a file states; empty for none."""
    stem = PurePath(place).stem.lower().replace("_", "-")
    return next((kind for word, kind in _NAMED_KINDS if word in stem), "")


def read_object(builder: EstateBuilder, answer: GoogleAnswer) -> None:
    """Read one object, or note that it is not recognised."""
    if answer.fault:
        builder.add_problem(answer.place, answer.fault)
    elif _read_known(builder, answer.raw, answer.place):
        builder.recognised += 1
    else:
        builder.add_problem(answer.place, f"not one of: {EXPECTED_KIND}")


def _read_known(builder: EstateBuilder, raw: RawObject, place: str) -> bool:
    """Read an object of a known form; False for any other."""
    if get_text(raw, "assetType") and get_text(raw, "name"):
        return _read_asset(builder, raw, place)
    policy = get_value(raw, "policy")
    if isinstance(policy, dict) and get_text(raw, "resource"):
        policies.read_searched_policy(builder, raw)
    elif isinstance(policy, dict) and get_text(raw, "id"):
        policies.read_ancestor_policy(builder, raw)
    elif "group" in raw and ("members" in raw or "memberships" in raw):
        policies.read_group(builder, raw)
    elif get_text(raw, "tagValueNamespacedName", "namespacedTagValue"):
        policies.read_tag(builder, raw)
    else:
        return _read_named(builder, raw, place)
    return True


def _read_asset(builder: EstateBuilder, raw: RawObject, place: str) -> bool:
    """Read an asset: its policy, its organization policies and its resource."""
    name = get_text(raw, "name")
    found = False
    policy = get_value(raw, "iamPolicy")
    if isinstance(policy, dict):
        policies.read_allow_policy(builder, name, policy)
        found = True
    searched = get_value(raw, "policy")
    if isinstance(searched, dict):
        policies.read_searched_policy(builder, {**raw, "resource": name})
        found = True
    if get_value(raw, "orgPolicy") is not None:
        policies.read_constraints(builder, name, raw)
        found = True
    if get_value(raw, "resource") is not None or not found:
        resources.read_asset(builder, raw, place)
    else:
        resources.read_ancestors(builder, raw)
    return True


def _read_named(builder: EstateBuilder, raw: RawObject, place: str) -> bool:
    """Read an object whose name tells its kind; False for any other."""
    name = get_text(raw, "name")
    if is_role_name(name):
        _add_role(builder, raw)
        return True
    for pattern, reader in _POLICY_NAMES:
        if pattern.fullmatch(name):
            reader(builder, raw)
            return True
    if get_text(raw, "projectId") and "email" not in raw:
        name = f"projects/{get_text(raw, 'projectId')}"
    for pattern, read in _RESOURCE_NAMES:
        if pattern.fullmatch(name):
            read(builder, raw, "", place)
            return True
    return False


def _add_role(builder: EstateBuilder, raw: RawObject) -> None:
    """Add a role; one without its permissions is not known."""
    if not get_text(raw, "name").startswith("roles/"):
        builder.collected.add("custom-roles")
    role = read_role(raw)
    if role is not None:
        builder.roles[role.name] = role


def build_inventory_facts(
    builder: EstateBuilder, source: str, now: int, names: tuple[str, str]
) -> ParsedSource:
    """Build the inventory facts of a scanned organization from the parsed records.

    Args:
        names: Name of an estate without an organization or project, and its place.
    """
    fallback, place = names
    estate = builder.build(_find_name(builder) or fallback, now)
    facts = EstateFacts(estate, builder, source, place, now)
    keys, links = facts.build_keys()
    body = msgspec.json.encode(estate).decode()
    catalogue = PlatformCatalogue(PLATFORM, estate.name, body, facts.get_provenance())
    kinds = [each for each in KINDS if each in builder.collected]
    missing = [each for each in KINDS if each not in builder.collected]
    return ParsedSource(
        SightedFacts(
            agents=facts.build_agents(),
            credentials=keys,
            links=links,
            identities=facts.build_identities(),
            catalogues=(catalogue,),
        ),
        tuple(builder.problems),
        tuple(map(build_coverage_word, kinds)),
        tuple(map(build_coverage_word, missing)),
        builder.recognised,
    )


def _find_name(builder: EstateBuilder) -> str:
    """Find the organization, or else the first project, of an estate."""
    found: dict[str, str] = {}
    for each in builder.resources:
        kind, name = get_container(each)
        if kind:
            found.setdefault(kind, f"{kind}/{name}")
    return found.get("organizations") or found.get("projects") or ""
