from importlib import import_module

import pytest

from answerable.connectors import registry
from answerable.model.errors import UsageError


@pytest.mark.parametrize("entry", registry.CONNECTORS, ids=lambda e: e.name)
def test_every_line_leads_to_what_it_promises(entry: registry.ConnectorEntry) -> None:
    assert entry.name == entry.spec.name
    module = import_module(entry.fetch)
    if entry.spec.gives == registry.INVENTORY:
        assert callable(module.sync)
        assert callable(module.list_locations_to_read)
    else:
        assert entry.spec.gives == registry.EVENTS
        assert callable(module.read)
    assert entry.spec.reads
    assert entry.spec.about


@pytest.mark.parametrize("entry", registry.REFERENCES, ids=lambda e: e.name)
def test_every_reference_is_there(entry: registry.ConnectorEntry) -> None:
    assert entry.name == entry.spec.name
    assert callable(import_module(entry.fetch).load_catalogue)
    assert entry.spec.gives == "reference"
    assert entry.spec.reads


def test_no_two_lines_have_one_name() -> None:
    names = [entry.name for entry in registry.CONNECTORS]
    assert len(set(names)) == len(names)


def test_events_and_inventories_are_not_confused() -> None:
    with pytest.raises(UsageError, match="reads inventory"):
        registry.load_event_connector("home")
    with pytest.raises(UsageError, match="reads events"):
        registry.load_inventory_connector("cloudtrail")
    with pytest.raises(UsageError) as caught:
        registry.find_connector("aws-key")
    assert caught.value.hint == "did you mean aws-keys:?"


def test_a_mistyped_source_is_offered_only_those_its_command_takes() -> None:
    with pytest.raises(UsageError) as scanned:
        registry.load_inventory_connector("nope")
    with pytest.raises(UsageError) as ingested:
        registry.load_event_connector("nope")
    names = "home, repo, aws, aws-keys, aws-org, aws-resources, pg, k8s, github"
    names += ", gcp, gcp-roles, azure, opengraph, people, config"
    assert scanned.value.hint == f"known: {names}"
    logs = "cloudtrail, k8s-audit, github-audit, gcp-audit, azure-activity, entra"
    logs += ", okta, anthropic-audit, openai-audit, bedrock, claude-code, otel, gateway"
    assert ingested.value.hint == f"known: {logs}"
