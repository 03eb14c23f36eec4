"""Definitions of roles, and the refresh of the packaged catalogue."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from answerable.connectors.gcp_roles.parse import parse_roles

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def refresh() -> Any:
    """Return the script that refreshes the catalogue."""
    place = ROOT / "scripts" / "refresh_gcp_roles.py"
    spec = importlib.util.spec_from_file_location("refresh_gcp_roles", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("permissions", ["storage.objects.get", None, {"a": 1}])
def test_a_role_without_a_list_of_permissions_grants_nothing_known(
    permissions: Any,
) -> None:
    role = {"name": "roles/x", "includedPermissions": permissions}
    roles, problems = parse_roles(json.dumps(role).encode(), "roles.json")
    assert roles == {}
    assert "no permissions" in problems[0].what


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "0 roles (expected at least"),
        ("{", "Expecting property name"),
        ("[]", "expected a JSON object"),
        ('{"name": "roles/x", "includedPermissions": "a.b.c"}', "no role with a list"),
        ('{"name": "roles/x", "includedPermissions": ["a.b.c"]}', "1 roles (expected"),
    ],
)
def test_a_source_without_the_roles_changes_nothing(
    content: str | None,
    reason: str,
    refresh: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "roles").mkdir()
    if content is not None:
        (tmp_path / "roles" / "x.json").write_text(content)
    output = tmp_path / "catalogue.json.xz"
    arguments = [str(tmp_path / "roles"), "--date", "2026-11-30", "--output", output]
    assert refresh.main([*map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert not output.exists()
