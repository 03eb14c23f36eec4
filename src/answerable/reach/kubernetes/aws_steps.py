"""List the steps from service accounts to roles, and from AWS to users of clusters.

Sources: https://docs.aws.amazon.com/eks/latest/userguide/iam-roles-for-service-accounts.html,
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-association.html,
https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html and
https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.kubernetes_ids import KubernetesSubject, build_user_subject
from answerable.reach.condition_formula import TRUE, Formula, build_atom, conjoin
from answerable.reach.cross_platform_steps import (
    CrossPlatformSteps,
    UnscannedEntry,
    may_be_cluster,
)
from answerable.reach.kubernetes.answer_building import SOURCE
from answerable.reach.kubernetes.catalogue import PodIdentityAssociation, ServiceAccount
from answerable.reach.kubernetes.cluster_index import ClusterIndex
from answerable.reach.kubernetes.step_rules import CLOUD_AUDIENCE
from answerable.reach.platform import (
    DeterminingStatement,
    PathHop,
    UnknownSubject,
)
from answerable.reach.token_trust import TokenTrust, TokenTrusts

AUDIENCE = "sts.amazonaws.com"
POD_IDENTITY_SERVICE = "pods.eks.amazonaws.com"
ISSUER = "kubernetes:issuer"
ROLE_TRUST = "answerable:role-trust"
_EKS_ISSUER = "oidc.eks."
_EKS_VERSION = "-eks-"
_WILDCARDS = frozenset("*?[")
# Kinds without which a way to a service account may be missing.
_DECIDING = (
    "clusterrolebindings",
    "clusterroles",
    "rolebindings",
    "roles",
    "serviceaccounts",
)


def list_role_steps(
    clusters: Sequence[ClusterIndex], trusts: TokenTrusts
) -> CrossPlatformSteps:
    """List the steps of all service accounts to roles."""
    steps: list[PathHop] = []
    unknown: list[UnknownSubject] = []
    for index in clusters:
        mine = [*_TokenSteps(index, trusts).list_steps()]
        for association in index.cluster.pod_identities:
            mine += _list_association_steps(index, trusts, association)
        steps += mine
        missing = [each for each in _DECIDING if not index.collected.includes(each)]
        if missing and (mine or "serviceaccounts" in missing):
            what = f"not collected: {', '.join(missing)}"
            unknown.append(UnknownSubject(f"cluster {index.name}", what, SOURCE))
    unscanned = tuple(list_unscanned_entries(clusters, trusts))
    return CrossPlatformSteps(tuple(steps), tuple(unknown), unscanned)


def list_unscanned_entries(
    clusters: Sequence[ClusterIndex], trusts: TokenTrusts
) -> Iterator[UnscannedEntry]:
    """List the roles that trust the service accounts of clusters without a scan.

    A role that trusts EKS Pod Identity counts if no cluster was scanned.
    """
    issuers = {_get_issuer(index) for index in clusters}
    for issuer in trusts.list_token_issuers():
        may_be_scanned = "" in issuers and issuer.startswith(_EKS_ISSUER)
        if not may_be_cluster(issuer) or issuer in issuers or may_be_scanned:
            continue
        what = f"no scan describes the cluster of the issuer {issuer}"
        missing = UnknownSubject(issuer, what, SOURCE)
        for trust in trusts.list_token_trusts(issuer):
            if trust.collected:
                yield UnscannedEntry(trust.identity, missing)
    if not clusters:
        what = "no scan describes a cluster with EKS Pod Identity"
        missing = UnknownSubject(POD_IDENTITY_SERVICE, what, SOURCE)
        for role in trusts.list_service_trusts(POD_IDENTITY_SERVICE):
            yield UnscannedEntry(role, missing)


def _get_issuer(index: ClusterIndex) -> str:
    """Return the issuer of a cluster's tokens without its scheme; empty if unknown."""
    return index.cluster.issuer.removeprefix("https://").rstrip("/")


class _TokenSteps:
    """Steps of the tokens of one cluster's service accounts."""

    def __init__(self, index: ClusterIndex, trusts: TokenTrusts) -> None:
        self.index = index
        self.trusts = trusts
        self._accounts = {
            f"system:serviceaccount:{each.namespace}:{each.name}": each
            for each in index.cluster.service_accounts
        }

    def list_steps(self) -> Iterator[PathHop]:
        """Yield the steps that role trust policies allow, then those not known."""
        for issuer, condition in self._list_issuers():
            for trust in self.trusts.list_token_trusts(issuer):
                if trust.collected:
                    yield from self._list_entries(trust, condition)
        for account in self._accounts.values():
            key = str(self._get_subject(account))
            role = IdentityId(account.aws_role)
            if role and not self.trusts.has_trust_policy(role):
                trusted = build_atom(ROLE_TRUST, "Allows", (role,))
                proof = _describe_annotation(account)
                yield PathHop(
                    key, "sts:AssumeRoleWithWebIdentity", role, trusted, (proof,)
                )

    def _list_issuers(self) -> Iterator[tuple[str, Formula]]:
        """Yield the issuers that may be the cluster's, with the condition.

        Without the issuer of the cluster it may be any of EKS.
        """
        issuer = _get_issuer(self.index)
        for found in self.trusts.list_token_issuers():
            if issuer and found == issuer:
                yield found, TRUE
            elif not issuer and found.startswith(_EKS_ISSUER):
                yield found, build_atom(ISSUER, "Equals", (f"https://{found}",))

    def _list_entries(self, trust: TokenTrust, condition: Formula) -> Iterator[PathHop]:
        """Yield the entries of service accounts into one role."""
        for name, account in self._select_accounts(trust.list_limits("sub")).items():
            formula = condition
            if account.aws_role != trust.identity:
                used = build_atom(CLOUD_AUDIENCE, "Equals", (f"{name} for {AUDIENCE}",))
                formula = conjoin(condition, used)
            claims = {"sub": (name,), "aud": (AUDIENCE,)}
            for hop in self.trusts.list_token_entries(trust, claims):
                proof = (_describe_annotation(account),) if account.aws_role else ()
                yield PathHop(
                    str(self._get_subject(account)),
                    hop.via,
                    hop.to,
                    conjoin(formula, hop.formula),
                    (*proof, *hop.determining),
                )

    def _select_accounts(self, limits: Iterable[str]) -> Mapping[str, ServiceAccount]:
        """Select the service accounts that the patterns of a trust policy may name."""
        patterns = tuple(limits)
        if not patterns:
            return self._accounts
        if _WILDCARDS.isdisjoint("".join(patterns)):
            names = (each for each in patterns if each in self._accounts)
            return {name: self._accounts[name] for name in names}
        return {
            name: account
            for name, account in self._accounts.items()
            if any(fnmatchcase(name, each) for each in patterns)
        }

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
        f"annotation eks.amazonaws.com/role-arn {account.aws_role}",
        "allow",
    )


def _list_association_steps(
    index: ClusterIndex, trusts: TokenTrusts, association: PodIdentityAssociation
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
    if not trusts.has_trust_policy(role):
        trusted = build_atom(ROLE_TRUST, "Allows", (role,))
        yield PathHop(str(subject), "sts:AssumeRole", role, trusted, (proof,))
    for hop in trusts.list_service_entries(role, POD_IDENTITY_SERVICE, claims):
        determining = (proof, *hop.determining)
        yield PathHop(str(subject), hop.via, hop.to, hop.formula, determining)


def list_user_steps(
    clusters: Sequence[ClusterIndex], inventory: Inventory
) -> CrossPlatformSteps:
    """List the steps of all access entries and rows of aws-auth."""
    steps: list[PathHop] = []
    unknown: list[UnknownSubject] = []
    identities = (
        [each.id for each in inventory.facts.iterate_identities()] if clusters else []
    )
    for index in clusters:
        missing = _explain_missing_entries(index)
        if missing:
            unknown.append(missing)
        steps += _list_entry_steps(index, identities)
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
