"""Read EKS facts: the cluster, access entries, Pod Identity associations, aws-auth.

Sources: Amazon EKS API Reference, DescribeCluster, DescribeAccessEntry,
ListAssociatedAccessPolicies, DescribePodIdentityAssociation;
https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html
"""

from dataclasses import dataclass, field, replace

import msgspec

from answerable.connectors.formats.document_node import DocumentNode, RawValue
from answerable.connectors.formats.yaml_parser import parse_yaml
from answerable.connectors.kubernetes.kinds import (
    ACCESS_ENTRIES,
    AWS_AUTH,
    POD_IDENTITIES,
)
from answerable.connectors.kubernetes.parse.cluster_builder import (
    ClusterBuilder,
    describe_validation_error,
)
from answerable.connectors.kubernetes.parse.object_fields import (
    AwsAuthFields,
    ObjectFields,
)
from answerable.model.errors import ParseError
from answerable.model.kubernetes_ids import normalise_cluster_name
from answerable.reach.kubernetes.catalogue import AccessEntry, PodIdentityAssociation

ANSWER_KEYS = frozenset(
    (
        "cluster",
        "accessEntry",
        "accessEntries",
        "associatedAccessPolicies",
        "association",
        "associations",
    )
)
_STANDARD = "STANDARD"


class _Oidc(ObjectFields, frozen=True):
    issuer: str = ""


class _Identity(ObjectFields, frozen=True):
    oidc: _Oidc | None = None


class _AccessConfig(ObjectFields, frozen=True):
    authentication_mode: str = ""


class _Cluster(ObjectFields, frozen=True):
    name: str = ""
    arn: str = ""
    version: str = ""
    identity: _Identity | None = None
    access_config: _AccessConfig | None = None


class _AccessEntry(ObjectFields, frozen=True):
    principal_arn: str
    username: str = ""
    kubernetes_groups: list[str] | None = None
    type: str = _STANDARD


class _AccessScope(ObjectFields, frozen=True):
    type: str = "cluster"
    namespaces: list[str] | None = None


class _AssociatedPolicy(ObjectFields, frozen=True):
    policy_arn: str
    access_scope: _AccessScope = _AccessScope()


class _Association(ObjectFields, frozen=True):
    namespace: str = ""
    service_account: str = ""
    role_arn: str = ""
    target_role_arn: str = ""
    external_id: str = ""
    association_id: str = ""


class _Answer(ObjectFields, frozen=True):
    cluster: _Cluster | None = None
    access_entry: _AccessEntry | None = None
    access_entries: list[str] | None = None
    associated_access_policies: list[_AssociatedPolicy] | None = None
    principal_arn: str = ""
    association: _Association | None = None
    associations: list[_Association] | None = None


@dataclass(slots=True)
class EksReader:
    """Reader of EKS answers into the cluster.

    Attributes:
        listed: Principals that list-access-entries names; None where not collected.
        policies: Access policies by principal.
        association_ids: Ids that list-pod-identity-associations names.
    """

    builder: ClusterBuilder
    listed: set[str] | None = None
    described: set[str] = field(default_factory=set)
    policies: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    association_ids: set[str] | None = None
    described_associations: set[str] = field(default_factory=set)
    has_aws_auth: bool = False

    def read_answer(self, raw: RawValue, place: str) -> None:
        """Read one answer of the AWS CLI."""
        try:
            answer = msgspec.convert(raw, _Answer, strict=False)
        except msgspec.ValidationError as error:
            self.builder.add_problem(place, describe_validation_error(error))
            self.builder.unread.append(f"EKS output ({place})")
            return
        self.builder.recognised += 1
        if answer.cluster:
            self._read_cluster(answer.cluster)
        if answer.access_entry:
            self._read_access_entry(answer.access_entry, place)
        if answer.access_entries is not None:
            self.listed = (self.listed or set()) | set(answer.access_entries)
        if answer.associated_access_policies is not None:
            self.policies[answer.principal_arn] = tuple(
                _list_policy_scopes(answer.associated_access_policies)
            )
        if answer.associations is not None:
            ids = {each.association_id for each in answer.associations}
            self.association_ids = (self.association_ids or set()) | ids
        for each in (answer.association, *(answer.associations or ())):
            if each and each.role_arn:
                self._read_association(each, place)

    def _read_cluster(self, cluster: _Cluster) -> None:
        """Read describe-cluster."""
        builder = self.builder
        builder.arn = cluster.arn or builder.arn
        builder.name = builder.name or normalise_cluster_name(
            cluster.arn or cluster.name
        )
        builder.version = cluster.version or builder.version
        if cluster.identity and cluster.identity.oidc:
            builder.issuer = cluster.identity.oidc.issuer.rstrip("/")
        if cluster.access_config:
            builder.authentication_mode = cluster.access_config.authentication_mode

    def _read_access_entry(self, entry: _AccessEntry, place: str) -> None:
        """Read describe-access-entry."""
        self.described.add(entry.principal_arn)
        groups = tuple(entry.kubernetes_groups or ())
        # https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html:
        # nodes get system:nodes from the type of the entry.
        if entry.type.startswith("EC2_") or entry.type.startswith("HYBRID_"):
            groups = tuple(dict.fromkeys((*groups, "system:nodes")))
        self.builder.access_entries[entry.principal_arn, False] = AccessEntry(
            principal=entry.principal_arn,
            username=entry.username or entry.principal_arn,
            groups=groups,
            place=place,
        )

    def _read_association(self, association: _Association, place: str) -> None:
        """Read describe-pod-identity-association."""
        self.described_associations.add(association.association_id)
        key = (association.namespace, association.service_account)
        self.builder.pod_identities[key] = PodIdentityAssociation(
            namespace=association.namespace,
            service_account=association.service_account,
            role=association.role_arn,
            target_role=association.target_role_arn,
            external_id=association.external_id,
            place=place,
        )

    def read_aws_auth(self, raw: RawValue, place: str) -> None:
        """Read the ConfigMap aws-auth."""
        try:
            data = msgspec.convert(raw, AwsAuthFields, strict=False).data
            rows = [
                *_read_rows(data.map_roles, "rolearn"),
                *_read_rows(data.map_users, "userarn"),
            ]
        except (msgspec.ValidationError, ParseError) as error:
            what = getattr(error, "reason", "") or describe_validation_error(error)
            self.builder.add_problem(place, f"ConfigMap aws-auth: {what}")
            self.builder.unread.append(f"ConfigMap kube-system/aws-auth ({place})")
            return
        self.has_aws_auth = True
        self.builder.recognised += 1
        for principal, username, groups in rows:
            self.builder.access_entries[principal, True] = AccessEntry(
                principal=principal,
                username=username or principal,
                groups=groups,
                aws_auth=True,
                place=place,
            )
        if data.map_accounts.strip():
            self.builder.unread.append(
                f"mapAccounts of ConfigMap kube-system/aws-auth ({place})"
            )

    def finish(self) -> tuple[str, ...]:
        """Join access entries with their policies; return the collected kinds."""
        for key, entry in self.builder.access_entries.items():
            found = self.policies.get(entry.principal)
            if found and not entry.aws_auth:
                self.builder.access_entries[key] = replace(entry, policies=found)
        mode = self.builder.authentication_mode
        known = self.listed is not None and self.listed <= (
            self.described & self.policies.keys()
        )
        associations = (
            self.association_ids is not None
            and self.association_ids <= self.described_associations
        )
        held = (
            (ACCESS_ENTRIES, known or mode == "CONFIG_MAP"),
            (AWS_AUTH, self.has_aws_auth or mode == "API"),
            (POD_IDENTITIES, associations),
        )
        return tuple(word for word, collected in held if collected)


def _list_policy_scopes(
    policies: list[_AssociatedPolicy],
) -> list[tuple[str, str]]:
    """List access policies with their scopes: `cluster`, or one row per namespace."""
    rows = []
    for each in policies:
        name = each.policy_arn.rpartition("/")[2]
        if each.access_scope.type == "namespace":
            rows += [(name, space) for space in each.access_scope.namespaces or ()]
        else:
            rows.append((name, "cluster"))
    return rows


def _read_rows(text: str, key: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Read `mapRoles` or `mapUsers`: ARN, user name, groups.

    Raises:
        ParseError: The text is not YAML.
    """
    root = DocumentNode("", parse_yaml(text))
    return [
        (row.text_at(key), row.text_at("username"), row.texts("groups"))
        for row in root.items()
        if row.text_at(key)
    ]
