"""The key `policy`, and the files that it names."""

from pathlib import Path

import pytest

from answerable.connectors.config import fetch
from answerable.connectors.config.fetch import read_config_file, read_policy_files
from answerable.connectors.config.parse.config_faults import format_faults
from answerable.connectors.config.parse.config_file import ConfigReading

FILE = """\
servers:
  files: {url: "http://127.0.0.1:9000/mcp"}
agents:
  ana: {allow: [{server: files}]}
policy: %s
"""
PERMIT = "permit (principal, action, resource);\n"


def reading(folder: Path, policy: str) -> ConfigReading:
    (folder / "answerable.yaml").write_text(FILE % policy)
    return read_policy_files(read_config_file(str(folder / "answerable.yaml")))


def told(found: ConfigReading) -> list[str]:
    assert found.config is not None
    place = Path(found.config.place).name
    return format_faults(place, found.faults)


def test_files_are_found_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    below = tmp_path / "policies"
    below.mkdir()
    for name in ("b.cedar", "a.cedar", "note.txt"):
        (below / name).write_text(PERMIT)
    (tmp_path / "own.cedar").write_text(f'@id("own") {PERMIT}')
    found = reading(tmp_path, '["own.cedar", "policies/*.cedar", "own.cedar"]')
    assert found.faults == ()
    assert found.is_valid_except_rules
    assert [rule.id for rule in found.policies.rules] == [
        "own.cedar:own",
        "policies/a.cedar:policy0",
        "policies/b.cedar:policy0",
    ]


def test_a_file_elsewhere_is_named_by_its_whole_path(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    there = tmp_path / "there.cedar"
    there.write_text(PERMIT)
    found = reading(tmp_path / "here", f'["{there}"]')
    assert [rule.id for rule in found.policies.rules] == [f"{there}:policy0"]


def test_every_fault_of_every_file_is_told_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.cedar").write_text('\n@id("x")\npermit (principal, acton);\n')
    (tmp_path / "b.cedar").write_text(
        'permit (principal == Agent::"agent:declared/anna", action, resource);\n'
    )
    found = reading(tmp_path, '["a.cedar", "b.cedar", "c.cedar", "d*.cedar"]')
    lines = told(found)
    assert [line.partition(" ")[0] for line in lines] == [
        *("answerable.yaml:5:32:", "answerable.yaml:5:43:"),
        *("a.cedar:2:1:", "b.cedar:1:1:"),
    ]
    assert "policy[x]: " in lines[2]
    assert "did you mean agent:declared/ana?" in lines[3]
    assert found.policies.rules == ()
    assert found.is_valid_except_policy
    assert not found.is_valid_except_rules


@pytest.mark.parametrize(
    ("policy", "what"),
    [
        ("a.cedar", "expected a list"),
        ('["a.txt"]', "ends in .cedar"),
        ("[3]", "expected a string"),
    ],
)
def test_what_is_no_list_of_cedar_files_is_a_fault_of_the_key(
    tmp_path: Path, policy: str, what: str
) -> None:
    found = reading(tmp_path, policy)
    assert any(what in line and ":5:" in line for line in told(found))
    assert found.is_valid_except_policy


def test_files_have_a_bound_each_and_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "MAX_POLICIES", 100)
    monkeypatch.setattr(fetch, "MAX_ALL_POLICIES", 150)
    (tmp_path / "a.cedar").write_text(PERMIT * 3)
    found = reading(tmp_path, '["a.cedar"]')
    assert "is larger than" in told(found)[0]
    for name in ("a.cedar", "b.cedar"):
        (tmp_path / name).write_text(PERMIT * 2)
    assert reading(tmp_path, '["a.cedar"]').faults == ()
    assert "in total" in told(reading(tmp_path, '["a.cedar", "b.cedar"]'))[0]


def test_without_the_key_there_are_no_policies(tmp_path: Path) -> None:
    (tmp_path / "answerable.yaml").write_text(FILE.replace("policy: %s\n", ""))
    found = read_policy_files(read_config_file(str(tmp_path / "answerable.yaml")))
    assert (found.policies.rules, found.policies.digest) == ((), "")


def test_a_folder_and_a_file_that_may_not_be_read_are_faults(tmp_path: Path) -> None:
    (tmp_path / "a.cedar").mkdir()
    assert "is a folder" in told(reading(tmp_path, '["a.cedar"]'))[0]
    (tmp_path / "b.cedar").symlink_to("b.cedar")
    assert "b.cedar" in told(reading(tmp_path, '["b.cedar"]'))[0]
