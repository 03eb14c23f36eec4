from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from answerable.authorization.revocations import (
    find_revocation,
    is_undeclared_subject,
    parse_revocation_subject,
)
from answerable.model.decision import TargetKind
from answerable.model.errors import IdError
from tests.authorization.config_strategies import agent, config, request, server

SUBJECTS = (
    "agent:declared/ana",
    "run:run-1",
    "principal:corp ana",
    "server:files",
    "tool:mcp/files/read",
)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_each_kind_of_subject_stops_a_call(subject: str) -> None:
    assert (
        find_revocation(frozenset({parse_revocation_subject(subject)}), request())
        == subject
    )


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_longer_or_shorter_name_is_another_subject(subject: str) -> None:
    assert not find_revocation(frozenset({subject[:-1], subject + "x"}), request())


def test_a_killed_tool_leaves_the_prompt_of_that_name() -> None:
    asked = request(target=TargetKind.PROMPT)
    assert not find_revocation(frozenset({"tool:mcp/files/read"}), asked)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "invoices",
        "agent:",
        "persons:ana",
        "tool:mcp/files",
        "tool:mcp/files/",
        "run:a\nb",
        "server:" + "x" * 6000,
    ],
)
def test_what_names_no_subject_is_refused(text: str) -> None:
    with pytest.raises(IdError) as caught:
        parse_revocation_subject(text)
    # What came is told, as far as that is of use, and never as it is.
    assert repr(text[:80]) in caught.value.message


@pytest.mark.parametrize(
    ("subject", "is_one"),
    [
        ("agent:declared/ana", False),
        ("agent:declared/anna", True),
        ("agent:caller/corp/ana", False),
        ("server:files", False),
        ("server:file", True),
        ("tool:mcp/files/read", False),
        ("tool:mcp/file/read", True),
        ("run:run-1", False),
        ("principal:corp ana", False),
        ("agent:declared/desk", False),
        ("agent:declared/below", False),
        ("rule:desk", False),
        ("rule:desks", True),
        ("issuer:corp", False),
        ("issuer:corps", True),
    ],
)
def test_only_what_the_file_would_name_can_be_misspelled(
    subject: str, is_one: bool
) -> None:
    desk: Any = SimpleNamespace(
        id="desk", agent="agent:declared/desk", delegate_to=("agent:declared/below",)
    )
    corp: Any = SimpleNamespace(pin=SimpleNamespace(name="corp"))
    said = config(agent("ana"), servers=(server("files"),))
    said = replace(said, rules=(desk,), issuers=(corp,))
    assert is_undeclared_subject(subject, said) is is_one
