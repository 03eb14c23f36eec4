"""Closure over GitHub, AWS and a cluster: `python -m bench --only platforms`.

Each platform is compiled first. Then all callers of one AWS call are searched over all
platforms; time and memory count from there on.
"""

import resource
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import msgspec

from answerable.model.inventory import Inventory
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.reach.caller_closure import CERTAIN, CallerClosure
from answerable.reach.engine import list_callers
from answerable.reach.github.catalogue import GithubOrganization
from answerable.reach.kubernetes.catalogue import (
    AccessEntry,
    Cluster,
    ClusterNamespace,
    PolicyRule,
    RbacBinding,
    RbacRole,
    RbacSubject,
    ServiceAccount,
)
from answerable.reach.kubernetes.evaluator import get_clusters
from answerable.reach.kubernetes.rule_matching import build_request
from answerable.reach.platform import PageBounds, Question
from answerable.services.reach.platform_registry import AWS, PLATFORMS, open_platforms
from bench.figures import BenchFigure, at_most
from tests.reach.account_builder import SEEN, AccountBuilder, role, statement, user
from tests.reach.github.organization_builder import build_organization
from tests.reach.kubernetes.manifests import RBAC_KINDS

PRINCIPALS, ACCOUNTS, REPOSITORIES, NAMESPACES = 10_000, 5_000, 2_000, 100
SHARE = 50  # quick runs are smaller by this factor
_MEMBERS, _WRITERS = 400, 100
_BINDINGS_EACH = 200
_ENTERED = 1_000  # roles that service accounts enter, and as many that workflows enter
_ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
_GITHUB = "token.actions.githubusercontent.com"
_CHECKS = 2_000
NOW = 1_772_323_300 * 10**9
_RULES = (
    ("pods", "create"),
    ("pods/exec", "create"),
    ("serviceaccounts/token", "create"),
    ("secrets", "get"),
    ("configmaps", "list"),
)


def measure_platforms(command: str, *, quick: bool) -> Iterator[BenchFigure]:
    """Measure the closure across platforms, and one check on Kubernetes."""
    command = f"{command} --only platforms"
    inventory = _build_inventory(SHARE if quick else 1)
    question = Question(NOW, action="s3:GetObject", resource="arn:aws:s3:::data/a")
    for platform in PLATFORMS:
        platform.compile_snapshot(inventory, None)
    opened = open_platforms(inventory, question)
    evaluator = opened.open(AWS)
    evaluator.list_callers(
        question, PageBounds(rows=1)
    )  # compiles the steps inside AWS
    before = _read_peak_memory()
    started = time.process_time()
    entered = CallerClosure(opened, AWS, lambda _: CERTAIN).compute()
    took = time.process_time() - started
    used = _read_peak_memory() - before
    edges = _count_edges(inventory)
    what = f"closure across platforms, {edges:,} edges: processor"
    yield BenchFigure(what, "s", (took,), command, at_most(3, "<= 3 s"))
    goal = at_most(1024, "<= 1 GiB")
    yield BenchFigure(f"{what}: memory beyond them", "MiB", (used,), command, goal)
    found = len({start.subject for start in entered.starts})
    yield BenchFigure("callers that enter AWS", "callers", (found,), command)
    started = time.process_time()
    listed = list_callers(opened, AWS, question, PageBounds(rows=200))
    took = time.process_time() - started
    what = f"who-can of {listed.shown['of'] if listed.shown else 0:,} callers, in one process: processor"
    yield BenchFigure(what, "s", (took,), command)
    yield _measure_check(inventory, command)


def _read_peak_memory() -> float:
    """Return the peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _measure_check(inventory: Inventory, command: str) -> BenchFigure:
    """Measure whether one service account may make one request, in the engine."""
    (access,) = get_clusters(inventory).values()
    request = build_request("get", ("secrets", "", ""), "db", "n1")
    numbers = [
        access.get_number(subject)
        for subject in list(access.index.service_accounts)[:_CHECKS]
    ]
    for number in numbers:
        access.find_path(number, request, direct=False)
    started = time.process_time()
    for number in numbers:
        access.find_path(number, request, direct=False)
    took = (time.process_time() - started) / len(numbers)
    what = "can on Kubernetes: one check in the engine"
    return BenchFigure(what, "us", (took * 1e6,), command, at_most(50, "<= 50 us"))


def _count_edges(inventory: Inventory) -> int:
    """Count the steps between single identities inside the cluster and of GitHub."""
    (access,) = get_clusters(inventory).values()
    edges = [*access.steps.wide]
    inside = sum(e.actors.bit_count() * e.targets.bit_count() for e in edges)
    pushes = sum(
        len(repository.get("collaborators", ()))
        for catalogue in inventory.facts.catalogues
        if catalogue.platform == "github"
        for repository in msgspec.json.decode(catalogue.body)["repositories"]
    )
    return inside + pushes


def _build_inventory(share: int) -> Inventory:
    """Build a snapshot of an account, a cluster and an organization."""
    account = _build_account(share)
    found = account.inventory()
    cluster, organization = _build_cluster(share), _build_organization(share)
    catalogues = (
        _encode("kubernetes", cluster.name, cluster),
        _encode("github", f"github:{organization.login}", organization),
    )
    return replace(found, facts=replace(found.facts, catalogues=catalogues))


def _encode(
    platform: str, place: str, body: Cluster | GithubOrganization
) -> PlatformCatalogue:
    """Encode a catalogue as a connector does."""
    return PlatformCatalogue(platform, place, msgspec.json.encode(body).decode(), SEEN)


def _build_account(share: int) -> AccountBuilder:
    """Build an account: users, roles of service accounts, roles of workflows."""
    account = AccountBuilder()
    entered = _ENTERED // share
    for number in range(entered):
        namespace, name = f"n{number % NAMESPACES}", f"a{number // NAMESPACES}"
        _add_role(
            account,
            f"pod-{number}",
            (_ISSUER, f"system:serviceaccount:{namespace}:{name}"),
        )
        subject = f"repo:acme/r{number}:ref:refs/heads/main"
        _add_role(account, f"ci-{number}", (_GITHUB, subject))
    for number in range(PRINCIPALS // share - 2 * entered):
        account.identity(user(f"u{number}"))
    return account


def _add_role(account: AccountBuilder, name: str, token: tuple[str, str]) -> None:
    """Add a role that trusts the tokens of one subject."""
    issuer, subject = token
    principal = {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{issuer}"}
    condition = {
        "StringEquals": {f"{issuer}:sub": subject, f"{issuer}:aud": "sts.amazonaws.com"}
    }
    trust = statement(
        "t",
        action="sts:AssumeRoleWithWebIdentity",
        principal=principal,
        condition=condition,
    )
    key = account.identity(role(name))
    account.policy(key, "trust", trust)
    read = statement("r", action="s3:GetObject", resource="arn:aws:s3:::data/a")
    account.policy(key, "identity", read, policy=f"read-{name}")


def _build_cluster(share: int) -> Cluster:
    """Build a cluster whose namespaces have accounts, roles and bindings."""
    each = ACCOUNTS // NAMESPACES // (share if share > 1 else 1) or 1
    namespaces = [f"n{number}" for number in range(NAMESPACES)]
    accounts = tuple(
        ServiceAccount(
            namespace,
            f"a{number}",
            aws_role=role(f"pod-{number * NAMESPACES + place}")
            if number * NAMESPACES + place < _ENTERED // share
            else "",
        )
        for place, namespace in enumerate(namespaces)
        for number in range(each)
    )
    roles = tuple(
        RbacRole(f"r{number}", namespace, (PolicyRule((verb,), ("",), (kind,)),))
        for namespace in namespaces
        for number, (kind, verb) in enumerate(_RULES)
    )
    bindings = tuple(
        RbacBinding(
            f"b{number}",
            namespace,
            "Role",
            f"r{number % len(_RULES)}",
            (RbacSubject("ServiceAccount", f"a{number % each}", namespace),),
        )
        for namespace in namespaces
        for number in range(_BINDINGS_EACH // share or 1)
    )
    entries = tuple(
        AccessEntry(role(f"ci-{number}"), f"ci-{number}", (f"g{number % NAMESPACES}",))
        for number in range(_ENTERED // share)
    )
    groups = tuple(
        RbacBinding(
            f"g{place}", namespace, "Role", "r0", (RbacSubject("Group", f"g{place}"),)
        )
        for place, namespace in enumerate(namespaces)
    )
    return Cluster(
        "prod",
        issuer=f"https://{_ISSUER}",
        version="v1.35.0-eks-1",
        collected=(*RBAC_KINDS, "access-entries", "pod-identity-associations"),
        namespaces=tuple(ClusterNamespace(name) for name in namespaces),
        service_accounts=accounts,
        roles=roles,
        bindings=(*bindings, *groups),
        access_entries=entries,
    )


def _build_organization(share: int) -> GithubOrganization:
    """Build an organization whose members write to many repositories."""
    members = [
        {"login": f"m{number}", "role": "member"} for number in range(_MEMBERS // share)
    ]
    writers = _WRITERS // share or 1
    repositories: list[Mapping[str, object]] = [
        {
            "name": f"r{number}",
            "id": number + 1,
            "oidc": {"use_default": True, "immutable": False},
            "created_at": 1,
            "actions_enabled": True,
            "collaborators": [
                (f"m{(number + place) % len(members)}", "write")
                for place in range(writers)
            ],
        }
        for number in range(REPOSITORIES // share)
    ]
    return build_organization({"members": members, "repositories": repositories})
