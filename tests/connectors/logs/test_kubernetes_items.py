"""Kubernetes audit events without a kind, as a webhook delivers them in a list."""

import json
from pathlib import Path

import pytest

from answerable.connectors.registry import load_event_connector
from answerable.model.connector import EventBatch, EventContext
from tests.connectors.logs.samples import K8S


def read(folder: Path, content: str) -> list[EventBatch]:
    path = folder / "audit.json"
    path.write_text(content)
    connector = load_event_connector("k8s-audit")
    return list(connector.read(f"{path},cluster=prod", EventContext()))


def test_an_event_of_a_file_and_of_a_webhook_is_the_same(tmp_path: Path) -> None:
    """The API server writes `kind` in a file, and in a webhook's list only once."""
    item = dict(K8S)
    head = {name: item.pop(name) for name in ("kind", "apiVersion")}
    wrapper = {"kind": "EventList", "apiVersion": head["apiVersion"], "metadata": {}}
    forms = [
        json.dumps({**wrapper, "items": [item]}),
        json.dumps({**wrapper, "items": [item]}, indent=1),
        json.dumps(item),
        json.dumps({"kind": "Event"} | item),
        json.dumps(item | {"apiVersion": head["apiVersion"]}),
    ]
    ((expected,),) = [b.events for b in read(tmp_path, json.dumps(K8S))]
    for form in forms:
        ((event,),) = [b.events for b in read(tmp_path, form)]
        assert event == expected, form


@pytest.mark.parametrize(
    "change",
    [
        {"auditID": ""},
        {"level": "None"},
        {"requestURI": None},
        {"stage": "Completed"},
        {"user": None},
        {"verb": ""},
        {"apiVersion": "v1"},
        {"kind": "Policy"},
    ],
)
def test_other_json_without_a_kind_is_no_kubernetes_event(
    tmp_path: Path, change: dict[str, object]
) -> None:
    record = {k: v for k, v in K8S.items() if k not in ("kind", "apiVersion")}
    (batch,) = read(tmp_path, json.dumps(record | change))
    assert [each.why for each in batch.quarantined] == [
        "not a Kubernetes audit event: it has no kind or verb"
    ]
