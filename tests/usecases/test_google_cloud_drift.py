"""`baseline check --deployed` of a service account of Google Cloud."""

import msgspec
import pytest

from answerable.model.baseline import (
    BaselineProfile,
    BaselineSubject,
    CapabilityEntry,
    EntityEntry,
    EntityPattern,
    GeneralisationLevel,
    ObservationCounts,
)
from answerable.model.behaviour import EntityKind
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.sighting import SightedFacts
from answerable.services.baseline.google_cloud_drift import list_google_cloud_drift
from tests.reach.account_builder import inventory_of
from tests.reach.gcp.estates import SEEN, SEEN_AT, account, build_estate

BOT = account("bot")
MEMBER = f"serviceAccount:{BOT}"
COUNTS = ObservationCounts(1, 1, 1)
ROLE = "projects/p/roles/c"
PROJECT = "//cloudresourcemanager.googleapis.com/projects/p"
OBJECT = "projects/_/buckets/b/objects/a"
FOLDER = "projects/_/buckets/b/objects/x/"
GET = "storage.objects.get"
ROLES = {ROLE: [GET], "projects/p/roles/two": [GET, "storage.objects.delete"]}
EXACT, PREFIX = GeneralisationLevel.EXACT, GeneralisationLevel.PREFIX


def profile(calls: dict[str, list[tuple[GeneralisationLevel, str]]]) -> BaselineProfile:
    return BaselineProfile(
        BaselineSubject(BOT, "agent:declared/reporter", "cloud"),
        capabilities=tuple(
            CapabilityEntry(f"cloud/gcp:{call}", "", False, COUNTS) for call in calls
        ),
        entities=tuple(
            EntityEntry(
                f"cloud/gcp:{call}",
                "resource",
                EntityPattern(EntityKind.PATH, level, text),
                False,
                True,
                COUNTS,
            )
            for call, patterns in calls.items()
            for level, text in patterns
        ),
    )


def check(signed: BaselineProfile, **row: object) -> set[tuple[str, str, str]]:
    """Return the drift of a profile in an estate."""
    estate = build_estate({"roles": ROLES, **row})
    body = msgspec.json.encode(estate).decode()
    facts = SightedFacts(catalogues=(PlatformCatalogue("gcp", "org", body, SEEN),))
    return set(list_google_cloud_drift(inventory_of(facts), signed, SEEN_AT))


SIGNED = profile({GET: [(EXACT, OBJECT), (PREFIX, FOLDER)]})
IN_FORCE = (
    f'resource.name == "{OBJECT}" || resource.name.startsWith("{FOLDER}")',
    f'resource.name.startsWith("{FOLDER}") || resource.name == "{OBJECT}"',
)


@pytest.mark.parametrize("condition", IN_FORCE)
def test_the_exported_role_and_condition_are_no_drift(condition: str) -> None:
    assert check(SIGNED, bind=[["projects/p", ROLE, [MEMBER], condition]]) == set()


@pytest.mark.parametrize(
    ("binding", "drift"),
    [
        (
            ["projects/p", ROLE, [MEMBER]],
            {("beyond-signed", GET, PROJECT)},
        ),
        (
            ["gs://b", ROLE, [MEMBER]],
            {("beyond-signed", GET, "//storage.googleapis.com/b")},
        ),
        (
            [
                "projects/p",
                ROLE,
                [MEMBER],
                f'resource.name.startsWith("{FOLDER[:-2]}")',
            ],
            {("beyond-signed", GET, f"{FOLDER[:-2]}*")},
        ),
        (
            ["projects/p", ROLE, [MEMBER], f'resource.name.startsWith("{FOLDER}y/")'],
            {("missing", GET, OBJECT), ("missing", GET, f"{FOLDER}*")},
        ),
        (
            ["projects/p", "projects/p/roles/two", [MEMBER], IN_FORCE[0]],
            {
                ("beyond-signed", "storage.objects.delete", OBJECT),
                ("beyond-signed", "storage.objects.delete", f"{FOLDER}*"),
            },
        ),
        (
            ["projects/p", ROLE, [MEMBER], f'resource.name == "{OBJECT}"'],
            {("missing", GET, f"{FOLDER}*")},
        ),
        (
            ["projects/p", ROLE, [MEMBER], f'!(resource.name == "{OBJECT}")'],
            {("beyond-signed", GET, PROJECT), ("missing", GET, OBJECT)},
        ),
        (
            ["projects/p", ROLE, ["allUsers"]],
            {("beyond-signed", GET, PROJECT)},
        ),
        (
            ["projects/p", "projects/p/roles/unscanned", [MEMBER]],
            {
                (
                    "not-known",
                    "",
                    "its permissions are in no scan and not in the catalogue",
                )
            },
        ),
    ],
)
def test_each_difference_is_drift(binding, drift) -> None:
    found = check(SIGNED, bind=[binding])
    assert drift <= found
    unexpected = {each for each in found - drift if each[0] == "beyond-signed"}
    assert not unexpected


def test_a_bucket_whose_objects_are_all_signed_is_no_drift() -> None:
    signed = profile({GET: [(PREFIX, "projects/_/buckets/b/objects/")]})
    assert check(signed, bind=[["gs://b", ROLE, [MEMBER]]]) == set()


def test_a_deny_policy_in_force_makes_a_signed_permission_missing() -> None:
    denied = ["projects/p", {"who": [MEMBER], "permissions": [GET]}]
    found = check(
        SIGNED, bind=[["projects/p", ROLE, [MEMBER], IN_FORCE[0]]], deny=[denied]
    )
    assert ("missing", GET, OBJECT) in found


def test_uncollected_bindings_are_not_known_and_no_agreement() -> None:
    found = check(profile({}), missing=["iam-policies"])
    assert [(kind, action) for kind, action, _ in found] == [("not-known", "")]


def test_a_method_without_a_known_permission_leaves_its_service_not_known() -> None:
    signed = profile({"google.storage.v1.Unheard": [], GET: [(EXACT, OBJECT)]})
    found = check(signed, bind=[["projects/p", "projects/p/roles/two", [MEMBER]]])
    assert ("not-known", "storage.objects.delete", PROJECT) in found
    assert not [each for each in found if each[0] == "beyond-signed"]
    other = profile({"google.pubsub.v1.Publisher.Publish": []})
    found = check(other, bind=[["projects/p", ROLE, [MEMBER]]])
    assert ("beyond-signed", GET, PROJECT) in found


def test_an_account_that_edits_allow_policies_hides_no_drift() -> None:
    edit = "resourcemanager.projects.setIamPolicy"
    estate = {"roles": {**ROLES, "projects/p/roles/edit": [edit]}}
    signed = profile({edit: [(EXACT, "projects/p")], GET: [(EXACT, OBJECT)]})
    own = [
        ["projects/p", "projects/p/roles/edit", [MEMBER]],
        ["projects/p", ROLE, [MEMBER], f'resource.name == "{OBJECT}"'],
    ]
    assert check(signed, bind=own, **estate) == set()
    more = ["projects/p", "projects/p/roles/two", [MEMBER], own[1][3]]
    drift = {("beyond-signed", "storage.objects.delete", OBJECT)}
    assert check(signed, bind=[*own, more], **estate) == drift
    assert ("missing", GET, OBJECT) in check(signed, bind=own[:1], **estate)
