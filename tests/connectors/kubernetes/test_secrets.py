"""No secret value of a dump or a manifest is in a fact or a problem."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.connectors.kubernetes.kubernetes_objects import made, role, scan

CANARY = "c4n4ryValue9"
SECRET: dict[str, Any] = made(
    "Secret",
    "db",
    "dev",
    type="Opaque",
    data={"password": CANARY},
    stringData={"token": CANARY},
    metadata={
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps(
                {"data": {"password": CANARY}}
            ),
            "note": CANARY,
        },
        "managedFields": [{"fieldsV1": {"f:data": {CANARY: {}}}}],
    },
)
POD = made(
    "Pod",
    "p",
    "dev",
    spec={
        "containers": [
            {
                "name": "c",
                "image": "i",
                "env": [{"name": "PASSWORD", "value": CANARY}],
                "args": ["--token", CANARY],
                "command": [CANARY],
                "livenessProbe": {"httpGet": {"httpHeaders": [{"value": CANARY}]}},
            }
        ]
    },
    status={"message": CANARY},
)
CONFIG = made("ConfigMap", "c", "dev", data={"key": CANARY})
BROKEN_POD = made("Pod", "b", "dev", spec={"containers": CANARY})
BROKEN_SECRET = made("Secret", "x", "dev", type=[CANARY], data={"a": CANARY})
BROKEN_NAME = {"kind": "Role", "apiVersion": "v1", "metadata": CANARY}


@pytest.mark.parametrize("dump", [json.dumps, yaml.safe_dump])
def test_no_value_is_kept(tmp_path: Path, dump: Any) -> None:
    items = [SECRET, POD, CONFIG, BROKEN_POD, BROKEN_SECRET, BROKEN_NAME]
    (tmp_path / "a.json").write_text(dump({"kind": "List", "items": items}))
    sync = scan(f"{tmp_path}/a.json")
    assert len(sync.problems) == 2
    assert CANARY not in msgspec.json.encode(sync).decode()


@pytest.mark.parametrize("dump", [json.dumps, yaml.safe_dump])
@pytest.mark.parametrize("cut", range(40, 400, 40))
def test_no_value_of_a_file_that_is_cut_off_is_kept(
    tmp_path: Path, dump: Any, cut: int
) -> None:
    text = dump({"kind": "List", "items": [role("r"), SECRET, SECRET]})
    (tmp_path / "a.json").write_text(text[:-cut])
    (tmp_path / "b.json").write_text(json.dumps(role("r")))
    sync = scan(str(tmp_path))
    assert sync.problems
    assert CANARY not in msgspec.json.encode(sync).decode()


TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2


def test_a_name_or_label_with_the_form_of_a_secret_is_hidden(tmp_path: Path) -> None:
    labels = {"labels": {"key": TOKEN}, "annotations": {"owner": TOKEN}}
    items = [
        made("ServiceAccount", "a", "dev", metadata=labels),
        made("ServiceAccount", TOKEN, "dev", metadata={"uid": "u"}),
    ]
    (tmp_path / "a.json").write_text(json.dumps({"kind": "List", "items": items}))
    assert TOKEN not in msgspec.json.encode(scan(str(tmp_path))).decode()
