"""Lists and answers across platforms are not-known where a scan is missing."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main

BOT = "k8s:c/default/serviceaccount/bot"
OBJECTS = """{"apiVersion": "v1", "kind": "List", "items": [
 {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", "uid": "1"}},
 {"apiVersion": "v1", "kind": "ServiceAccount",
  "metadata": {"name": "bot", "namespace": "default", "uid": "2"}},
 {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
  "metadata": {"name": "reader", "uid": "3"},
  "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]}]}"""


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store with the scan of a dump that has no binding."""
    (tmp_path / "dump.json").write_text(OBJECTS)
    folder = str(tmp_path / "store")
    source = f"k8s:{tmp_path / 'dump.json'},cluster=c"
    assert main(["--store", folder, "-q", "scan", source]) == 0
    return folder


def ask(store: str, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert main(["--store", store, "-o", "json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_list_without_bindings_is_not_known_and_names_them(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ask(store, capsys, "reach", BOT)
    assert [each["verdict"] for each in found["items"]] == ["not-known"]
    missing = " ".join(found["coverage"]["not_collected"])
    assert "k8s-clusterrolebindings" in missing
    assert "k8s-rolebindings" in missing


def test_a_call_to_a_platform_that_was_not_scanned_is_not_known(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ("s3:GetObject", "arn:aws:s3:::data/x")
    (item,) = ask(store, capsys, "can", BOT, *call)["items"]
    assert item["verdict"] == "not-known"
    (direct,) = ask(store, capsys, "can", BOT, *call, "--direct")["items"]
    assert direct["verdict"] == "never"
