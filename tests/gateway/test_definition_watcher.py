"""A list that the gateway asks for is read to its end, whatever its server was shown."""

import json
from types import SimpleNamespace
from typing import Any

from answerable.gateway.definition_watcher import _DefinitionFetch
from answerable.gateway.upstream_credentials.leak_filter import NO_SECRETS
from answerable.model.definition_pin import DefinitionKind

TOOL = {"name": "read", "inputSchema": {"type": "object"}}


def learned(secret: str, *tools: dict[str, Any]) -> list[str]:
    """The names that are learned of a server that was shown a secret."""
    sent: Any = SimpleNamespace(
        shown=SimpleNamespace(leaks=NO_SECRETS.with_secret(secret)),
        call=SimpleNamespace(server="files"),
    )
    found: list[str] = []
    asking = _DefinitionFetch(
        None,  # type: ignore[arg-type]  # nothing is asked
        sent,
        DefinitionKind.TOOL,
        lambda _, each: found.extend(name for name, _ in each.items),
    )
    asking._id = "ours"
    answer = {"jsonrpc": "2.0", "id": "ours", "result": {"tools": list(tools)}}
    for byte in json.dumps(answer).encode():
        asking.on_data(bytes([byte]))
    asking.on_end()
    return found


def test_an_end_that_could_begin_the_secret_is_part_of_the_list() -> None:
    # A list ends as this secret begins.
    assert learned('"}]}}-secret-31f0', TOOL) == ["read"]
    assert learned("}secret-77aa02", TOOL) == ["read"]


def test_a_list_with_the_secret_in_it_is_not_learned_from() -> None:
    assert learned("secret-77aa02", TOOL | {"title": "secret-77aa02"}) == []
