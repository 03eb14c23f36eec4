"""`baseline check --deployed` of an application of Azure."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.connectors.azure.fetch import list_locations_to_read, sync
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
from answerable.model.connector import SyncContext
from answerable.model.errors import UsageError
from answerable.services.baseline.azure_drift import list_azure_drift
from tests.reach.account_builder import inventory_of

COUNTS = ObservationCounts(1, 1, 1)
APP, OBJECT = "7d1e2f30-0000-4000-8000-00000000000a", "oid-bot"
OTHER = "7d1e2f30-0000-4000-8000-00000000000b"
SUBSCRIPTION = "/subscriptions/s-1"
VM = f"{SUBSCRIPTION}/resourcegroups/rg/providers/Microsoft.Compute/virtualMachines/a"
START = "Microsoft.Compute/virtualMachines/start/action"
DEFINITIONS = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
EXACT = GeneralisationLevel.EXACT


def profile(
    calls: dict[str, list[str]], identity: str = f"entra:app/{APP}"
) -> BaselineProfile:
    return BaselineProfile(
        BaselineSubject(identity, "agent:declared/ops", "cloud"),
        capabilities=tuple(
            CapabilityEntry(f"cloud/{call}", "", False, COUNTS) for call in calls
        ),
        entities=tuple(
            EntityEntry(
                f"cloud/{call}",
                "resource",
                EntityPattern(EntityKind.PATH, EXACT, text),
                False,
                True,
                COUNTS,
            )
            for call, resources in calls.items()
            for text in resources
        ),
    )


def definition(name: str, **permissions: list[str]) -> dict[str, Any]:
    """Return a row of `az role definition list`."""
    return {
        "id": f"{DEFINITIONS}/{name}",
        "name": name,
        "permissions": [permissions],
        "roleName": name,
        "roleType": "CustomRole",
    }


def assignment(role: str, scope: str, principal: str = OBJECT, **row: Any) -> Any:
    """Return a row of `az role assignment list`."""
    names = {OBJECT: APP, "oid-other": OTHER}
    return {
        "condition": None,
        "principalId": principal,
        "principalName": names.get(principal, ""),
        "principalType": "ServicePrincipal",
        "roleDefinitionId": f"{DEFINITIONS}/{role}",
        "scope": scope,
        **row,
    }


ROLES = [
    definition("start", actions=[START], notActions=[]),
    definition("start-but", actions=["*"], notActions=["*"]),
    definition("machines", actions=["Microsoft.Compute/*"], notActions=[]),
    definition("blobs", dataActions=["Microsoft.Storage/x/read"]),
]
ELSEWHERE = [  # two principals: the list is not that of one
    assignment("start", SUBSCRIPTION, "oid-other"),
    assignment("start", SUBSCRIPTION, "oid-ana", principalType="User"),
]
SIGNED = profile({START: [VM]})


def scan(folder: Path, *files: Any, location: str = "") -> Any:
    """Return the inventory of a scan of files, with the files of this module."""
    for number, each in enumerate(files):
        text = each if isinstance(each, bytes) else json.dumps(each).encode()
        (folder / f"{number}.json").write_bytes(text)
    return sync(f"{folder}{location}", SyncContext(1, str))


def check(
    folder: Path, signed: BaselineProfile, *files: Any, location: str = ""
) -> set[tuple[str, str, str]]:
    found = scan(folder, ROLES, *files, location=location)
    return set(list_azure_drift(inventory_of(found.facts), signed))


@pytest.mark.parametrize(
    ("rows", "drift"),
    [
        ([assignment("start", VM)], set()),
        ([assignment("start", VM.upper(), principalName=APP.upper())], set()),
        (
            [assignment("start", VM, "oid-other")],
            {("missing", START, VM.lower())},
        ),
        (
            [assignment("start", f"{SUBSCRIPTION}/resourceGroups/rg")],
            {("beyond-signed", START.lower(), f"{SUBSCRIPTION}/resourcegroups/rg")},
        ),
        (
            [assignment("machines", VM)],
            {("beyond-signed", "microsoft.compute/*", VM.lower())},
        ),
        (
            [assignment("machines", "/")],
            {("beyond-signed", "microsoft.compute/*", "/")},
        ),
        ([assignment("start-but", VM)], {("missing", START, VM.lower())}),
        (
            [assignment("start", VM), assignment("blobs", VM)],
            {("beyond-signed", "microsoft.storage/x/read", VM.lower())},
        ),
        # A name that only starts as the resource does is another resource.
        (
            [assignment("start", f"{VM}bc")],
            {
                ("beyond-signed", START.lower(), f"{VM.lower()}bc"),
                ("missing", START, VM.lower()),
            },
        ),
    ],
)
def test_each_difference_is_drift(tmp_path: Path, rows, drift) -> None:
    assert check(tmp_path, SIGNED, [*ELSEWHERE, *rows]) == drift


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([assignment("start", VM, condition="@Resource...")], "a condition"),
        ([assignment("unscanned", VM)], "role definition unscanned"),
        ([assignment("start", VM, "g", principalType="Group")], "assigned group"),
        ([assignment("start", VM, "p", principalName="")], "has no name"),
        (
            [assignment("start", "/providers/Microsoft.Management/managementGroups/m")],
            "management group m",
        ),
    ],
)
def test_what_is_not_collected_is_not_known_and_no_agreement(
    tmp_path: Path, rows, reason: str
) -> None:
    found = check(tmp_path, SIGNED, [*ELSEWHERE, *rows])
    assert not [each for each in found if each[0] == "missing"]
    assert [each for each in found if each[0] == "not-known" and reason in each[2]]


@pytest.mark.parametrize(
    "files",
    [
        (),
        ([],),
        ([assignment("start", VM, "oid-other")],),  # a list of one other principal
    ],
)
def test_a_list_that_does_not_describe_the_identity_is_not_known(
    tmp_path: Path, files
) -> None:
    ((kind, action, _),) = check(tmp_path, SIGNED, *files)
    assert (kind, action) == ("not-known", "")


def test_a_subscription_that_was_not_listed_is_not_known(tmp_path: Path) -> None:
    elsewhere = profile({START: [VM.replace("s-1", "s-2")]})
    rows = [*ELSEWHERE, assignment("start", VM)]
    found = check(tmp_path, elsewhere, rows)
    assert ("beyond-signed", START.lower(), VM.lower()) in found
    assert [kind for kind, _, text in found if "s-2" in text] == ["not-known"]
    found = check(tmp_path, elsewhere, rows, location=",subscription=s-2")
    assert [kind for kind, _, text in found if "s-2" in text] == ["missing"]


def test_a_list_of_one_principal_includes_its_groups(tmp_path: Path) -> None:
    rows = [assignment("start", VM, "g", principalType="Group", principalName="ops")]
    assert check(tmp_path, SIGNED, rows, location=f",assignee={APP}") == set()


def test_an_application_is_found_by_the_list_of_service_principals(
    tmp_path: Path,
) -> None:
    rows = [*ELSEWHERE, assignment("start", VM, principalName="")]
    known = [{"appId": APP, "id": OBJECT, "displayName": "bot"}]
    assert check(tmp_path, SIGNED, rows, known) == set()


def deny(**fields: Any) -> dict[str, Any]:
    """Return a deny assignment as the REST API writes it."""
    everybody = {"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}
    properties = {
        "denyAssignmentName": "lock",
        "permissions": [{"actions": ["*/action"], "notActions": []}],
        "scope": SUBSCRIPTION,
        "principals": [everybody],
        "excludePrincipals": [],
        **fields,
    }
    return {"value": [{"id": "d", "name": "d", "properties": properties}]}


@pytest.mark.parametrize(
    ("fields", "kinds"),
    [
        ({}, {"missing"}),
        ({"scope": f"{SUBSCRIPTION}/other"}, set()),
        ({"doNotApplyToChildScopes": True}, set()),
        ({"permissions": [{"actions": ["*"], "notActions": ["*/action"]}]}, set()),
        ({"excludePrincipals": [{"id": OBJECT, "type": "ServicePrincipal"}]}, set()),
        ({"excludePrincipals": [{"id": "g", "type": "Group"}]}, {"not-known"}),
        ({"principals": [{"id": "g", "type": "Group"}]}, {"not-known"}),
    ],
)
def test_a_deny_assignment_makes_a_signed_permission_missing(
    tmp_path: Path, fields, kinds: set[str]
) -> None:
    rows = [*ELSEWHERE, assignment("start", VM)]
    found = check(tmp_path, SIGNED, rows, deny(**fields))
    assert {kind for kind, _, _ in found} == kinds


def test_a_call_without_a_known_action_leaves_data_actions_not_known(
    tmp_path: Path,
) -> None:
    signed = profile({"GetBlob": ["https://x"], START: [VM]})
    rows = [*ELSEWHERE, assignment("start", VM), assignment("blobs", VM)]
    found = check(tmp_path, signed, rows)
    assert {kind for kind, _, _ in found} == {"not-known"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "an empty file"),
        (b'[{"scope": ', "not a JSON list"),
        (b"[" * 5_000, "not a JSON list"),
        (b'[{"colour": "red"}]', "not a role assignment"),
        (b"[3]", "not an object"),
        (b'{"value": [], "nextLink": "https://x"}', "one page"),
    ],
)
def test_what_cannot_be_read_is_a_problem(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    found = scan(tmp_path, ROLES, content)
    assert [each.what for each in found.problems if problem in each.what]
    with pytest.raises(UsageError, match="no list of the Azure CLI"):
        scan(tmp_path, content, content)


def test_a_file_of_powershell_is_read_and_locations_are_listed(tmp_path: Path) -> None:
    rows = json.dumps([*ELSEWHERE, assignment("start", VM)]).encode("utf-16")
    assert check(tmp_path, SIGNED, rows) == set()
    (probe, _) = list_locations_to_read(f"{tmp_path},assignee=x")
    assert probe.found
    with pytest.raises(UsageError, match="names no file"):
        sync("", SyncContext(1, str))
