"""The table of what is said is whole: whatever a reader reads stands in it, or decides
for a reason that is written down."""

import ast
import importlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from answerable.gateway.wire.http_heads import FORWARDED_FIELDS
from answerable.server.mcp.call import REF_KEYS, WATCH_KEYS
from answerable.server.mcp.messages import PARAMS_KEYS, TOP_KEYS
from answerable.server.mcp.methods import METHODS
from answerable.server.mcp.request_metadata import META_KEYS
from answerable.server.wire.request_head import SINGLE_FIELDS
from tests.architecture.parsed_modules import parse_module
from tests.laws.self_reported import FIELDS, JUDGED, MEMBERS, TABLE, Where

READERS = (
    "gateway/http",
    "gateway/stdio",
    "gateway/wire",
    "server/authentication",
    "server/mcp",
    "server/wire",
)
SAID = {name for row in TABLE for name in row.names}
SAID_FIELDS = {
    name.lower() for row in TABLE if row.where is Where.FIELD for name in row.names
}


def names_of(struct: type) -> set[str]:
    """Fields of a struct or dataclass."""
    if is_dataclass(struct):
        return {each.name for each in fields(struct)}
    return {each.name for each in msgspec.structs.fields(struct)}


def unjudged(struct: type, judged: dict[str, str]) -> set[str]:
    """Fields that stand in no table, and lines of the table for which there is none."""
    return names_of(struct) ^ judged.keys()


@pytest.mark.parametrize("struct", JUDGED, ids=lambda struct: struct.__name__)
def test_every_field_of_what_is_read_is_judged(struct: type) -> None:
    assert unjudged(struct, JUDGED[struct]) == set()


def test_a_field_that_is_new_is_noticed() -> None:
    class Call(msgspec.Struct):
        method: str
        client_name: str

    assert unjudged(Call, {"method": "the act"}) == {"client_name"}


def test_every_member_that_a_reader_looks_for_stands_in_the_table() -> None:
    looked_for = {
        name
        for known in (TOP_KEYS, PARAMS_KEYS, META_KEYS, REF_KEYS, WATCH_KEYS)
        for name in known.names
    } | {method.key for era in METHODS.values() for method in era.values()}
    assert looked_for - SAID - MEMBERS.keys() - {""} == set()
    known = looked_for | {"type", "protocolVersion"}
    assert MEMBERS.keys() <= known


def looked_up(tree: ast.Module, module: Any) -> Iterator[str]:
    """Names under which a module looks into the fields of a head."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=of, attr="get"), args=[key, *_]):
                pass
            case ast.Subscript(value=of, slice=key):
                pass
            case _:
                continue
        named = of.id if isinstance(of, ast.Name) else getattr(of, "attr", "")
        if named == "fields":
            yield from _spelled(key, module)


def _spelled(key: ast.expr, module: Any) -> Iterator[str]:
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        yield key.value
    elif isinstance(key, ast.Name) and isinstance(
        found := getattr(module, key.id, None), str
    ):
        yield found


def test_every_field_of_a_head_that_is_looked_at_stands_in_the_table(
    root: Path,
) -> None:
    source = root / "src" / "answerable"
    found: dict[str, str] = dict.fromkeys((*SINGLE_FIELDS, *FORWARDED_FIELDS), "head")
    for path in (path for each in READERS for path in (source / each).glob("*.py")):
        inner = path.relative_to(source).with_suffix("")
        module = importlib.import_module("answerable." + ".".join(inner.parts))
        tree = parse_module(path)
        found |= dict.fromkeys(looked_up(tree, module), str(inner))
    assert {"authorization", "origin", "mcp-method", "dpop"} <= found.keys()
    unknown = {n: at for n, at in found.items() if n not in SAID_FIELDS | FIELDS.keys()}
    assert unknown == {}


def test_a_field_that_is_newly_looked_at_is_noticed() -> None:
    planted = ast.parse('x = head.fields.get("x-agent", "")\ny = fields["x-role"]\n')
    assert list(looked_up(planted, None)) == ["x-agent", "x-role"]


def test_nothing_stands_in_the_table_twice() -> None:
    said = [(row.where, name) for row in TABLE for name in row.names]
    assert len(said) == len(set(said))
    assert len({row.what for row in TABLE}) == len(TABLE)
    assert not SAID_FIELDS & FIELDS.keys()


THREATS = (
    "session names",
    "user agents",
    "tags it may set",
    "descriptions of its tools",
)
ROWS = (
    "RoleSessionName",
    "user agent",
    "session and request tags",
    "tool descriptions",
    "annotations",
    "clientInfo",
    "baggage",
    "host-passed prompts",
    "DPoP jti",
)


def test_what_the_threat_model_calls_self_reported_is_varied(root: Path) -> None:
    page = (root / "docs" / "threat-model.md").read_text(encoding="utf-8")
    assert all(each in page for each in THREATS)
    assert {row.what for row in TABLE}.issuperset(ROWS)
