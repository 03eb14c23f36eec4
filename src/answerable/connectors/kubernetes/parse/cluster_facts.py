"""Build inventory facts from a cluster: identities, credentials, links and owners."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from answerable.connectors.formats.aws_api_responses import parse_timestamp_ns
from answerable.connectors.formats.owner_tags import find_tag_owners
from answerable.connectors.formats.platform_identity import (
    build_google_account_identity,
)
from answerable.connectors.kubernetes.parse.cluster_builder import (
    ClusterBuilder,
    ObjectSource,
    hide_secret,
)
from answerable.connectors.kubernetes.parse.object_readers import TOKEN_SECRET
from answerable.model.credential import (
    Credential,
    CredentialClass,
    CredentialLifetime,
    CredentialLink,
)
from answerable.model.identity import Identity
from answerable.model.ids import CredentialId, IdentityId, parse_arn_account
from answerable.model.kubernetes_ids import (
    NODE_PREFIX,
    KubernetesSubject,
    build_user_subject,
)
from answerable.model.person import OwnerEvidence, Person
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.reach.kubernetes.catalogue import (
    Cluster,
    SecretObject,
    ServiceAccount,
    Workload,
)

_PULL_SECRETS = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")
_CLIENT_SIGNERS = (
    "kubernetes.io/kube-apiserver-client",
    "kubernetes.io/kube-apiserver-client-kubelet",
)
# Domains of labels and annotations that tools set: they name no owner.
_TOOL_DOMAINS = ("kubernetes.io", "k8s.io", "helm.sh", "argoproj.io", "fluxcd.io")


@dataclass(slots=True)
class ClusterFacts:
    """Facts of one cluster.

    Attributes:
        names: Cluster name in ids.
    """

    cluster: Cluster
    builder: ClusterBuilder
    source: str
    now: int
    identities: dict[str, Identity] = field(default_factory=dict)
    credentials: dict[str, Credential] = field(default_factory=dict)
    links: list[CredentialLink] = field(default_factory=list)
    persons: list[Person] = field(default_factory=list)
    evidence: list[OwnerEvidence] = field(default_factory=list)

    def build(self) -> None:
        """Build every fact."""
        for account in self.cluster.service_accounts:
            self._add_listed_service_account(account)
        self._add_named_subjects()
        for secret in self.cluster.secrets:
            self._add_secret(secret)
        for workload in self.cluster.workloads:
            self.add_workload_credentials(workload)
        self._add_client_certificates()

    def get_provenance(self, place: str, *, admitted: bool = True) -> FactProvenance:
        """Return the provenance of an object; a manifest could be an agent's work."""
        author = WrittenBy.PLATFORM if admitted else WrittenBy.SELF_REPORTED
        return FactProvenance(self.source, place, author, self.now)

    def _add_listed_service_account(self, account: ServiceAccount) -> None:
        """Add a service account with its owners and credentials."""
        key = (account.namespace, account.name)
        source = self.builder.sources["ServiceAccount", *key]
        seen = self.get_provenance(account.place, admitted=source.admitted)
        identity = self.add_service_account(*key, seen, source)
        self.add_owners((identity,), source, seen)
        for name in account.secrets:
            self._add_secret(
                SecretObject(
                    account.namespace,
                    name,
                    TOKEN_SECRET,
                    account.name,
                    place=account.place,
                )
            )
        for name in account.image_pull_secrets:
            self._add_secret(
                SecretObject(
                    account.namespace, name, _PULL_SECRETS[0], place=account.place
                )
            )
        self._add_cloud_identities(account, seen)

    def add_service_account(
        self,
        namespace: str,
        name: str,
        seen: FactProvenance,
        source: ObjectSource | None = None,
    ) -> IdentityId:
        """Add the identity of a service account; return its id."""
        subject = KubernetesSubject(
            self.cluster.name, "serviceaccount", name, namespace
        )
        return self._add_identity(subject, "k8s-serviceaccount", seen, source)

    def _add_identity(
        self,
        subject: KubernetesSubject,
        kind: str,
        seen: FactProvenance,
        source: ObjectSource | None = None,
    ) -> IdentityId:
        """Add an identity unless it is known."""
        key = IdentityId(str(subject))
        if key not in self.identities:
            self.identities[key] = Identity(
                id=key,
                kind=kind,
                name=subject.name,
                account=self.cluster.name,
                unique_id=source.uid if source else "",
                tags=source.labels if source else (),
                created_at=parse_timestamp_ns(source.created_at or 0) if source else 0,
                last_used_at=0,
                seen=seen,
            )
        return key

    def _add_user(self, username: str, seen: FactProvenance) -> IdentityId:
        """Add the identity of a user name: a user, a node or a service account."""
        subject = build_user_subject(self.cluster.name, username)
        if subject.kind == "serviceaccount":
            return self._add_identity(subject, "k8s-serviceaccount", seen)
        node = username.startswith(NODE_PREFIX)
        return self._add_identity(subject, "k8s-node" if node else "k8s-user", seen)

    def _add_group(self, name: str, seen: FactProvenance) -> None:
        """Add the identity of a group."""
        self._add_identity(
            KubernetesSubject(self.cluster.name, "group", name), "k8s-group", seen
        )

    def _add_named_subjects(self) -> None:
        """Add the subjects that bindings, access entries and nodes name."""
        for binding in self.cluster.bindings:
            seen = self.get_provenance(binding.place)
            for subject in binding.subjects:
                if not subject.name:
                    continue
                if subject.kind == "User":
                    self._add_user(subject.name, seen)
                elif subject.kind == "Group":
                    self._add_group(subject.name, seen)
                elif namespace := subject.namespace or binding.namespace:
                    self.add_service_account(namespace, subject.name, seen)
        for entry in self.cluster.access_entries:
            seen = self.get_provenance(entry.place)
            self._add_user(entry.username, seen)
            for group in entry.groups:
                self._add_group(group, seen)
        for node in self.cluster.nodes:
            seen = self.get_provenance(f"{self.source}#Node/{node.name}")
            self._add_user(NODE_PREFIX + node.name, seen)

    def build_credential_id(self, *parts: str) -> CredentialId:
        """Build the id of a credential of the cluster."""
        return CredentialId("/".join(("cred:k8s", self.cluster.name, *parts)))

    def _add_secret(self, secret: SecretObject) -> CredentialId:
        """Add a Secret as a credential, by name."""
        key = self.build_credential_id(secret.namespace, "secret", secret.name)
        kind = {
            TOKEN_SECRET: "k8s-token",
            _PULL_SECRETS[0]: "image-pull-secret",
            _PULL_SECRETS[1]: "image-pull-secret",
        }.get(secret.kind, "k8s-secret")
        source = None
        known = self.credentials.get(key)
        if known is None or (known.kind == "k8s-secret" and kind != known.kind):
            self._add_credential(key, kind, secret.name, secret.place, source)
        if kind == "k8s-token" and secret.service_account:
            seen = self.get_provenance(secret.place)
            identity = self.add_service_account(
                secret.namespace, secret.service_account, seen
            )
            self.add_link(key, identity, "token-secret", seen)
        return key

    def add_referenced_secret(
        self, namespace: str, name: str, place: str, kind: str = ""
    ) -> CredentialId:
        """Add a Secret that an object refers to; return its credential's id."""
        listed = self.builder.secrets.get((namespace, name))
        return self._add_secret(
            listed or SecretObject(namespace, name, kind, place=place)
        )

    def _add_credential(
        self,
        key: CredentialId,
        kind: str,
        name: str,
        place: str,
        source: ObjectSource | None = None,
        lifetime: CredentialLifetime = CredentialLifetime.STATIC,
        cls: CredentialClass = CredentialClass.RECORD,
        account: str = "",
        expires_at: int = 0,
    ) -> None:
        """Add a credential without a value."""
        self.credentials[key] = Credential(
            id=key,
            kind=kind,
            cls=cls,
            lifetime=lifetime,
            name=name,
            place=place,
            scope="",
            hint="",
            account=account,
            status="",
            created_at=parse_timestamp_ns(source.created_at or 0) if source else 0,
            expires_at=expires_at,
            last_used_at=0,
            seen=self.get_provenance(place),
        )

    def add_link(
        self,
        credential: CredentialId,
        identity: IdentityId,
        how: str,
        seen: FactProvenance,
    ) -> None:
        """Link a credential to the identity that it proves."""
        self.links.append(CredentialLink(credential, identity, how, seen))

    def add_workload_credentials(self, workload: Workload) -> CredentialId | None:
        """Add the credentials of a workload; return its mounted token, if any."""
        for name in workload.image_pull_secrets:
            self.add_referenced_secret(
                workload.namespace, name, workload.place, _PULL_SECRETS[0]
            )
        for container in workload.containers:
            for name in container.secrets:
                self.add_referenced_secret(workload.namespace, name, workload.place)
        if not self._mounts_token(workload):
            return None
        owner = workload.controller if workload.kind == "Pod" else ""
        named = owner or f"{workload.kind}/{workload.name}"
        key = self.build_credential_id(workload.namespace, named, "token")
        seen = self.get_provenance(workload.place)
        identity = self.add_service_account(
            workload.namespace, workload.service_account, seen
        )
        if key not in self.credentials:
            self._add_credential(
                key,
                "k8s-token",
                f"{workload.namespace}/{workload.service_account}",
                workload.place,
                lifetime=CredentialLifetime.SHORT_LIVED,
                cls=CredentialClass.AMBIENT,
            )
            self.add_link(key, identity, "mounted-token", seen)
        return key

    def _mounts_token(self, workload: Workload) -> bool:
        """Return whether a token of the service account is mounted in a workload."""
        if not any(each.tokens_mounted for each in workload.containers):
            return False
        source = self.builder.sources[workload.kind, workload.namespace, workload.name]
        admitted_pod = workload.kind == "Pod" and source.admitted
        if workload.automount is not None or admitted_pod:
            return True
        account = self.builder.service_accounts.get(
            (workload.namespace, workload.service_account)
        )
        return account is None or account.automount is not False

    def _add_cloud_identities(
        self, account: ServiceAccount, seen: FactProvenance
    ) -> None:
        """Add the cloud identities that annotations of a service account name.

        The annotation is a hint: the cloud's own trust policy decides. For AWS it was
        scanned, so no link is made here; for the others the link keeps an answer from
        being `never`.
        """
        stated = (
            ("aws-web-identity", account.aws_role),
            ("gcp-workload-identity", account.gcp_service_account),
            ("azure-workload-identity", account.azure_client_id),
        )
        for kind, target in stated:
            if not target:
                continue
            key = self.build_credential_id(account.namespace, account.name, kind)
            self._add_credential(
                key,
                kind,
                target,
                account.place,
                lifetime=CredentialLifetime.FEDERATED,
                cls=CredentialClass.AMBIENT,
                account=parse_arn_account(target),
            )
            if kind == "gcp-workload-identity":
                identity = build_google_account_identity(target).to_identity(seen)
                self.identities.setdefault(identity.id, identity)
                self.add_link(key, identity.id, "annotation", seen)

    def _add_client_certificates(self) -> None:
        """Add the client certificates that signing requests record."""
        for request in self.cluster.signing_requests:
            if request.signer not in _CLIENT_SIGNERS or not request.subject:
                continue
            key = self.build_credential_id("certificate", request.name)
            lifetime = CredentialLifetime.STATIC
            self._add_credential(
                key,
                "k8s-client-certificate",
                request.subject,
                request.place,
                lifetime=lifetime,
                expires_at=request.expires_at,
            )
            seen = self.get_provenance(request.place)
            identity = self._add_user(request.subject, seen)
            if request.issued:
                self.add_link(key, identity, "client-certificate", seen)

    def add_owners(
        self, subjects: tuple[str, ...], source: ObjectSource, seen: FactProvenance
    ) -> None:
        """Add the owners that labels and annotations of an object name."""
        people, evidence = find_tag_owners(subjects, tuple(_iter_tags(source)), seen)
        self.persons += people
        self.evidence += evidence


def _iter_tags(source: ObjectSource) -> Iterator[tuple[str, str]]:
    """Yield labels and annotations that no tool sets."""
    noted = ((k, v) for k, v in source.annotations.items() if isinstance(v, str))
    for key, value in (*source.labels, *noted):
        domain = key.rpartition("/")[0]
        if not domain.endswith(_TOOL_DOMAINS):
            yield key, hide_secret(value)
