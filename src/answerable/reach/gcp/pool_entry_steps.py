"""List the steps between Google Cloud and the identities of other platforms.

Sources: https://docs.cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds,
https://docs.cloud.google.com/kubernetes-engine/docs/concepts/workload-identity,
https://docs.cloud.google.com/iam/docs/workload-identity-federation-with-kubernetes and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html,
"Available keys for AWS OIDC federation": `accounts.google.com`.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from answerable.model.google_cloud_ids import normalise_principal
from answerable.model.ids import Arn, IdentityId
from answerable.model.inventory import Inventory
from answerable.model.kubernetes_ids import KubernetesSubject
from answerable.reach.condition_formula import TRUE, Formula, build_atom, conjoin
from answerable.reach.cross_platform_steps import (
    CrossPlatformSteps,
    UnscannedEntry,
    may_be_cluster,
)
from answerable.reach.gcp.answer_building import SOURCE
from answerable.reach.gcp.catalogue import GooglePoolProvider
from answerable.reach.gcp.cel_values import CelValue
from answerable.reach.gcp.estate_index import POOLS, GoogleCloudIndex
from answerable.reach.gcp.pool_tokens import enter_pool
from answerable.reach.gcp.pool_trusts import EXCHANGE, PoolTrusts, strip_scheme
from answerable.reach.kubernetes.platform import list_cluster_names
from answerable.reach.platform import (
    DeterminingStatement,
    PathHop,
    PermissionEvaluator,
    UnknownSubject,
)
from answerable.reach.token_trust import TokenTrusts

if TYPE_CHECKING:
    from answerable.reach.kubernetes.cluster_access import ClusterAccess

GOOGLE = "accounts.google.com"
CLUSTERS = "k8s"  # source of scan
SESSION = "gcp:aws-session-name"
KUBERNETES_ISSUER = "kubernetes:issuer"
_GKE = re.compile(r"container\.googleapis\.com/v1/projects/([^/]+)/locations/.+")
_GKE_MEMBER = re.compile(r"serviceAccount:(.+)\.svc\.id\.goog\[([^/]+)/([^\]]+)\]")


def list_aws_steps(index: GoogleCloudIndex, inventory: Inventory) -> CrossPlatformSteps:
    """List the steps of roles and users of AWS into pools that trust their account."""
    trusts = PoolTrusts(index)
    steps: list[PathHop] = []
    providers = [each for each in index.header.providers if each.aws_account]
    by_account: dict[str, list[IdentityId]] = {}
    for fact in inventory.facts.identities if providers else ():
        if fact.kind in ("aws-role", "aws-user"):
            by_account.setdefault(fact.account, []).append(fact.id)
    for provider in providers:
        for member in trusts.list_members(provider.pool):
            for arn in by_account.get(provider.aws_account, ()):
                steps += _list_entries_of_arn(provider, member, arn)
    accounts = (
        UnscannedEntry(member, _explain_unscanned("account", each.aws_account, "aws"))
        for each in providers
        if each.aws_account not in by_account and not each.disabled
        for member in trusts.list_members(each.pool)
    )
    unscanned = (*accounts, *_list_entries_to_missing_pools(index))
    return CrossPlatformSteps(tuple(steps), _explain_missing_pools(index), unscanned)


def _explain_unscanned(kind: str, place: str, source: str) -> UnknownSubject:
    """Explain that no scan describes a place that a pool or a role trusts."""
    return UnknownSubject(place, f"no scan describes the {kind} {place}", source)


def _list_pool_members(index: GoogleCloudIndex) -> Iterator[str]:
    """Yield the principals of identity pools that policies name."""
    return (e for e in index.header.federated_members if "/workloadIdentityPools/" in e)


def _explain_missing_pools(index: GoogleCloudIndex) -> tuple[UnknownSubject, ...]:
    """Explain that the providers of pools were not collected, if policies name pools."""
    if POOLS in index.collected:
        return ()
    what = "the providers of its identity pool were not collected"
    first = next(_list_pool_members(index), None)
    return () if first is None else (UnknownSubject(first, what, SOURCE),)


def _list_entries_to_missing_pools(index: GoogleCloudIndex) -> Iterator[UnscannedEntry]:
    """Yield the principals of pools whose providers, and so whose issuers, are missing."""
    for missing in _explain_missing_pools(index):
        for each in _list_pool_members(index):
            yield UnscannedEntry(IdentityId(each), missing)


def _list_entries_of_arn(
    provider: GooglePoolProvider, member: str, arn: IdentityId
) -> Iterator[PathHop]:
    """Yield the entry of one role or user as a principal of a pool."""
    parsed = Arn.parse(arn)
    kind, _, name = parsed.resource.partition("/")
    short = name.rpartition("/")[2]
    values: dict[str, CelValue] = {"assertion.account": parsed.account}
    formula: Formula = TRUE
    if kind == "user":
        values["assertion.arn"] = arn
    else:
        session = f"arn:aws:sts::{parsed.account}:assumed-role/{short}/"
        stated = _find_session_name(member, session)
        # The caller chooses the name of the session, as far as the role lets it.
        values["assertion.arn"] = f"{session}{stated or 'session'}"
        if stated:
            formula = build_atom(SESSION, "Equals", (stated,))
    entry = enter_pool(provider, member, values)
    if entry is not None:
        formula = conjoin(formula, entry.formula)
        yield PathHop(arn, EXCHANGE, member, formula, (entry.statement,))


def _find_session_name(member: str, session: str) -> str:
    """Find the session name that a principal states; empty for none."""
    return member.partition(session)[2]


def list_kubernetes_steps(
    index: GoogleCloudIndex, inventory: Inventory, edited: PermissionEvaluator | None
) -> CrossPlatformSteps:
    """List the steps of Kubernetes service accounts into pools.

    GKE: `PROJECT.svc.id.goog[NAMESPACE/NAME]`, the same for all clusters of a project.
    Other clusters: providers that trust the issuer of the cluster.
    """
    clusters = _get_clusters(inventory, edited)
    trusts = PoolTrusts(index)
    steps: list[PathHop] = []
    for name, access in clusters.items():
        cluster = access.index.cluster
        issuer = strip_scheme(cluster.issuer)
        accounts = {
            (each.namespace, each.name): str(
                KubernetesSubject(name, "serviceaccount", each.name, each.namespace)
            )
            for each in cluster.service_accounts
        }
        steps += _list_gke_steps(index, name, issuer, accounts)
        steps += _list_token_steps(trusts, issuer, accounts)
    issuers = {strip_scheme(each.index.cluster.issuer) for each in clusters.values()}
    unscanned = (
        *_list_unscanned_issuers(index, issuers),
        *_list_unscanned_projects(index, {each.to for each in steps}),
        *_list_entries_to_missing_pools(index),
    )
    return CrossPlatformSteps(tuple(steps), _explain_missing_pools(index), unscanned)


def _get_clusters(
    inventory: Inventory, edited: PermissionEvaluator | None
) -> "Mapping[str, ClusterAccess]":
    """Return the clusters of an edit, or of a snapshot; imports nothing for none."""
    if edited is None and not list_cluster_names(inventory):
        return {}
    from answerable.reach.kubernetes import evaluator

    if isinstance(edited, evaluator.KubernetesEvaluator):
        return edited.clusters
    return evaluator.get_clusters(inventory)


def _list_unscanned_issuers(
    index: GoogleCloudIndex, issuers: Collection[str]
) -> Iterator[UnscannedEntry]:
    """Yield the principals of pools that trust clusters without a scan."""
    trusts = PoolTrusts(index)
    for provider in index.header.providers:
        issuer = strip_scheme(provider.issuer)
        if provider.disabled or not issuer or issuer in issuers:
            continue
        if may_be_cluster(issuer):
            missing = _explain_unscanned("cluster of the issuer", issuer, CLUSTERS)
            for member in trusts.list_members(provider.pool):
                yield UnscannedEntry(member, missing)


def _list_unscanned_projects(
    index: GoogleCloudIndex, entered: Collection[str]
) -> Iterator[UnscannedEntry]:
    """Yield the service accounts of GKE clusters that no scan describes."""
    for member in index.header.federated_members:
        gke = _GKE_MEMBER.fullmatch(member)
        if gke and member not in entered:
            missing = _explain_unscanned("GKE cluster of the project", gke[1], CLUSTERS)
            yield UnscannedEntry(IdentityId(member), missing)


_Accounts = Mapping[tuple[str, str], str]


def _list_gke_steps(
    index: GoogleCloudIndex, name: str, issuer: str, accounts: _Accounts
) -> Iterator[PathHop]:
    """Yield the steps of the service accounts of a GKE cluster."""
    found = _GKE.fullmatch(issuer)
    context = name.split("_")
    project = found[1] if found else ""
    if not project and context[0] == "gke" and len(context) == 4:
        project = context[1]
    for member in index.header.federated_members:
        gke = _GKE_MEMBER.fullmatch(member)
        origin = accounts.get((gke[2], gke[3])) if gke else None
        if gke is None or origin is None:
            continue
        formula: Formula = TRUE
        if not issuer and not project:
            formula = build_atom(KUBERNETES_ISSUER, "Equals", (f"GKE in {gke[1]}",))
        elif index.tree.get_project_id(project) != index.tree.get_project_id(gke[1]):
            continue
        text = f"{gke[1]}.svc.id.goog: namespace {gke[2]}, service account {gke[3]}"
        proof = DeterminingStatement(
            "workload-pool", f"{gke[1]}.svc.id.goog", text, "allow"
        )
        yield PathHop(origin, EXCHANGE, member, formula, (proof,))


def _list_token_steps(
    trusts: PoolTrusts, issuer: str, accounts: _Accounts
) -> Iterator[PathHop]:
    """Yield the steps of service account tokens into pools that trust their issuer."""
    if not issuer:
        return
    for trust in trusts.list_token_trusts(issuer):
        if not trust.collected:
            continue
        for (namespace, name), origin in accounts.items():
            claims = {"sub": (f"system:serviceaccount:{namespace}:{name}",)}
            for hop in trusts.list_token_entries(trust, claims):
                yield PathHop(origin, hop.via, hop.to, hop.formula, hop.determining)


def list_service_account_steps(
    index: GoogleCloudIndex | None, trusts: TokenTrusts
) -> CrossPlatformSteps:
    """List the steps of service accounts into roles that trust tokens of Google.

    The keys of AWS: `accounts.google.com:sub` and `:aud` are the unique id of the
    account (`azp`), `:oaud` is the audience, which the holder of the account chooses.

    Args:
        index: None without a scan of Google Cloud.
    """
    trusted = [e for e in trusts.list_token_trusts(GOOGLE) if e.collected]
    if not trusted:
        return CrossPlatformSteps()
    steps: list[PathHop] = []
    unscanned: list[UnscannedEntry] = []
    accounts = dict(index.accounts) if index else {}
    ids = {each.unique_id for each in accounts.values()}
    for trust in trusted:
        limits = trust.list_limits("sub")
        if not limits or not set(limits).issubset(ids):
            what = ", ".join(limits) or GOOGLE
            missing = _explain_unscanned("service account of Google", what, SOURCE)
            unscanned.append(UnscannedEntry(trust.identity, missing))
        for email, account in accounts.items():
            if not account.unique_id:
                continue
            claims = {"sub": (account.unique_id,), "aud": (account.unique_id,)}
            origin = normalise_principal(email)
            steps += (
                PathHop(origin, hop.via, hop.to, hop.formula, hop.determining)
                for hop in trusts.list_token_entries(trust, claims)
            )
    return CrossPlatformSteps(tuple(steps), unscanned=tuple(unscanned))
