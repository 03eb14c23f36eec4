from pathlib import Path

import pytest

from answerable.connectors.config.fetch import list_locations_to_read, sync
from answerable.model.connector import SyncContext
from answerable.model.errors import UsageError
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import ReadProblemKind
from tests.connectors.config.test_config_file import FULL

CONTEXT = SyncContext(now=1, fingerprint=lambda value: "f" * 16)


def test_a_file_declares_agents_owners_and_what_they_call(tmp_path: Path) -> None:
    file = tmp_path / "answerable.yaml"
    file.write_text(FULL)
    found = sync(str(file), CONTEXT)
    assert found.problems == ()
    (agent,) = found.facts.agents
    assert (agent.id, agent.kind) == ("agent:declared/invoices", "declared")
    assert agent.facts == (("mode", "observe"),)
    (person,) = found.facts.persons
    assert person.id == "person:ana@example.com"
    (evidence,) = found.facts.evidence
    assert (evidence.subject, evidence.person) == (agent.id, person.id)
    assert evidence.seen.written_by is WrittenBy.MEDIATOR
    (tool,) = found.facts.tools
    assert (tool.id, tool.agent) == ("tool:mcp/files/*", agent.id)
    assert tool.target == "https://files.example/mcp"
    assert all(probe.found for probe in list_locations_to_read(str(file)))


def test_what_is_wrong_is_a_problem_and_the_rest_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "answerable.yaml"
    file.write_text(FULL.replace("workers: 2", "workers: 0"))
    found = sync(str(file), CONTEXT)
    (problem,) = found.problems
    assert problem.kind is ReadProblemKind.INVALID
    assert problem.place == f"{file}:6:12"
    assert [agent.name for agent in found.facts.agents] == ["invoices"]


def test_what_is_no_yaml_collects_nothing(tmp_path: Path) -> None:
    file = tmp_path / "answerable.yaml"
    file.write_text("a: [")
    found = sync(str(file), CONTEXT)
    assert len(found.problems) == 1
    assert (found.collected, found.not_collected) == ((), ("declared-agents",))


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        sync(str(tmp_path / "answerable.yaml"), CONTEXT)
    with pytest.raises(UsageError, match="no file given"):
        sync("", CONTEXT)
