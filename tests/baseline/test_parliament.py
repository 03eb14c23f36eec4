"""Exported AWS policies pass the linter parliament, apart from names newer than it.

Its catalogue of actions is from April 2025; ours is newer. The names that it lacks are
written in `tests/cases/parliament.yaml`, and no others: a name that is unknown to AWS
would be a finding.
"""

import os
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from answerable.baseline.policy_export.aws_limits import AWS_LIMITS
from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.action_catalogue import ActionEntry, ServiceEntry
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
from answerable.services.baseline.policy_export import export_profiles

ACCOUNT = "111122223333"
CASES = Path(__file__).parents[1] / "cases/parliament.yaml"
OLDER: dict[str, dict[str, list[str]]] = yaml.load(CASES.read_text(), yaml.CSafeLoader)
COUNTS = ObservationCounts(1, 1, 1)
BATCH = 12  # actions of a profile: few enough for a permission set

pytestmark = pytest.mark.world


@pytest.fixture(scope="module")
def parliament() -> ModuleType:
    """Import parliament; it asks setuptools, which has left it, for its own files."""
    found = ModuleType("pkg_resources")
    found.resource_filename = (  # type: ignore[attr-defined]
        lambda _, name: str(resources.files("parliament").joinpath(name))
    )
    found.resource_exists = (  # type: ignore[attr-defined]
        lambda _, name: os.path.exists(found.resource_filename("", name))  # type: ignore[attr-defined]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pkg_resources", found)
        return pytest.importorskip("parliament")


def build_arn(pattern: str) -> str:
    """Return an ARN of a resource type, without wildcards."""
    parts = pattern.split(":", 5)
    parts[1], parts[3] = "aws", "eu-west-1" if parts[3] else ""
    parts[4] = ACCOUNT if parts[4] == "*" else parts[4]
    return ":".join([*parts[:5], parts[5].replace("*", "x1")])


def list_profiles(service: ServiceEntry) -> Iterator[BaselineProfile]:
    """Yield profiles that use all actions of a service on all types of resource."""
    actions = list(service.actions.values())
    for at in range(0, len(actions), BATCH):
        part = actions[at : at + BATCH]
        yield BaselineProfile(
            BaselineSubject(f"arn:aws:iam::{ACCOUNT}:role/r", "agent:a/r", "cloud"),
            runs=3,
            capabilities=tuple(
                CapabilityEntry(f"cloud/{each}", "", False, COUNTS) for each in part
            ),
            entities=tuple(
                entity for each in part for entity in list_entities(service, each)
            ),
        )


def list_entities(service: ServiceEntry, action: ActionEntry) -> Iterator[EntityEntry]:
    for name in action.resource_types:
        if name in service.resource_types:
            arn = build_arn(service.resource_types[name].arn)
            pattern = EntityPattern(EntityKind.ARN, GeneralisationLevel.EXACT, arn)
            yield EntityEntry(
                f"cloud/{action}", "resource", pattern, False, True, COUNTS
            )


def list_names(finding: Any) -> Iterator[str]:
    """Yield the names that a finding is about."""
    if finding.issue in ("UNKNOWN_ACTION", "UNKNOWN_PREFIX"):
        yield finding.location["string"]
    elif finding.issue == "RESOURCE_MISMATCH":
        yield from (each["action"] for each in finding.detail)
    else:
        yield f"{finding.issue} {finding.detail}"


@pytest.mark.parametrize("name", sorted(OLDER))
def test_policies_of_all_actions_of_a_service_pass(
    parliament: ModuleType, name: str
) -> None:
    service = load_catalogue({name}).services[name]
    found: dict[str, set[str]] = {}
    documents = 0
    for profile in list_profiles(service):
        for target in AWS_LIMITS:
            exported = export_profiles([profile], target, is_signed=True)
            for each in exported.documents:
                documents += 1
                for one in parliament.analyze_policy_string(each.text).findings:
                    found.setdefault(one.issue, set()).update(list_names(one))
    assert documents > 0
    if "UNKNOWN_PREFIX" in OLDER[name]:
        assert set(found) == {"UNKNOWN_PREFIX"}
        return
    assert {issue: sorted(names) for issue, names in found.items()} == OLDER[name]
