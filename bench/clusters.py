"""Cluster and GitHub organization by the command line: `--only clusters`.

The cluster has 5,000 service accounts and 20,000 bindings in 100 namespaces, as one
`kubectl get` list. The organization has 100 repositories and 200 members, as saved
answers of the REST API.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.command_run import answerable_command
from bench.figures import BenchFigure, at_most

ACCOUNTS, BINDINGS, NAMESPACES = 5_000, 20_000, 100
REPOSITORIES, MEMBERS, WRITERS = 100, 200, 10
_ROUNDS = 3
_QUICK_SHARE = 50
_RBAC = "rbac.authorization.k8s.io"
_RULES = (
    ("pods", "get"),
    ("configmaps", "list"),
    ("secrets", "get"),
    ("pods", "create"),
    ("serviceaccounts/token", "create"),
)
_LOGIN = "acme"
_SECRET = f"github:{_LOGIN}/secret/TOKEN"


def measure_clusters(
    folder: Path, command: str, *, quick: bool
) -> Iterator[BenchFigure]:
    """Measure the scans of both platforms, and questions about them."""
    command = f"{command} --only clusters"
    share = _QUICK_SHARE if quick else 1
    yield from _measure_cluster(folder, share, command)
    yield from _measure_organization(folder, share, command)


def _measure_cluster(folder: Path, share: int, command: str) -> Iterator[BenchFigure]:
    """Measure the scan of a cluster, and three questions."""
    dump, store = folder / "cluster.json", folder / "cluster-store"
    folder.mkdir(parents=True, exist_ok=True)
    accounts, bindings = ACCOUNTS // share, BINDINGS // share
    dump.write_text(json.dumps(_build_cluster(accounts, bindings)))
    run = answerable_command("--store", str(store), "scan", f"k8s:{dump},cluster=prod")
    size = f"{accounts:,} service accounts, {bindings:,} bindings"
    scan = f"scan k8s:, {size}"
    yield BenchFigure(scan, "s", (run.cpu,), command, at_most(10, "<= 10 s"))
    yield BenchFigure(f"{scan}: peak memory", "MiB", (run.peak,), command)
    subject = "k8s:prod/n0/serviceaccount/a1"
    secret = "k8s:prod/n0/secrets/db"
    for argv in (
        ("can", subject, "get", secret),
        ("who-can", "get", secret),
        ("reach", subject),
    ):
        yield from _measure_question(store, argv, size, command)


def _measure_organization(
    folder: Path, share: int, command: str
) -> Iterator[BenchFigure]:
    """Measure the scan of an organization, and who reads its secret."""
    answers, store = folder / "organization", folder / "organization-store"
    count = max(2, REPOSITORIES // share)
    for path, answer in _build_answers(count):
        place = answers / f"{path}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(answer))
    run = answerable_command("--store", str(store), "scan", f"github:{answers}")
    size = f"{count:,} repositories"
    yield BenchFigure(f"scan github:, {size}", "s", (run.cpu,), command)
    yield from _measure_question(
        store, ("who-can", "read-secret", _SECRET), size, command
    )


def _measure_question(
    store: Path, argv: tuple[str, ...], size: str, command: str
) -> Iterator[BenchFigure]:
    """Measure the first run of a question after a scan, and later ones."""
    taken = [
        answerable_command("--store", str(store), *argv).cpu for _ in range(_ROUNDS + 1)
    ]
    what = f"{' '.join(argv[:2]) if argv[1] == 'read-secret' else argv[0]}, {size}"
    yield BenchFigure(f"{what}, first", "s", tuple(taken[:1]), command)
    goal = at_most(0.5, "<= 0.5 s") if argv[1] == "read-secret" else None
    yield BenchFigure(what, "s", tuple(taken[1:]), command, goal)


def _build_cluster(accounts: int, bindings: int) -> dict[str, object]:
    """Build one list of namespaces, service accounts, roles and bindings."""
    each = max(1, accounts // NAMESPACES)
    items = []
    for place in range(NAMESPACES):
        namespace = f"n{place}"
        items.append(_build("v1", "Namespace", namespace, ""))
        items += [
            _build("v1", "ServiceAccount", f"a{number}", namespace)
            for number in range(each)
        ]
        for number, (kind, verb) in enumerate(_RULES):
            rule = {"apiGroups": [""], "resources": [kind], "verbs": [verb]}
            role = _build(f"{_RBAC}/v1", "Role", f"r{number}", namespace)
            items.append({**role, "rules": [rule]})
        for number in range(max(1, bindings // NAMESPACES)):
            binding = _build(f"{_RBAC}/v1", "RoleBinding", f"b{number}", namespace)
            name = f"r{number % len(_RULES)}"
            subject = {
                "kind": "ServiceAccount",
                "name": f"a{(number * 7) % each}",
                "namespace": namespace,
            }
            binding["roleRef"] = {"apiGroup": _RBAC, "kind": "Role", "name": name}
            items.append({**binding, "subjects": [subject]})
    for kind in ("ClusterRole", "ClusterRoleBinding"):
        items.append(_build(f"{_RBAC}/v1", kind, "none", ""))
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _build(version: str, kind: str, name: str, namespace: str) -> dict[str, object]:
    """Build an object as the API server returns it."""
    metadata = {"name": name, "uid": f"{kind}-{namespace}-{name}".lower()}
    if namespace:
        metadata["namespace"] = namespace
    extra: dict[str, object] = {}
    if kind == "ClusterRole":
        extra["rules"] = []
    if kind == "ClusterRoleBinding":
        extra["roleRef"] = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "none"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **extra}


def _build_answers(count: int) -> Iterator[tuple[str, object]]:
    """Yield the answers about an organization: endpoint, and content."""
    home = f"orgs/{_LOGIN}"
    members = [
        {"login": f"m{number}", "id": number + 10, "type": "User"}
        for number in range(MEMBERS)
    ]
    yield (
        home,
        {"login": _LOGIN, "id": 1, "default_repository_permission": "read"},
    )
    yield f"{home}/members.admin", [[{"login": "ana", "id": 2, "type": "User"}]]
    yield f"{home}/members.member", [members]
    for path in ("outside_collaborators", "teams", "rulesets"):
        yield f"{home}/{path}", [[]]
    secret = {"name": "TOKEN", "visibility": "all"}
    yield f"{home}/actions/secrets", [{"total_count": 1, "secrets": [secret]}]
    yield f"{home}/installations", [{"total_count": 0, "installations": []}]
    yield f"{home}/custom-repository-roles", {"total_count": 0, "custom_roles": []}
    yield f"{home}/organization-roles", {"total_count": 0, "roles": []}
    yield f"{home}/personal-access-tokens", [[]]
    repositories = [_build_repository(number) for number in range(count)]
    yield f"{home}/repos", [repositories]
    for number in range(count):
        yield from _build_repository_answers(number)


def _build_repository(number: int) -> Mapping[str, object]:
    """Build an entry of the list of repositories."""
    return {
        "id": number + 1_000,
        "name": f"r{number}",
        "full_name": f"{_LOGIN}/r{number}",
        "owner": {"login": _LOGIN},
        "private": True,
        "visibility": "private",
        "default_branch": "main",
        "archived": False,
        "created_at": "2024-01-01T00:00:00Z",
    }


def _build_repository_answers(number: int) -> Iterator[tuple[str, object]]:
    """Yield the answers about a repository."""
    home = f"repos/{_LOGIN}/r{number}"
    writers = [
        {
            "login": f"m{(number * 3 + place) % MEMBERS}",
            "id": (number * 3 + place) % MEMBERS + 10,
            "type": "User",
            "role_name": "write",
        }
        for place in range(WRITERS)
    ]
    yield f"{home}/collaborators", [writers]
    yield f"{home}/teams", [[]]
    yield f"{home}/rulesets", [[]]
    yield f"{home}/keys", [[]]
    yield f"{home}/branches", [[{"name": "main"}]]
    nodes = {"pageInfo": {"hasNextPage": False}, "nodes": []}
    rules = {"data": {"repository": {"branchProtectionRules": nodes}}}
    yield f"{home}/branch-protection-rules", [rules]
    yield f"{home}/environments", [{"total_count": 0, "environments": []}]
    yield f"{home}/actions/secrets", [{"total_count": 0, "secrets": []}]
    yield f"{home}/actions/permissions", {"enabled": True}
    yield f"{home}/actions/workflows", [{"total_count": 0, "workflows": []}]
