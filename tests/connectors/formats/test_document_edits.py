"""Edits of client files: the edited member changes, every other byte stays."""

import pytest

from answerable.connectors.formats.document_edits import (
    AddMember,
    AppendItem,
    Edit,
    RemoveChild,
    ReplaceMember,
    edit_document,
)
from answerable.connectors.formats.document_parser import DocumentFormat
from answerable.model.errors import ParseError

JSON, YAML, TOML = DocumentFormat.JSON, DocumentFormat.YAML, DocumentFormat.TOML
COMMAND = (("command", "gw"), ("args", ["a", "b"]))


def edited(text: str, form: DocumentFormat, *edits: Edit) -> str:
    return edit_document(text.encode(), form, edits).decode()


CASES = {
    "json": (
        '{\n\t// mine\n\t"s": {\n\t\t"url": "u", /* why */\n\t\t"x": 1,\n\t},\n}\n',
        JSON,
        ReplaceMember(("s", "url"), COMMAND),
        '{\n\t// mine\n\t"s": {\n\t\t"command": "gw",\n\t\t"args": ["a", "b"], /* why */\n\t\t"x": 1,\n\t},\n}\n',
    ),
    "json on one line": (
        '{"s":{"command" : "c"}}',
        JSON,
        ReplaceMember(("s", "command"), COMMAND),
        '{"s":{"command" : "gw", "args": ["a", "b"]}}',
    ),
    "json with a byte order mark and CRLF": (
        '\ufeff{\r\n  "s": {\r\n    "url": "é"\r\n  }\r\n}',
        JSON,
        ReplaceMember(("s", "url"), COMMAND),
        '\ufeff{\r\n  "s": {\r\n    "command": "gw",\r\n    "args": ["a", "b"]\r\n  }\r\n}',
    ),
    "json: a key in an empty object": (
        "{\n}\n",
        JSON,
        AddMember((), "h", [1]),
        '{\n  "h": [1]\n}\n',
    ),
    "json: a key after a comment": (
        '{\n  "a": 1 // last\n}\n',
        JSON,
        AddMember((), "h", True),
        '{\n  "a": 1,\n  "h": true // last\n}\n',
    ),
    "json: an item": ('{"a": [1,2]}', JSON, AppendItem(("a",), 3), '{"a": [1,2,3]}'),
    "yaml": (
        "# top\next:\n  s:\n    cmd: npx  # why\n    args:\n      - -y\n      - x\n\n  t: {}\n",
        YAML,
        ReplaceMember(("ext", "s", "args"), (("args", ["gateway", "--"]),)),
        '# top\next:\n  s:\n    cmd: npx  # why\n    args: [gateway, "--"]\n\n  t: {}\n',
    ),
    "yaml: first key of a list item": (
        "s:\n- url: u # why\n  name: n\n",
        YAML,
        ReplaceMember(("s", "0", "url"), COMMAND),
        "s:\n- command: gw\n  args: [a, b] # why\n  name: n\n",
    ),
    "yaml: a key before a comment": (
        "servers:\n  a: {}\n# agents follow\nagents:\n",
        YAML,
        AddMember(("servers",), "b", {"hook": "x"}),
        "servers:\n  a: {}\n  b: {hook: x}\n# agents follow\nagents:\n",
    ),
    "yaml: an item of a block": (
        "a:\n  - 'x' # one\nb: 1\n",
        YAML,
        AppendItem(("a",), {"stdio": "files"}),
        "a:\n  - 'x'\n  - {stdio: files} # one\nb: 1\n",
    ),
    "yaml: a list at the column of its key": (
        "s:\n  args:\n  - -m\n  cmd: x\n",
        YAML,
        ReplaceMember(("s", "args"), (("args", ["a"]),)),
        "s:\n  args: [a]\n  cmd: x\n",
    ),
    "json: a member removed": (
        '{\n  "a": 1,\n  "b": 2 // why\n}\n',
        JSON,
        RemoveChild(("b",)),
        '{\n  "a": 1 // why\n}\n',
    ),
    "json: the only member removed": (
        '{\n  "a": 1\n}',
        JSON,
        RemoveChild(("a",)),
        "{}",
    ),
    "toml": (
        'x = 1 # n\n[mcp.s]\ncommand = "npx" # "why" # it\nargs = [\n  "-y", # y\n]\n\n[mcp.s.env]\nT = "t"\n[z]\n',
        TOML,
        ReplaceMember(("mcp", "s", "args"), (("args", ["a"]),)),
        'x = 1 # n\n[mcp.s]\ncommand = "npx" # "why" # it\nargs = ["a"]\n\n[mcp.s.env]\nT = "t"\n[z]\n',
    ),
    "toml before a comment": (
        '[mcp."s p"]\nurl = "u#1" # why\nenv = { A = "a" }\n',
        TOML,
        ReplaceMember(("mcp", "s p", "url"), COMMAND),
        '[mcp."s p"]\ncommand = "gw"\nargs = ["a", "b"] # why\nenv = { A = "a" }\n',
    ),
    "toml: in an inline table": (
        '[mcp.s]\nenv = { A = "a", "B-c" = "b" }\n',
        TOML,
        ReplaceMember(("mcp", "s", "env", "A"), (("A", "z"),)),
        '[mcp.s]\nenv = { A = "z", B-c = "b" }\n',
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_only_the_edited_member_changes(name: str) -> None:
    before, form, edit, after = CASES[name]
    assert edited(before, form, edit) == after


def test_an_edit_of_an_anchor_that_is_used_twice_is_refused() -> None:
    text = "a: &x\n  url: u\nb: *x\n"
    edit = ReplaceMember(("a", "url"), (("url", "v"),))
    with pytest.raises(ParseError):
        edited(text, YAML, edit)


def test_a_repeated_key_is_refused() -> None:
    with pytest.raises(ParseError, match="repeated"):
        edited('{"a": 1, "a": 2}', JSON, ReplaceMember(("a",), (("a", 3),)))
