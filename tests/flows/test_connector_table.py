from importlib import import_module

import pytest

from answerable.connectors import table
from answerable.model.errors import UsageError


@pytest.mark.parametrize("entry", table.CONNECTORS, ids=lambda e: e.spec.name)
def test_every_line_leads_to_what_it_promises(entry: table.Entry) -> None:
    module = import_module(entry.fetch)
    if entry.spec.gives == table.INVENTORY:
        assert callable(module.sync)
        assert callable(module.where)
    else:
        assert entry.spec.gives == table.EVENTS
        assert callable(module.read)
    assert entry.spec.reads
    assert entry.spec.about


@pytest.mark.parametrize("entry", table.REFERENCES, ids=lambda e: e.spec.name)
def test_every_reference_is_there(entry: table.Entry) -> None:
    assert callable(import_module(entry.fetch).load)
    assert entry.spec.gives == "reference"
    assert entry.spec.reads


def test_no_two_lines_have_one_name() -> None:
    names = [entry.spec.name for entry in table.CONNECTORS]
    assert len(set(names)) == len(names)


def test_events_and_inventories_are_not_confused() -> None:
    with pytest.raises(UsageError, match="gives an inventory"):
        table.event_connector("home")
    with pytest.raises(UsageError, match="gives events"):
        table.inventory_connector("cloudtrail")
    with pytest.raises(UsageError) as caught:
        table.entry("aws-key")
    assert caught.value.hint == "did you mean aws-keys:?"


def test_a_mistyped_source_is_offered_only_those_its_command_takes() -> None:
    with pytest.raises(UsageError) as scanned:
        table.inventory_connector("nope")
    with pytest.raises(UsageError) as ingested:
        table.event_connector("nope")
    names = "home, repo, aws, aws-keys, aws-org, aws-resources, config"
    assert scanned.value.hint == f"known: {names}"
    assert ingested.value.hint == "known: cloudtrail, gateway"
