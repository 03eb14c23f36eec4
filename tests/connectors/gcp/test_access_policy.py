"""The roles that are shipped allow what a live scan calls, and no change."""

from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.connectors.gcp.declaration import (
    AGENTS_PERMISSION,
    ANCESTOR_PERMISSIONS,
    LIVE_PERMISSIONS,
)
from answerable.connectors.gcp_roles.fetch import load_predefined_roles

_READS = ("get", "list", "search", "analyze", "export", "query", "verify")


def test_the_shipped_roles_are_those_that_are_printed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["where", "--policy", "gcp-roles", "gcp:"]) == 0
    shipped = root / "deploy" / "gcp" / "read-roles.tf"
    printed = capsys.readouterr().out
    assert printed == shipped.read_text(encoding="utf-8")
    assert all(f'"{role}",' in printed for role in LIVE_PERMISSIONS.values())
    assert f'permissions = ["{AGENTS_PERMISSION}"]' in printed


def test_another_source_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["where", "--policy", "gcp-roles", "k8s:"]) == 2
    assert "gcp-roles gcp:" in capsys.readouterr().err


def test_the_roles_have_the_permissions_of_the_calls_and_change_nothing() -> None:
    catalogue = load_predefined_roles()
    for permission, role in LIVE_PERMISSIONS.items():
        found = catalogue.list_permissions(role)
        assert found is not None
        assert permission in found, permission
        changing = [p for p in found if not p.rpartition(".")[2].startswith(_READS)]
        assert changing == []


def test_a_role_of_the_documentation_has_the_permissions_above_a_project() -> None:
    found = load_predefined_roles().list_permissions("roles/iam.securityReviewer")
    assert found is not None
    assert set(ANCESTOR_PERMISSIONS) <= set(found)


def test_the_permission_on_agents_exists() -> None:
    found = load_predefined_roles().list_permissions("roles/discoveryengine.viewer")
    assert found is not None
    assert AGENTS_PERMISSION in found
