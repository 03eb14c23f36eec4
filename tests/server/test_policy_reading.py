"""Policies are held to what persons have approved of tools, wherever they are read."""

import json
from pathlib import Path

import pytest

from answerable.authorization.pins.canonical_definitions import (
    build_canonical_definition,
)
from answerable.connectors.config.fetch import read_config_file
from answerable.connectors.config.parse.config_faults import format_faults
from answerable.model.definition_pin import (
    DefinitionApproval,
    DefinitionKind,
    DefinitionPin,
    ServerPins,
)
from answerable.server import policy_check_pool
from answerable.server.pins.pin_files import PinFiles
from answerable.server.policy_loading import (
    find_approval_faults,
    read_config_and_policies,
)

WORD = DefinitionApproval("person:ana", "s" * 64, 9)
_CONFIG = """\
servers:
  files: {{url: "http://127.0.0.1:1/mcp", pin: "{pin}"}}
policy: [a.cedar]
state: {state}
"""


def _tool(name: str, kind: str) -> DefinitionPin:
    schema = {"type": "object", "properties": {"n": {"type": kind}}, "required": ["n"]}
    raw = json.dumps({"name": name, "inputSchema": schema}).encode()
    return DefinitionPin(
        build_canonical_definition(DefinitionKind.TOOL, name, raw), 1, WORD
    )


def _folder(
    folder: Path, text: str, *pins: DefinitionPin, pin: str = "first-use"
) -> Path:
    state = folder / "state"
    (folder / "a.cedar").write_text(text)
    file = folder / "answerable.yaml"
    file.write_text(_CONFIG.format(pin=pin, state=state))
    items = {each.definition.key: each for each in pins}
    PinFiles(state).change_pins("files", lambda _: ServerPins(items=items))
    return file


def _faults(file: Path) -> list[str]:
    reading = read_config_and_policies(str(file), None, file.parent / "store")
    return format_faults(str(file), reading.faults)


def _policy(name: str, number: int = 5) -> str:
    return (
        f'@id("{name}-{number}") forbid (principal, action == Action::"tools/call", '
        f'resource == Tool::"tool:mcp/files/{name}") '
        f"when {{ context.arguments.n < {number} }};\n"
    )


def test_a_policy_is_held_to_the_arguments_that_a_person_approved(
    tmp_path: Path,
) -> None:
    text = _policy("right") + _policy("wrong") + _policy("unseen")
    pins = _tool("right", "integer"), _tool("wrong", "string")
    (fault,) = _faults(_folder(tmp_path, text, *pins))
    assert "a.cedar:2:1: policy[wrong-5]" in fault
    assert "arguments as approved" in fault


@pytest.mark.parametrize("pin", ["first-use", "off"])
def test_a_server_alone_has_no_say_in_which_policies_are_right(
    tmp_path: Path, pin: str
) -> None:
    tool = _tool("wrong", "string")
    seen = DefinitionPin(tool.definition, 1, WORD if pin == "off" else None)
    assert _faults(_folder(tmp_path, _policy("wrong"), seen, pin=pin)) == []


def test_so_is_each_of_a_large_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_check_pool, "BATCH_SIZE", 4)
    monkeypatch.setattr(
        policy_check_pool, "validate_policies", lambda *_: []
    )  # all of them apart
    text = "".join(_policy("wrong", number) for number in range(9))
    faults = _faults(_folder(tmp_path, text, _tool("wrong", "string")))
    assert len(faults) == 9


APPROVED = {
    "nothing so far": (),
    "as it is": (("a", "string"),),
    "another type": (("a", "integer"),),
    "another tool": (("b", "string"),),
    "all is wrong already": (("a", "boolean"), ("b", "string")),
}


@pytest.mark.parametrize("before", APPROVED.values(), ids=APPROVED)
@pytest.mark.parametrize("kind", ["string", "integer"])
@pytest.mark.parametrize("pin", ["first-use", "off"])
def test_what_an_approval_makes_wrong_is_what_is_read_after_it_and_not_before(
    tmp_path: Path, before: tuple[tuple[str, str], ...], kind: str, pin: str
) -> None:
    pins = [_tool(*each) for each in before]
    file = _folder(tmp_path, _policy("a") + _policy("b"), *pins, pin=pin)
    new = _tool("a", kind)
    told = find_approval_faults(
        read_config_file(str(file)), tmp_path / "state", "files", [new.definition]
    )
    was = _faults(file)
    kept = [each for each in pins if each.definition.name != "a"]
    _folder(tmp_path, _policy("a") + _policy("b"), *kept, new, pin=pin)
    assert format_faults(str(file), told) == [x for x in _faults(file) if x not in was]


def test_without_policies_an_approval_makes_nothing_wrong(tmp_path: Path) -> None:
    file = _folder(tmp_path, "")
    file.write_text(file.read_text().replace("policy: [a.cedar]\n", ""))
    definition = _tool("a", "string").definition
    reading, state = read_config_file(str(file)), tmp_path / "state"
    assert find_approval_faults(reading, state, "files", [definition]) == ()
    assert find_approval_faults(reading, state, "others", [definition]) == ()
