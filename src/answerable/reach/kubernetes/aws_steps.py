"""List the steps from service accounts to roles, and from AWS to users of clusters.

Sources: https://docs.aws.amazon.com/eks/latest/userguide/iam-roles-for-service-accounts.html,
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-association.html,
https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html and
https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html.
"""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.kubernetes_ids import KubernetesSubject, build_user_subject
from answerable.reach.aws.federated_entries import (
    get_issuer_of_provider,
    list_entries_by_service,
    list_entries_by_token,
    list_oidc_providers,
    list_roles_of_provider,
    list_trusted_values,
)
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.cross_platform_steps import CrossPlatformSteps
from answerable.reach.formula import TRUE, Formula, build_atom, conjoin
from answerable.reach.kubernetes.answer_building import SOURCE
from answerable.reach.kubernetes.catalogue import PodIdentityAssociation, ServiceAccount
from answerable.reach.kubernetes.cluster_index import ClusterIndex
from answerable.reach.kubernetes.evaluator import get_clusters
from answerable.reach.platform import (
    DeterminingStatement,
    PathHop,
    UnknownSubject,
)

AUDIENCE = "sts.amazonaws.com"
POD_IDENTITY_SERVICE = "pods.eks.amazonaws.com"
ISSUER = "kubernetes:issuer"
AUDIENCE_CONDITION = "kubernetes:token-audience"
ROLE_TRUST = "answerable:role-trust"
_EKS_ISSUER = "oidc.eks."
_EKS_VERSION = "-eks-"


def list_role_steps(inventory: Inventory, graph: IdentityGraph) -> tuple[PathHop, ...]:
    """List the steps of all service accounts to roles."""
    steps: list[PathHop] = []
    for access in get_clusters(inventory).values():
        steps += _TokenSteps(access.index, graph).list_steps()
        for association in access.index.cluster.pod_identities:
            steps += _list_association_steps(access.index, graph, association)
    return tuple(steps)


class _TokenSteps:
    """Steps of the tokens of one cluster's service accounts."""

    def __init__(self, index: ClusterIndex, graph: IdentityGraph) -> None:
        self.index = index
        self.graph = graph
        self._accounts = {
            f"system:serviceaccount:{each.namespace}:{each.name}": each
            for each in index.cluster.service_accounts
        }

    def list_steps(self) -> Iterator[PathHop]:
        """Yield the steps that role trust policies allow, then those not known."""
        for provider, condition in self._list_providers():
            for role in list_roles_of_provider(self.graph, provider):
                yield from self._list_entries(provider, role, condition)
        for account in self._accounts.values():
            key = str(self._get_subject(account))
            role = IdentityId(account.aws_role)
            if role and role not in self.graph.accounts.trusts:
                trust = build_atom(ROLE_TRUST, "Allows", (role,))
                proof = _describe_annotation(account)
                yield PathHop(
                    key, "sts:AssumeRoleWithWebIdentity", role, trust, (proof,)
                )

    def _list_providers(self) -> Iterator[tuple[str, Formula]]:
        """Yield the providers that may be the cluster's, with the condition.

        Without the issuer of the cluster it may be any provider of EKS.
        """
        issuer = self.index.cluster.issuer.removeprefix("https://").rstrip("/")
        for provider in list_oidc_providers(self.graph):
            found = get_issuer_of_provider(provider)
            if issuer and found == issuer:
                yield provider, TRUE
            elif not issuer and found.startswith(_EKS_ISSUER):
                yield provider, build_atom(ISSUER, "Equals", (f"https://{found}",))

    def _list_entries(
        self, provider: str, role: IdentityId, condition: Formula
    ) -> Iterator[PathHop]:
        """Yield the entries of service accounts into one role."""
        issuer = get_issuer_of_provider(provider)
        subject_key = f"{issuer}:sub"
        patterns = list_trusted_values(self.graph, role, subject_key)
        for name, account in self._accounts.items():
            if patterns and not any(fnmatchcase(name, each) for each in patterns):
                continue
            claims = {
                subject_key.lower(): (name,),
                f"{issuer}:aud".lower(): (AUDIENCE,),
            }
            formula = condition
            if account.aws_role != role:
                used = build_atom(
                    AUDIENCE_CONDITION, "Equals", (f"{name} for {AUDIENCE}",)
                )
                formula = conjoin(condition, used)
            for hop in list_entries_by_token(self.graph, role, provider, claims):
                proof = (_describe_annotation(account),) if account.aws_role else ()
                yield PathHop(
                    str(self._get_subject(account)),
                    hop.via,
                    hop.to,
                    conjoin(formula, hop.formula),
                    (*proof, *hop.determining),
                )

    def _get_subject(self, account: ServiceAccount) -> KubernetesSubject:
        """Return the identity of a service account."""
        return KubernetesSubject(
            self.index.name, "serviceaccount", account.name, account.namespace
        )


def _describe_annotation(account: ServiceAccount) -> DeterminingStatement:
    """Describe the annotation that names a role."""
    return DeterminingStatement(
        "service-account",
        f"ServiceAccount {account.namespace}/{account.name}",
        f"eks.amazonaws.com/role-arn: {account.aws_role}",
        "allow",
    )


def _list_association_steps(
    index: ClusterIndex, graph: IdentityGraph, association: PodIdentityAssociation
) -> Iterator[PathHop]:
    """Yield the steps of a Pod Identity association.

    Sources: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html,
    https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
    """
    namespace, name = association.namespace, association.service_account
    subject = KubernetesSubject(index.name, "serviceaccount", name, namespace)
    proof = DeterminingStatement(
        "pod-identity",
        f"PodIdentityAssociation {namespace}/{name}",
        association.role,
        "allow",
    )
    role = IdentityId(association.role)
    claims = {
        "aws:requesttag/kubernetes-namespace": (namespace,),
        "aws:requesttag/kubernetes-service-account": (name,),
    }
    arn = index.cluster.arn
    if arn:
        claims |= {
            "aws:requesttag/eks-cluster-arn": (arn,),
            "aws:requesttag/eks-cluster-name": (arn.rpartition("/")[2],),
            "aws:sourcearn": (arn,),
            "aws:sourceaccount": (arn.split(":")[4],),
        }
    if role not in graph.accounts.trusts:
        trust = build_atom(ROLE_TRUST, "Allows", (role,))
        yield PathHop(str(subject), "sts:AssumeRole", role, trust, (proof,))
    for hop in list_entries_by_service(graph, role, POD_IDENTITY_SERVICE, claims):
        determining = (proof, *hop.determining)
        yield PathHop(str(subject), hop.via, hop.to, hop.formula, determining)


def list_user_steps(inventory: Inventory) -> CrossPlatformSteps:
    """List the steps of all access entries and rows of aws-auth."""
    steps: list[PathHop] = []
    unknown: list[UnknownSubject] = []
    identities = [each.id for each in inventory.facts.identities]
    for access in get_clusters(inventory).values():
        missing = _explain_missing_entries(access.index)
        if missing:
            unknown.append(missing)
        steps += _list_entry_steps(access.index, identities)
    return CrossPlatformSteps(tuple(steps), tuple(unknown))


def _list_entry_steps(
    index: ClusterIndex, identities: Iterable[IdentityId]
) -> Iterator[PathHop]:
    """Yield the step of each access entry, and of each row of aws-auth."""
    by_short = {_drop_role_path(each): each for each in identities}
    for entry in index.entries:
        origin: str = entry.principal
        if entry.aws_auth:  # a row has no path, also for a role that has one
            origin = by_short.get(entry.principal, origin)
        user = build_user_subject(index.name, entry.username)
        kind = "row of aws-auth" if entry.aws_auth else "access entry"
        proof = DeterminingStatement(
            "access-entry",
            f"{kind} {entry.principal}",
            f"user {entry.username}",
            "allow",
        )
        via = "sts:GetCallerIdentity (token of an EKS cluster)"
        yield PathHop(origin, via, str(user), TRUE, (proof,))


def _drop_role_path(arn: str) -> str:
    """Return the ARN of a role without its path, as aws-auth names it."""
    head, mark, rest = arn.partition(":role/")
    return f"{head}{mark}{rest.rpartition('/')[2]}" if mark else arn


def _explain_missing_entries(index: ClusterIndex) -> UnknownSubject | None:
    """Explain that users from AWS are not known; None where they are, or none exist."""
    cluster = index.cluster
    known = index.collected.includes("access-entries")
    if known or (cluster.version and _EKS_VERSION not in cluster.version):
        return None
    what = f"the access entries of the cluster {index.name} were not collected"
    return UnknownSubject(f"cluster {index.name}", what, SOURCE)
