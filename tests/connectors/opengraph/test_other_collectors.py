"""Graphs in the forms that OpenHound and KubeHound write them."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.connectors.opengraph.parse import ParsedGraphs
from answerable.model.errors import ParseError
from tests.connectors.github.saved_answers import save
from tests.connectors.opengraph.test_opengraph import read, run
from tests.estate.four_platforms import _build_organization

CLUSTER = "prod"
GUID = "8c6e6e3c-8d0a-5c6e-9f4e-0d6f3a0f7a0"
SEEN = "2026-11-29T10:00:00+00:00"


def build_subject(number: int, kind: str, name: str, namespace: str | None) -> Any:
    """Build a node as OpenHound's collector for Kubernetes writes it."""
    return {
        "id": f"{GUID}{number}",
        "kinds": [f"K8s_{kind}"],
        "properties": {
            "name": name.upper(),
            "displayname": name,
            "environmentid": f"{GUID}0",
            "last_seen": SEEN,
            "namespace": namespace,
            "cluster": CLUSTER,
            "uid": None,
            "resource_kind": kind,
            "labels": ["app=web"],
        },
    }


def build_path(kind: str, **properties: object) -> Any:
    """Build an end that is named by its properties."""
    matchers = [
        {"key": key, "value": value, "operator": "equals"}
        for key, value in properties.items()
    ]
    return {"kind": kind, "property_matchers": matchers, "match_by": "property"}


def build_edge(kind: str, start: Any, end: Any) -> Any:
    """Build an edge; a number names a node by its id."""
    ends = [
        {"match_by": "id", "value": f"{GUID}{each}"} if isinstance(each, int) else each
        for each in (start, end)
    ]
    flags = {"composed": False, "traversable": False}
    return {"kind": kind, "start": ends[0], "end": ends[1], "properties": flags}


ACCOUNTS = {
    "graph": {
        "nodes": [
            build_subject(1, "ServiceAccount", "reports", "apps"),
            build_subject(2, "Group", "system:serviceaccounts", None),
        ],
        "edges": [
            build_edge(
                "K8s_MemberOf",
                1,
                build_path("K8s_Group", name="SYSTEM:SERVICEACCOUNTS", cluster=CLUSTER),
            ),
            build_edge(
                "K8s_BelongsTo",
                1,
                build_path("K8s_Namespace", name="APPS", cluster=CLUSTER),
            ),
        ],
    },
    "metadata": {"source_kind": "KubernetesBase"},
}
PODS = {
    "graph": {
        "nodes": [build_subject(3, "Pod", "web-0", "apps")],
        "edges": [build_edge("K8s_RunsAs", 3, 1)],
    },
    "metadata": {"source_kind": "KubernetesBase"},
}


def typed(kind: str, value: object) -> Any:
    """Build a typed value of GraphSON 3.0."""
    return {"@type": f"g:{kind}", "@value": value}


def build_vertex(
    number: int, label: str, edges: Any, **properties: str | bool | list[str]
) -> Any:
    """Build a line of KubeHound's graph, with one vertex."""
    listed = {
        key: [
            {"id": typed("Int64", 9), "value": each}
            for each in (value if isinstance(value, list) else [value])
        ]
        for key, value in {**properties, "cluster": CLUSTER, "runID": "01"}.items()
    }
    outgoing = {
        name: [
            {
                "id": typed("Int64", 50 + target),
                "inV": typed("Int64", target),
                "properties": {"runID": "01"},
            }
        ]
        for name, target in edges.items()
    }
    return {
        "id": typed("Int64", number),
        "label": label,
        "outE": outgoing,
        "properties": listed,
    }


VERTICES = (
    build_vertex(
        1,
        "Identity",
        {"PERMISSION_DISCOVER": 2},
        name="reports",
        type="ServiceAccount",
        namespace="apps",
        isNamespaced=True,
    ),
    build_vertex(
        2,
        "PermissionSet",
        {"POD_CREATE": 3},
        name="pod-maker::pod-makers",
        rules=["API()::R(pods)::N()::V(create)", "API()::R(pods)::N()::V(get)"],
    ),
    build_vertex(3, "Node", {}, name="node-1"),
)
KUBEHOUND = "".join(f"{json.dumps(each)}\n" for each in VERTICES)


def write_parts(folder: Path) -> Path:
    """Write the parts of a graph as OpenHound does."""
    folder.mkdir()
    for name, part in (("service_accounts-1", ACCOUNTS), ("pods-1", PODS)):
        (folder / f"{name}.json").write_text(json.dumps(part))
    return folder


def test_parts_of_openhound_are_one_graph(tmp_path: Path) -> None:
    folder = write_parts(tmp_path / "graph")
    store = tmp_path / "store"
    assert run(store, "scan", f"opengraph:{folder}").exit_code == 0
    account = "k8s:prod/apps/serviceaccount/reports"
    rows = json.loads(run(store, "show", account).stdout)["items"]
    found = {each["relation"]: each for each in rows}
    assert found["K8s_MemberOf to"]["value"] == "k8s:prod/group/system:serviceaccounts"
    assert found["K8s_BelongsTo to"]["value"] == "K8s_Namespace name=APPS, cluster=prod"
    assert found["K8s_RunsAs from"]["status"] == "declared"
    run(store, "export", "--to", "opengraph", str(tmp_path / "out"))
    (exported,) = (tmp_path / "out").glob("1-*.opengraph.json")
    graph = json.loads(exported.read_text())
    assert graph["metadata"] == ACCOUNTS["metadata"]
    for name in ("nodes", "edges"):
        parts = [*PODS["graph"][name], *ACCOUNTS["graph"][name]]  # in order of names
        assert graph["graph"][name] == parts


def test_a_part_that_is_no_graph_is_named_and_the_others_are_read(
    tmp_path: Path,
) -> None:
    folder = write_parts(tmp_path / "graph")
    (folder / "notes.json").write_text('{"todo": []}')
    result = run(tmp_path / "store", "scan", f"opengraph:{folder}")
    assert result.exit_code == 3
    assert "notes.json" in result.output
    items = json.loads(run(tmp_path / "store", "identities").stdout)["items"]
    assert "k8s:prod/apps/serviceaccount/reports" in {each["id"] for each in items}


def test_two_nodes_of_the_same_properties_are_none(tmp_path: Path) -> None:
    part = json.loads(json.dumps(ACCOUNTS))
    twin = build_subject(4, "Group", "system:serviceaccounts", None)
    twin["properties"]["displayname"] = "other"
    part["graph"]["nodes"].append(twin)
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(part))
    store = tmp_path / "store"
    assert run(store, "scan", f"opengraph:{path}").exit_code == 0
    account = "k8s:prod/apps/serviceaccount/reports"
    rows = json.loads(run(store, "show", account).stdout)["items"]
    (member,) = (each for each in rows if each["relation"] == "K8s_MemberOf to")
    assert member["value"].startswith("K8s_Group name=SYSTEM:SERVICEACCOUNTS")


def test_an_edge_of_openhound_that_our_evaluation_contradicts_has_both_words(
    tmp_path: Path,
) -> None:
    """Its collector of GitHub reads protection rules and no rulesets."""
    environment = {"environment_name": "acme", "environmentid": "O_1"}
    graph = {
        "graph": {
            "nodes": [
                {
                    "id": "U_1",
                    "kinds": ["GH_User"],
                    "properties": {"login": "eve", "name": "eve", **environment},
                },
                {
                    "id": "B_1",
                    "kinds": ["GH_Branch"],
                    "properties": {
                        "name": "web/main",
                        "short_name": "main",
                        "repository_name": "web",
                        **environment,
                    },
                },
            ],
            "edges": [
                {
                    "kind": "GH_CanWriteBranch",
                    "start": {"match_by": "id", "value": "U_1"},
                    "end": {"match_by": "id", "value": "B_1"},
                    "properties": {"composed": True, "traversable": True},
                }
            ],
        },
        "metadata": {"source_kind": "GitHub"},
    }
    save(tmp_path / "github", _build_organization(()))
    path = tmp_path / "computed-1.json"
    path.write_text(json.dumps(graph))
    store = tmp_path / "store"
    sources = (f"github:{tmp_path / 'github'}", f"opengraph:{path}")
    assert run(store, "scan", *sources).exit_code == 0
    rows = json.loads(run(store, "show", "github:user/eve").stdout)["items"]
    (row,) = (each for each in rows if each["relation"] == "GH_CanWriteBranch to")
    assert row["detail"] == "declared by GitHub; our verdict on push: never"


def test_a_graph_of_kubehound_comes_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "kubehound.json"
    path.write_text(KUBEHOUND)
    store = tmp_path / "store"
    assert run(store, "scan", f"opengraph:{path}").exit_code == 0
    account = "k8s:prod/apps/serviceaccount/reports"
    rows = json.loads(run(store, "show", account).stdout)["items"]
    (row,) = (each for each in rows if each["relation"] == "PERMISSION_DISCOVER to")
    assert (row["value"], row["status"]) == ("graph:kubehound/2", "declared")
    run(store, "export", "--to", "opengraph", str(tmp_path / "out"))
    (exported,) = (tmp_path / "out").glob("1-*.opengraph.json")
    graph = read(exported.read_bytes())[0]
    assert graph == read(KUBEHOUND.encode())[0]
    rules = graph.nodes[1].properties["rules"]
    assert rules == [
        "API()::R(pods)::N()::V(create)",
        "API()::R(pods)::N()::V(get)",
    ]
    assert [each.kind for each in graph.edges] == ["PERMISSION_DISCOVER", "POD_CREATE"]


def test_a_line_that_is_no_vertex_is_a_problem() -> None:
    data = f'{KUBEHOUND}{{"label": 3}}\nnonsense\n'.encode()
    graph, _, problems = read(data)
    assert len(graph.nodes) == 3
    assert [each.what for each in problems] == ["not a vertex (2 times)"]


@pytest.mark.parametrize(
    "end",
    [
        {"match_by": "property", "property_matchers": []},
        {"match_by": "id"},
        {"match_by": "property", "property_matchers": [{"key": "a"}]},
    ],
)
def test_an_end_that_names_no_node_is_a_problem(end: Any) -> None:
    edge = {"kind": "X", "start": end, "end": {"value": "b"}}
    graph, _, problems = read({"graph": {"nodes": [], "edges": [edge]}})
    assert graph.edges == ()
    assert problems[0].what in (
        "not an edge",
        "an edge without the id of its start or end node",
    )


def test_a_secret_in_a_matcher_is_not_kept() -> None:
    token = "ghp_" + "Q7canary9Zx2" * 3
    edge = {
        "kind": "X",
        "start": build_path("A", token=token),
        "end": {"value": "b"},
    }
    graph, _, _ = read({"graph": {"nodes": [], "edges": [edge]}})
    assert token not in str(graph)


def test_other_lines_of_json_are_no_graph() -> None:
    with pytest.raises(ParseError):
        ParsedGraphs().read(b'{"label": "Other", "id": 1}\n', "x.json")
