"""Cedar policies of a gateway that runs."""

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.serve.running_gateway import (
    Backend,
    Serving,
    call,
    configuration,
    serving,
)
from tests.gateway.serve.test_serve import DENIED, code, text

SLOW = 'action == Action::"tools/call", resource == Tool::"tool:mcp/files/slow"'
SMALL = f"""\
@id("small") permit (principal == Agent::"agent:declared/ana",
  action == Action::"tools/call", resource == Tool::"tool:mcp/files/write")
when {{ context.arguments.amount < 100 }};
@id("never") forbid (principal, {SLOW});
@ask @id("large") forbid (principal, action == Action::"tools/call",
  resource == Tool::"tool:mcp/files/read")
when {{ context.arguments has amount && context.arguments.amount + 1 > 1000 }};
"""


def settings(server: Backend, **more: Any) -> dict[str, Any]:
    return configuration(server.server_port, policy=["policies/*.cedar"], **more)


def write(folder: Path, policies: str, name: str = "a.cedar") -> None:
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / name).write_text(policies)


def effect(answer: Any) -> str:
    assert code(answer) == DENIED
    return str(answer["error"]["data"]["decision"])


@pytest.fixture(scope="module")
def _stands(
    tmp_path_factory: pytest.TempPathFactory, server: Backend
) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("standing")
    write(folder, SMALL)
    asked = settings(server)
    asked["listen"]["workers"] = 2
    with serving(folder, asked) as served:
        yield served


@pytest.fixture
def standing(_stands: Serving, server: Backend) -> Serving:
    """A gateway of two workers, with the policies that it started with."""
    kept = {"a.cedar": SMALL}
    held = {each.name: each for each in (_stands.folder / "policies").iterdir()}
    if {name: place.read_text() for name, place in held.items()} != kept:
        for place in held.values():
            place.unlink()
        write(_stands.folder, SMALL)
        _stands.reload()
    server.calls.clear()
    return _stands


def test_policies_hold_in_every_worker_beside_the_rules_of_the_file(
    standing: Serving, server: Backend
) -> None:
    assert text(standing.call("write", arguments={"amount": 5})) == "write"
    for given in ({"amount": 500}, {"amount": 50}):
        assert effect(standing.call("write", "ben", arguments=given)) == "deny"
    assert effect(standing.call("write", arguments={"amount": 500})) == "deny"
    for given in ({}, {"amount": "5"}, {"amount": 5.5}):
        assert effect(standing.call("write", arguments=given)) == "error"
    assert effect(standing.call("slow", arguments={"seconds": 0})) == "deny"
    assert text(standing.call("read")) == "read"
    assert effect(standing.call("read", arguments={"amount": 1000})) == "ask"
    assert server.calls.count("write") == 1
    assert "slow" not in server.calls


def test_a_policy_that_changed_holds_from_the_next_call_and_a_wrong_one_never(
    standing: Serving,
) -> None:
    folder = standing.folder
    assert effect(standing.call("write", arguments={"amount": 500})) == "deny"
    write(folder, SMALL.replace("< 100 ", "< 1000 "))
    standing.reload()
    taken = standing.hear("config.taken")
    assert taken["digest"] == standing.hear("policy.taken")["digest"]
    assert text(standing.call("write", arguments={"amount": 500})) == "write"
    write(folder, SMALL.replace("amount <", "amount like"))
    write(folder, "permit (principal, action, resource)", "b.cedar")
    standing.reload()
    faults = standing.hear("config.refused")["faults"]
    assert [fault.partition(": ")[0] for fault in faults] == [
        *("policies/a.cedar:1:1", "policies/b.cedar:1:1")
    ]
    assert "policy[small]" in faults[0]
    assert standing.get("/readyz")[0] == 200
    assert text(standing.call("write", arguments={"amount": 500})) == "write"


def test_a_reload_of_many_policies_drops_no_call(standing: Serving) -> None:
    many = "\n".join(
        f'@id("r{n}") permit (principal == Agent::"agent:declared/ana", action == '
        f'Action::"tools/call", resource == Tool::"tool:mcp/files/t{n}") '
        f"when {{ context.arguments.amount + 1 < {n} }};"
        for n in range(400)
    )
    write(standing.folder, many)
    standing.reload()
    answers: list[object] = []
    reloaded = threading.Event()

    def calling() -> None:
        connection = http.client.HTTPConnection(standing.gateway, timeout=60)
        while not reloaded.is_set():
            answers.append(call(connection, "t9", arguments={"amount": 1}))
        connection.close()

    thread = threading.Thread(target=calling)
    thread.start()
    for number in range(2):
        write(standing.folder, many.replace("< 300 ", f"< 30{number} "))
        standing.reload()
    reloaded.set()
    thread.join()
    assert {text(each) for each in answers} == {"t9"}


def test_a_gateway_that_starts_with_a_wrong_policy_denies_until_it_is_right(
    tmp_path: Path, server: Backend
) -> None:
    write(tmp_path, "permit (principal, action, resource)")
    with serving(tmp_path, settings(server)) as served:
        (fault,) = served.hear("policy.missing")["faults"]
        assert fault.startswith("policies/a.cedar:1:1: policy[policy0]: ")
        assert effect(served.call("read")) == "error"
        assert served.get("/readyz")[0] == 503
        write(tmp_path, SMALL)
        served.reload()
        assert text(served.call("read")) == "read"
        assert served.get("/readyz")[0] == 200
