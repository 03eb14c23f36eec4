"""Forms of files, completeness of lists, and bad input."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from answerable.connectors.kubernetes import fetch
from answerable.connectors.kubernetes.kinds import KINDS
from answerable.model.errors import UsageError
from answerable.model.sighting import ReadProblemKind
from answerable.reach.kubernetes.catalogue import (
    RbacSubject,
)
from tests.connectors.kubernetes.kubernetes_objects import (
    RBAC,
    binding,
    bootstrap,
    cluster_of,
    listed,
    made,
    manifest,
    pod,
    role,
    scan,
    scan_objects,
    scan_text,
    user,
)

RULE = {
    "verbs": ["get"],
    "apiGroups": [""],
    "resources": ["secrets"],
    "resourceNames": ["one"],
}


# Forms of files.


def objects() -> list[dict[str, Any]]:
    return [role("r", "dev", rules=[RULE]), binding("b", "dev", "r", user("ana"))]


@pytest.mark.parametrize(
    "text",
    [
        listed(*objects()),
        yaml.safe_dump(json.loads(listed(*objects()))),
        "---\n".join(yaml.safe_dump(each) for each in objects()),
        "\n".join(json.dumps(each) for each in objects()),
        json.dumps(objects()[0], indent=4) + "\n" + json.dumps(objects()[1], indent=4),
        listed(objects()[0]) + listed(objects()[1]),
        "# Source: chart/templates/rbac.yaml\n---\n---\n"
        + "---\n# comment\n".join(yaml.safe_dump(each) for each in objects()),
        "\ufeff" + listed(*objects()),
        json.dumps(objects()),
    ],
    ids=[
        "list",
        "yaml-list",
        "yaml",
        "lines",
        "json",
        "lists",
        "chart",
        "bom",
        "array",
    ],
)
def test_every_form_of_file_gives_the_same(tmp_path: Path, text: str) -> None:
    cluster = cluster_of(scan_text(tmp_path, text, "dump.txt"))
    assert cluster.roles[0].rules[0].resource_names == ("one",)
    assert cluster.bindings[0].subjects == (RbacSubject("User", "ana"),)


@pytest.mark.parametrize("dump", [json.dumps, yaml.safe_dump])
def test_a_typed_list_states_the_kind_of_its_items(tmp_path: Path, dump: Any) -> None:
    bare = {
        k: v for k, v in role("r", "dev").items() if k not in ("kind", "apiVersion")
    }
    text = dump({"kind": "RoleList", "apiVersion": RBAC, "items": [bare]})
    assert cluster_of(scan_text(tmp_path, text)).roles[0].name == "r"


def test_a_folder_is_read_with_its_folders(tmp_path: Path) -> None:
    (tmp_path / "dump" / "dev").mkdir(parents=True)
    (tmp_path / "dump" / "a.json").write_text(listed(role("r")))
    (tmp_path / "dump" / "dev" / "b.yml").write_text(yaml.safe_dump(role("s", "dev")))
    (tmp_path / "dump" / "notes.txt").write_text("not read")
    sync = scan(f"{tmp_path}/dump")
    cluster = cluster_of(sync)
    assert (cluster.name, len(cluster.roles)) == ("dump", 2)
    assert [each.place.rpartition("/")[2] for each in sync.probes] == [
        "a.json",
        "b.yml",
    ]


def test_places_name_the_line_or_the_item(tmp_path: Path) -> None:
    text = "# c\n" + yaml.safe_dump(role("r")) + "---\n" + yaml.safe_dump(role("s"))
    cluster = cluster_of(scan_text(tmp_path, text, "m.yaml"))
    assert [each.place.rpartition("m.yaml")[2] for each in cluster.roles] == [
        ":2",
        ":9",
    ]
    cluster = cluster_of(scan_text(tmp_path, listed(role("r"), role("s"))))
    assert cluster.roles[1].place.endswith("dump.json#/items/1")


def test_manifests_without_a_namespace_get_the_stated_one(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump(manifest("ServiceAccount", "a")))
    (found,) = cluster_of(scan(f"{path},namespace=argocd")).service_accounts
    assert found.namespace == "argocd"
    (found,) = cluster_of(scan(str(path))).service_accounts
    assert found.namespace == "default"


def test_names_in_ids_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(listed(binding("b", "", "r", user("https://idp/#ana b"))))
    (identity,) = scan(f"{path},cluster=a/b").facts.identities
    assert identity.id == "k8s:a%2Fb/user/https:%2F%2Fidp%2F#ana%20b"


# Coverage.


def test_a_dump_of_all_namespaces_covers_its_kinds(tmp_path: Path) -> None:
    cluster, sync = scan_objects(
        tmp_path,
        *bootstrap(),
        pod("p", "dev", {"containers": []}),
        pod("q", "kube-system", {"containers": []}),
    )
    assert cluster.collected == (
        "clusterrolebindings",
        "clusterroles",
        "namespaces",
        "pods",
        "rolebindings",
        "roles",
        "serviceaccounts",
    )
    assert cluster.namespaces_collected == ()
    assert set(sync.collected) == {f"k8s-{word}" for word in cluster.collected}
    assert "k8s-secrets" in sync.not_collected
    assert not set(sync.collected) & set(sync.not_collected)


@pytest.mark.parametrize("kind", ["ClusterRoleBinding", "RoleBinding", "ClusterRole"])
def test_a_missing_kind_is_not_collected(tmp_path: Path, kind: str) -> None:
    kept = [each for each in bootstrap() if each["kind"] != kind]
    cluster, sync = scan_objects(tmp_path, *kept)
    word = f"{kind.lower()}s"
    assert word not in cluster.collected
    assert f"k8s-{word}" in sync.not_collected


def test_a_list_of_one_namespace_covers_that_alone(tmp_path: Path) -> None:
    cluster, _ = scan_objects(
        tmp_path,
        binding("b", "dev", "r", user("ana")),
        made("ServiceAccount", "default", "dev"),
    )
    assert cluster.collected == ("rolebindings", "serviceaccounts")
    assert cluster.namespaces_collected == ("dev",)


def test_a_filtered_list_covers_nothing(tmp_path: Path) -> None:
    cluster, _ = scan_objects(
        tmp_path,
        role("mine"),
        binding("mine", "", "mine", user("ana")),
        binding("b", "dev", "r", user("ana")),
        binding("b", "prod", "r", user("ana")),
    )
    assert cluster.collected == ()


def test_manifests_cover_nothing(tmp_path: Path) -> None:
    text = "---\n".join(yaml.safe_dump(each) for each in bootstrap())
    assert cluster_of(scan_text(tmp_path, text, "m.yaml")).collected == ()


def test_an_empty_list_covers_kinds_that_a_cluster_may_lack(tmp_path: Path) -> None:
    (tmp_path / "nodes.json").write_text(listed(made("Node", "n")))
    (tmp_path / "certificatesigningrequests.json").write_text(listed())
    (tmp_path / "agents.kagent.dev.json").write_text(listed())
    (tmp_path / "rolebindings.json").write_text(listed())
    (tmp_path / "pods.json").write_text(listed())
    cluster = cluster_of(scan(str(tmp_path)))
    assert cluster.collected == ("agents", "certificatesigningrequests", "nodes")


def test_lists_per_namespace_that_are_whole_cover_the_cluster(tmp_path: Path) -> None:
    names = [each for each in bootstrap() if each["kind"] == "Namespace"]
    (tmp_path / "namespaces.json").write_text(listed(*names))
    for name in ("default", "kube-system"):
        text = listed(pod("p", name, {"containers": []}))
        (tmp_path / f"{name}.json").write_text(text)
    cluster = cluster_of(scan(str(tmp_path)))
    assert cluster.collected == ("namespaces", "pods")
    assert cluster.namespaces_collected == ()


# Bad input.


def test_an_invalid_object_is_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    broken = binding("bad", "dev", "r")
    broken["subjects"] = "ana"
    cluster, sync = scan_objects(tmp_path, role("r", "dev"), broken)
    (problem,) = sync.problems
    assert problem.kind is ReadProblemKind.INVALID
    assert problem.what.startswith("RoleBinding dev/bad: Expected `array | null`")
    assert problem.place.endswith("#/items/1")
    assert cluster.unread == (f"RoleBinding dev/bad ({problem.place})",)


@pytest.mark.parametrize(
    ("item", "what"),
    [
        ({"kind": "Role", "apiVersion": RBAC, "metadata": {}}, "Role: no name"),
        (
            {"kind": "Role", "apiVersion": RBAC, "metadata": {"name": 5}},
            "Role: Expected `str`",
        ),
        ({"metadata": {"name": "x"}}, "no kind"),
        (7, "not an object"),
    ],
)
def test_an_object_without_a_name_or_kind_is_named(
    tmp_path: Path, item: Any, what: str
) -> None:
    _, sync = scan_objects(tmp_path, role("r"), item)
    (problem,) = sync.problems
    assert problem.what.startswith(what)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(role("x")).replace(
            '"rules"', '"rules": [{"verbs": ["*"]}], "rules"'
        ),
        f"kind: Role\napiVersion: {RBAC}\nmetadata: {{name: x}}\nrules: []\nrules: []\n",
    ],
)
def test_a_repeated_key_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.json").write_text(json.dumps(role("r")))
    sync = scan(str(tmp_path))
    (problem,) = sync.problems
    assert problem.what.startswith("duplicate key")
    assert len(cluster_of(sync).roles) == 1
    assert cluster_of(sync).unread


def test_lists_with_two_items_members_are_refused(tmp_path: Path) -> None:
    text = listed(role("r")).replace('"items"', '"items": [], "items"')
    with pytest.raises(UsageError, match="duplicate key in the outermost object"):
        scan_text(tmp_path, text)


@pytest.mark.parametrize("cut", [0.5, 0.8, 0.99])
@pytest.mark.parametrize("dump", [listed, lambda *o: yaml.safe_dump({"items": [*o]})])
def test_a_list_that_is_cut_off_is_partial(
    tmp_path: Path, cut: float, dump: Any
) -> None:
    text = dump(*bootstrap(), *(role(f"r{n}", "dev", rules=[RULE]) for n in range(9)))
    sync = scan_text(tmp_path, text[: int(len(text) * cut)], "half.json")
    cluster = cluster_of(sync)
    assert cluster.roles
    assert cluster.collected == ()
    assert sync.problems
    assert cluster.unread


def test_a_document_after_a_broken_one_does_not_hide_those_before(
    tmp_path: Path,
) -> None:
    text = yaml.safe_dump(role("r")) + "---\n{{ template }}: [\n---\n" + "kind: Role\n"
    sync = scan_text(tmp_path, text, "m.yaml")
    assert [each.name for each in cluster_of(sync).roles] == ["r"]
    assert sync.problems[0].what.startswith("not YAML: line")


def test_aliases_that_grow_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    bomb = f"kind: Role\napiVersion: {RBAC}\nmetadata: {{name: b}}\n" + "\n".join(lines)
    sync = scan_text(tmp_path, yaml.safe_dump(role("r")) + "---\n" + bomb, "m.yaml")
    assert [each.name for each in cluster_of(sync).roles] == ["r"]
    assert "values" in sync.problems[0].what


@pytest.mark.parametrize(
    "text",
    ["", "hello", "{", "[" * 100_000, "\x00", "a: [", "key: value", "[1, 2]", "null"],
)
def test_a_file_without_an_object_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="has no supported object"):
        scan_text(tmp_path, text)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xf0\x00")
    (tmp_path / "b.json").write_text(listed(role("r")))
    sync = scan(str(tmp_path))
    assert sync.problems[0].what.startswith("not UTF-8")


def test_a_utf_16_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(listed(role("r")), encoding="utf-16")
    assert cluster_of(scan(f"{tmp_path}/b.json")).roles


def test_a_file_above_the_limit_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "MAX_FILE_BYTES", 1 << 20)
    with (tmp_path / "big.json").open("wb") as file:
        file.truncate(2 << 20)
    (tmp_path / "small.json").write_text(listed(role("r")))
    sync = scan(str(tmp_path))
    (problem,) = sync.problems
    assert problem.kind is ReadProblemKind.TOO_LARGE
    assert problem.what == "larger than 1 MiB; split it by kind or namespace"
    assert cluster_of(sync).roles


@pytest.mark.parametrize("location", ["gone.json", "", "gone,cluster=x"])
def test_a_location_without_a_file_is_refused(tmp_path: Path, location: str) -> None:
    with pytest.raises(UsageError):
        scan(f"{tmp_path}/{location}")


def test_every_kind_is_found_by_its_names() -> None:
    assert len({each.plural for each in KINDS}) == len(KINDS)
    assert all(each.path.startswith(("/api/v1/", "/apis/")) for each in KINDS)


def test_an_object_that_two_files_define_differently_is_named(tmp_path: Path) -> None:
    first = [role("r", rules=[RULE]), binding("b", "", "r", user("ana"))]
    second = [role("r"), binding("b", "", "r", user("bob")), role("same")]
    (tmp_path / "a.json").write_text(listed(*first, role("same")))
    (tmp_path / "b.json").write_text(listed(*second))
    sync = scan(str(tmp_path))
    assert [each.what.partition(" at ")[0] for each in sync.problems] == [
        "ClusterRole r: defined differently",
        "ClusterRoleBinding b: defined differently",
    ]
    assert len(cluster_of(sync).unread) == 2
