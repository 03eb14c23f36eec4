"""Rows of `tests/cases/kubernetes.yaml`: roles and bindings, a question, the answer."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from answerable.model.ids import IdentityId
from answerable.model.kubernetes_ids import KubernetesSubject
from answerable.reach.kubernetes.call_parsing import parse_resource, parse_verb
from answerable.reach.kubernetes.catalogue import Cluster
from answerable.reach.kubernetes.cluster_access import ClusterAccess
from answerable.reach.kubernetes.evaluator import KubernetesEvaluator
from answerable.reach.platform import Question, SubjectIdentity, UnknownSubject
from tests.reach.kubernetes.manifests import RBAC_KINDS, Object, build_cluster

CASES = Path(__file__).resolve().parents[2] / "cases" / "kubernetes.yaml"
ROWS: list[dict[str, Any]] = yaml.load(
    CASES.read_text(encoding="utf-8"), yaml.CSafeLoader
)


def parse_subject(text: str) -> KubernetesSubject:
    """Parse `sa:NAMESPACE/NAME`, `user:NAME` or `group:NAME`."""
    kind, _, name = text.partition(":")
    if kind == "sa":
        namespace, _, name = name.partition("/")
        return KubernetesSubject("prod", "serviceaccount", name, namespace)
    return KubernetesSubject("prod", kind, name)


def expand(row: dict[str, Any]) -> list[Object]:
    """Return the objects of a row as manifests, with the service accounts it names."""
    objects = list(row.get("objects", ()))
    named = [row["ask"][0]]
    for title, rules in row.get("roles", {}).items():
        kind, _, name = title.partition(" ")
        namespace, _, short = name.rpartition("/")
        objects.append(
            {
                "kind": kind,
                "metadata": {"name": short, "namespace": namespace},
                "rules": [
                    {
                        "verbs": rule["v"],
                        "apiGroups": rule.get("g", [""] if "r" in rule else []),
                        "resources": rule.get("r", []),
                        "resourceNames": rule.get("n", []),
                        "nonResourceURLs": rule.get("u", []),
                    }
                    for rule in rules
                ],
            }
        )
    for title, (role, subjects) in row.get("bind", {}).items():
        kind, _, name = title.partition(" ")
        namespace, _, short = name.rpartition("/")
        role_kind, _, role_name = role.partition(" ")
        named += [each for each in subjects if not each.startswith("sa:/")]
        objects.append(
            {
                "kind": kind,
                "metadata": {"name": short, "namespace": namespace},
                "roleRef": {"kind": role_kind, "name": role_name},
                "subjects": [_expand_subject(each) for each in subjects],
            }
        )
    for text in dict.fromkeys(named):
        subject = parse_subject(text)
        if subject.kind == "serviceaccount":
            meta = {"name": subject.name, "namespace": subject.namespace}
            objects.append({"kind": "ServiceAccount", "metadata": meta})
    return objects


def _expand_subject(text: str) -> dict[str, str]:
    subject = parse_subject(text)
    kinds = {"serviceaccount": "ServiceAccount", "user": "User", "group": "Group"}
    return {
        "kind": kinds[subject.kind],
        "name": subject.name,
        "namespace": subject.namespace,
    }


def build(row: dict[str, Any]) -> Cluster:
    """Build the cluster of a row."""
    return build_cluster(
        expand(row),
        collected=row.get("collected", RBAC_KINDS),
        version=row.get("version", ""),
    )


def ask(cluster: Cluster, words: tuple[str, str, str], *, direct: bool) -> Any:
    """Ask whether a subject can make a call."""
    access = ClusterAccess([cluster])
    clusters = {cluster.name: access.index}
    resource = parse_resource(clusters, words[2])
    verb = parse_verb(clusters, words[1], url=bool(resource.url))
    key = IdentityId(str(parse_subject(words[0])))
    evaluator = KubernetesEvaluator({cluster.name: access})
    found = evaluator.resolve_identity(SubjectIdentity(key, key))
    identities = () if isinstance(found, UnknownSubject) else (found,)
    question = Question(
        1, key, verb, str(resource), direct=direct, identities=identities
    )
    return evaluator.evaluate(question)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["name"]))
def test_the_answer_is_the_documented_one(row: dict[str, Any]) -> None:
    got = ask(build(row), row["ask"], direct=row.get("direct", True))
    assert got.verdict == row["verdict"], got.item
    if "steps" in row:
        assert [hop["via"] for hop in got.item["path"]] == row["steps"]
        for hop in got.item["path"]:
            proof = [repr(each) for each in hop["determining"]]
            assert len(proof) == len(set(proof))
    if got.verdict in ("always", "only-if") and row.get("direct", True):
        statements = got.item["determining"]
        assert statements or got.item.get("parts")
