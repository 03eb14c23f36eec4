"""Graphs of other collectors: kept as their word, shown with our verdict, exported again."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from answerable.cli.app import app
from answerable.cli.main import main
from answerable.connectors.opengraph.parse import ParsedGraphs
from answerable.model.errors import AnswerableError, ParseError
from answerable.model.foreign_graph import ForeignGraph

CANARY = "ghp_" + "Q7canary9Zx2" * 3
ORGANIZATION = {
    "id": "O_1",
    "kinds": ["GH_Organization"],
    "properties": {"login": "Acme"},
}
ANA = {"id": "U_1", "kinds": ["GH_User"], "properties": {"login": "Ana", "name": "Ana"}}
SHOP = {
    "id": "R_1",
    "kinds": ["GH_Repository"],
    "properties": {"name": "shop", "environment_name": "Acme", "private": True},
}
MAIN = {
    "id": "B_1",
    "kinds": ["GH_Branch"],
    "properties": {
        "short_name": "main",
        "repository_name": "shop",
        "environment_name": "Acme",
    },
}
VAULT = {
    "id": "op/vault",
    "kinds": ["OP_ServiceAccount", "OP_Base"],
    "properties": {"displayname": "ci", "tags": ["a", "b"], "uses": 3, "share": 0.5},
}
WRITES = {
    "kind": "GH_CanWriteBranch",
    "start": {"value": "U_1", "match_by": "id"},
    "end": {"value": "B_1", "match_by": "id"},
    "properties": {"reason": "role"},
}
BY_NAME = {
    "kind": "SyncsTo",
    "start": {"value": "op/vault", "match_by": "id"},
    "end": {"value": "ana@acme.example", "match_by": "name", "kind": "Okta_User"},
    "properties": {},
}
GRAPH = {
    "metadata": {"source_kind": "GitHub"},
    "graph": {
        "nodes": [ORGANIZATION, ANA, SHOP, MAIN, VAULT],
        "edges": [WRITES, BY_NAME],
    },
}
AZURE = {
    "data": [
        {"kind": "AZTenant", "data": {"id": "/tenants/t", "tenantId": "t"}},
        {
            "kind": "AZServicePrincipal",
            "data": {"id": "sp1", "appId": "app1", "displayName": "robot"},
        },
        {
            "kind": "AZUser",
            "data": {"id": "u1", "displayName": "Ana", "assignedPlans": [{"a": 1}]},
        },
        {
            "kind": "AZAppOwner",
            "data": {
                "appId": "app1",
                "owners": [{"appId": "app1", "owner": {"id": "u1"}}],
            },
        },
        {"kind": "AZGroupMember", "data": {"groupId": "g1", "members": None}},
        {
            "kind": "AZVMRoleAssignment",
            "data": {
                "objectId": "/subscriptions/s/vm",
                "assignees": [
                    {
                        "objectId": "/subscriptions/s/vm",
                        "roleDefinitionId": "owner",
                        "assignee": {
                            "properties": {"principalId": "sp1", "scope": "/"}
                        },
                    }
                ],
            },
        },
        {
            "kind": "AZAppRoleAssignment",
            "data": {"principalId": "sp1", "resourceId": "graph", "appRoleId": "r"},
        },
    ],
    "meta": {"type": "azure", "version": 6, "count": 7},
}


def read(content: object) -> tuple[ForeignGraph, Any, Any]:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    parsed = ParsedGraphs()
    parsed.read(data, "g.json")
    facts, problems = parsed.build_facts("opengraph:g.json", 1), tuple(parsed.problems)
    graph = msgspec.json.decode(facts.catalogues[0].body, type=ForeignGraph)
    return graph, facts, problems


def run(store: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--store", str(store), "-o", "json", *words])


def scan(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(content))
    result = run(tmp_path / "store", "scan", f"opengraph:{path}")
    assert result.exit_code == 0, result.output
    return tmp_path / "store"


def test_a_cut_file_is_one_error_with_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "graph.json"
    path.write_text('{"graph": {"nodes": [')
    assert main(["--store", str(tmp_path / "s"), "scan", f"opengraph:{path}"]) == 3
    error, hint = capsys.readouterr().err.splitlines()[-2:]
    assert error.startswith("error: ")
    assert hint == "hint: docs/opengraph.md lists the supported exports"


@pytest.mark.parametrize("content", [GRAPH, AZURE], ids=["opengraph", "azurehound"])
def test_a_graph_comes_back_the_same(content: dict[str, Any], tmp_path: Path) -> None:
    store = scan(tmp_path, content)
    assert (
        run(store, "export", "--to", "opengraph", str(tmp_path / "out")).exit_code == 0
    )
    [exported] = (tmp_path / "out").glob("1-*.opengraph.json")
    assert read(exported.read_bytes())[0] == read(content)[0]
    if content is GRAPH:
        assert json.loads(exported.read_text()) == content


def test_an_end_without_match_by_is_named_by_its_id() -> None:
    graph = {**GRAPH["graph"], "edges": [{**WRITES, "start": {"value": "U_1"}}]}
    named = {**GRAPH["graph"], "edges": [WRITES]}
    assert read({"graph": graph})[0] == read({"graph": named})[0]


def test_principals_have_the_id_of_the_platform_or_of_the_graph() -> None:
    _, facts, problems = read(GRAPH)
    assert problems == ()
    assert {(each.id, each.kind) for each in facts.identities} == {
        ("github:user/ana", "GH_User"),
        ("graph:github/op/vault", "OP_ServiceAccount"),
    }


def test_an_arn_is_the_id() -> None:
    arn = "arn:aws:iam::111122223333:user/ana"
    node = {"id": "x", "kinds": ["AWSUser"], "properties": {"arn": arn}}
    _, facts, _ = read({"graph": {"nodes": [node]}})
    assert [each.id for each in facts.identities] == [arn]


def test_azurehound_relations_are_edges() -> None:
    graph, facts, problems = read(AZURE)
    assert problems == ()
    assert {(e.kind, e.start.value, e.end.value) for e in graph.edges} == {
        ("AZAppOwner", "u1", "app1"),
        ("AZVMRoleAssignment", "sp1", "/subscriptions/s/vm"),
        ("AZAppRoleAssignment", "sp1", "graph"),
    }
    assert {each.id for each in facts.identities} == {
        "graph:azurehound/sp1",
        "graph:azurehound/u1",
    }


def test_a_computed_edge_is_shown_with_both_words(tmp_path: Path) -> None:
    store = scan(tmp_path, GRAPH)
    rows = json.loads(run(store, "show", "github:user/ana").stdout)["items"]
    [row] = [each for each in rows if each["relation"] == "GH_CanWriteBranch to"]
    assert row["value"] == "github:acme/repo/shop/branch/main"
    assert row["status"] == "declared"
    assert row["detail"] == "declared by GitHub; our verdict on push: not-known"


def test_a_declared_edge_is_no_permission_of_ours(tmp_path: Path) -> None:
    store = scan(tmp_path, GRAPH)
    result = run(store, "reach", "github:user/ana")
    assert {e["verdict"] for e in json.loads(result.stdout)["items"]} == {"not-known"}


def test_an_address_in_an_id_is_no_password() -> None:
    ids = ("user:ana@corp.example", "group:sre@corp.example", "user:ben@corp.example")
    nodes = [{"id": each, "kinds": ["AnswerableIdentity"]} for each in ids]
    edge = {**WRITES, "start": {"value": ids[0]}, "end": {"value": ids[1]}}
    graph = read({"graph": {"nodes": nodes, "edges": [edge]}})[0]
    assert tuple(each.id for each in graph.nodes) == ids
    assert (graph.edges[0].start.value, graph.edges[0].end.value) == ids[:2]
    hidden = {"id": f"user:{CANARY}@corp.example", "kinds": ["AnswerableIdentity"]}
    assert CANARY not in repr(read({"graph": {"nodes": [hidden], "edges": []}}))


def test_no_secret_of_a_graph_is_kept(tmp_path: Path) -> None:
    properties = {
        "note": f"token {CANARY} of ci",
        "password": "qZ8#kkL0vP2mW9xT4sR7",
        "lines": [f"export GH={CANARY}"],
    }
    node = {"id": "n", "kinds": ["Some_Token"], "properties": properties}
    edge = {**WRITES, "properties": {"reason": CANARY}}
    store = scan(tmp_path, {"graph": {"nodes": [node], "edges": [edge]}})
    run(store, "export", "--to", "opengraph", str(tmp_path / "out"))
    (tmp_path / "graph.json").unlink()
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    held = b"".join(each.read_bytes() for each in files)
    assert CANARY.encode() not in held
    assert b"qZ8#kkL0vP2mW9xT4sR7" not in held
    assert CANARY not in run(store, "show", "graph:opengraph/n").output


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"graph": {"nodes": [7, {"id": "a"}, ANA]}}, "not a node (2 times)"),
        ({"graph": {"nodes": [{"id": "", "kinds": ["A"]}]}}, "a node without an id"),
        ({"graph": {"edges": [{"kind": "A"}]}}, "not an edge"),
        (
            {"graph": {"nodes": [{**ANA, "properties": {"a": {"b": 1}}}]}},
            "a property whose value is an object was ignored",
        ),
        (
            {
                "data": [{"kind": "AZKeyVaultAccessPolicy", "data": {}}],
                "meta": {"type": "azure"},
            },
            "records of kind AZKeyVaultAccessPolicy are not supported",
        ),
        (
            {
                "data": [{"kind": "AZAppOwner", "data": {"owners": [1]}}],
                "meta": {"type": "azure"},
            },
            "a AZAppOwner has no start or no end node",
        ),
    ],
)
def test_what_is_not_read_is_named(content: dict[str, Any], reason: str) -> None:
    _, _, problems = read(content)
    assert len(problems) == 1
    assert problems[0].what.startswith(reason)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"data": []}', b'{"graph": 1}'])
def test_another_file_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        ParsedGraphs().read(data, "g.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=3), st.sampled_from(["nodes", "edges"]))
def test_any_json_is_a_graph_with_problems_or_one_error(
    items: list[Any], name: str
) -> None:
    azure = {"data": items, "meta": {"type": "azure"}}
    for content in ({"graph": {name: items}}, azure):
        try:
            _, _, problems = read(content)
        except AnswerableError:
            continue
        assert len(problems) <= len(items)
