"""Cedar policies of a gateway that runs."""

import http.client
import threading
from pathlib import Path
from typing import Any

from tests.gateway.serve.stage import Backend, call, configuration, serving
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


def test_policies_hold_in_every_worker_beside_the_rules_of_the_file(
    tmp_path: Path, server: Backend
) -> None:
    write(tmp_path, SMALL)
    asked = settings(server)
    asked["listen"]["workers"] = 2
    with serving(tmp_path, asked) as served:
        assert text(served.call("write", arguments={"amount": 5})) == "write"
        for given in ({"amount": 500}, {"amount": 50}):
            assert effect(served.call("write", "ben", arguments=given)) == "deny"
        assert effect(served.call("write", arguments={"amount": 500})) == "deny"
        for given in ({}, {"amount": "5"}, {"amount": 5.5}):
            assert effect(served.call("write", arguments=given)) == "error"
        assert effect(served.call("slow", arguments={"seconds": 0})) == "deny"
        assert text(served.call("read")) == "read"
        assert effect(served.call("read", arguments={"amount": 1000})) == "ask"
    assert server.calls.count("write") == 1
    assert "slow" not in server.calls


def test_a_policy_that_changed_holds_from_the_next_call_and_a_wrong_one_never(
    tmp_path: Path, server: Backend
) -> None:
    write(tmp_path, SMALL)
    with serving(tmp_path, settings(server)) as served:
        assert effect(served.call("write", arguments={"amount": 500})) == "deny"
        write(tmp_path, SMALL.replace("< 100 ", "< 1000 "))
        served.reload()
        taken = served.hear("config.taken")
        assert taken["digest"] == served.hear("policy.taken")["digest"]
        assert text(served.call("write", arguments={"amount": 500})) == "write"
        write(tmp_path, SMALL.replace("amount <", "amount like"))
        write(tmp_path, "permit (principal, action, resource)", "b.cedar")
        served.reload()
        faults = served.hear("config.refused")["faults"]
        assert [fault.partition(": ")[0] for fault in faults] == [
            *("policies/a.cedar:1:1", "policies/b.cedar:1:1")
        ]
        assert "policy[small]" in faults[0]
        assert served.get("/readyz")[0] == 200
        assert text(served.call("write", arguments={"amount": 500})) == "write"


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


def test_a_reload_of_many_policies_drops_no_call(
    tmp_path: Path, server: Backend
) -> None:
    many = "\n".join(
        f'@id("r{n}") permit (principal == Agent::"agent:declared/ana", action == '
        f'Action::"tools/call", resource == Tool::"tool:mcp/files/t{n}") '
        f"when {{ context.arguments.amount + 1 < {n} }};"
        for n in range(400)
    )
    write(tmp_path, many)
    with serving(tmp_path, settings(server)) as served:
        answers: list[object] = []
        reloaded = threading.Event()

        def calling() -> None:
            connection = http.client.HTTPConnection(served.gateway, timeout=30)
            while not reloaded.is_set():
                answers.append(call(connection, "t9", arguments={"amount": 1}))
            connection.close()

        thread = threading.Thread(target=calling)
        thread.start()
        for number in range(2):
            write(tmp_path, many.replace("< 300 ", f"< 30{number} "))
            served.reload()
        reloaded.set()
        thread.join()
    assert {text(each) for each in answers} == {"t9"}
