"""Table of Kubernetes privilege escalation: how one identity acts as another.

A step needs permissions, all in one scope, and gives identities or permissions. Sources
are sections of https://kubernetes.io/docs unless they name another place.
"""

from dataclasses import dataclass
from enum import StrEnum

Kind = tuple[str, str, str]  # resource, API group, subresource

_GOOD_PRACTICES = "concepts/security/rbac-good-practices/"
_RBAC = "reference/access-authn-authz/rbac/"
_IMPERSONATION = "reference/access-authn-authz/user-impersonation/"
RBAC = "rbac.authorization.k8s.io"


class Gain(StrEnum):
    """Identities and permissions that a step gives."""

    SERVICE_ACCOUNTS = "service accounts of the namespace, or the named one"
    HELD_TOKENS = "service accounts whose tokens secrets of the namespace hold"
    RUNNING_PODS = "pods of the namespace, or the named one"
    PODS_OF_NODES = "pods on all nodes, or on the named one"
    SECRETS = "secrets and configuration that pods of the namespace may mount"
    NODES = "nodes that run a privileged pod of the namespace"
    USERS = "users, or the named one"
    GROUPS = "groups, or the named one"
    CERTIFICATES = "users and groups except system:masters"
    EVERY_POD = "service accounts of all namespaces"
    ARGO_CONTROLLER = "service account of the Argo CD application controller"


@dataclass(frozen=True, slots=True)
class Need:
    """Permission that a step needs: one of the verbs on one of the resources.

    Attributes:
        names: Names of the objects; empty for any.
        anywhere: True where it is needed in cluster scope for a step of any scope.
    """

    verbs: tuple[str, ...]
    kinds: tuple[Kind, ...]
    names: tuple[str, ...] = ()
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class StepRule:
    """Step that permissions give.

    Attributes:
        needs: Permissions that are all needed; `resourceNames` of the first one name
            the gained objects.
        namespaced: True where it holds in each namespace, False in cluster scope.
        condition: Key of a condition of the step; empty for none.
        existing: True where an object of the needed kind must exist.
        before: Version since which the permission no longer suffices, as (1, 35).
        api_only: Whether it gives API rights of an identity without a token that other
            clouds accept: "authorization acts on impersonated user info" (impersonation),
            and the issuer of a token in a secret is `kubernetes/serviceaccount`, not that
            of the cluster (kubernetes pkg/serviceaccount/legacy.go, LegacyIssuer).
    """

    name: str
    needs: tuple[Need, ...]
    gains: tuple[Gain, ...]
    namespaced: bool
    why: str
    source: str
    condition: str = ""
    existing: bool = False
    before: tuple[int, int] | None = None
    api_only: bool = False


WORKLOADS: tuple[Kind, ...] = (
    ("deployments", "apps", ""),
    ("daemonsets", "apps", ""),
    ("statefulsets", "apps", ""),
    ("replicasets", "apps", ""),
    ("replicationcontrollers", "", ""),
    ("jobs", "batch", ""),
    ("cronjobs", "batch", ""),
)
WORKLOAD_KINDS = {
    "Deployment": "deployments",
    "DaemonSet": "daemonsets",
    "StatefulSet": "statefulsets",
    "ReplicaSet": "replicasets",
    "ReplicationController": "replicationcontrollers",
    "Job": "jobs",
    "CronJob": "cronjobs",
}
PODS: Kind = ("pods", "", "")
SECRETS: Kind = ("secrets", "", "")
_READ = ("get", "list", "watch")
_EDIT = ("update", "patch")

ADMISSION = "kubernetes:admission"
CONTROLLER = "kubernetes:controller"
POD_CREATED = "kubernetes:pod-created"
INTERACTIVE = "kubernetes:interactive-process"
OBJECT_EXISTS = "kubernetes:object-exists"
SERVER_VERSION = "kubernetes:server-version"
NODE_CHOICE = "kubernetes:node"
KERNEL = "kubernetes:kernel-protection"
CLOUD_AUDIENCE = "kubernetes:token-audience"

STEP_RULES: tuple[StepRule, ...] = (
    StepRule(
        "impersonate a service account",
        (Need(("impersonate",), (("serviceaccounts", "", ""),)),),
        (Gain.SERVICE_ACCOUNTS,),
        True,
        "the request is authorized as the service account",
        _IMPERSONATION,
        api_only=True,
    ),
    StepRule(
        "impersonate a user",
        (Need(("impersonate",), (("users", "", ""),)),),
        (Gain.USERS,),
        False,
        "the request is authorized as the user",
        _IMPERSONATION,
        api_only=True,
    ),
    StepRule(
        "request a token",
        (Need(("create",), (("serviceaccounts", "", "token"),)),),
        (Gain.SERVICE_ACCOUNTS,),
        True,
        "the TokenRequest API returns a token of the service account",
        f"{_GOOD_PRACTICES}#token-request",
    ),
    StepRule(
        "read token secrets",
        (Need(_READ, (SECRETS,)),),
        (Gain.HELD_TOKENS,),
        True,
        "a secret of type kubernetes.io/service-account-token holds a token",
        f"{_GOOD_PRACTICES}#listing-secrets",
        api_only=True,
    ),
    StepRule(
        "create a token secret",
        (Need(("create",), (SECRETS,)), Need(_READ, (SECRETS,))),
        (Gain.SERVICE_ACCOUNTS,),
        True,
        "the token controller fills a new token secret, which is then read",
        "concepts/configuration/secret/#serviceaccount-token-secrets",
        api_only=True,
    ),
    StepRule(
        "create a pod",
        (Need(("create",), (PODS, *WORKLOADS)),),
        (Gain.SERVICE_ACCOUNTS, Gain.SECRETS, Gain.NODES),
        True,
        "a pod runs as any service account of its namespace and mounts its secrets",
        f"{_GOOD_PRACTICES}#workload-creation",
    ),
    StepRule(
        "edit a workload",
        (Need(_EDIT, WORKLOADS),),
        (Gain.SERVICE_ACCOUNTS, Gain.SECRETS, Gain.NODES),
        True,
        "the pod template names the service account, the image and the secrets",
        f"{_GOOD_PRACTICES}#workload-creation",
        existing=True,
    ),
    StepRule(
        "change the image of a pod",
        (Need(_EDIT, (PODS,)),),
        (Gain.RUNNING_PODS,),
        True,
        "images of a running pod can be changed",
        "concepts/workloads/pods/#pod-update-and-replacement",
    ),
    StepRule(
        "execute in a pod",
        (Need(("create",), (("pods", "", "exec"),)),),
        (Gain.RUNNING_PODS,),
        True,
        "a command in the container reads its token",
        "tasks/debug/debug-application/get-shell-running-container/",
    ),
    StepRule(
        "execute in a pod by websocket",
        (Need(("get",), (("pods", "", "exec"),)),),
        (Gain.RUNNING_PODS,),
        True,
        "a websocket begins with GET; since 1.35 it needs create too",
        "AuthorizePodWebsocketUpgradeCreatePermission in "
        "reference/command-line-tools-reference/feature-gates/",
        before=(1, 35),
    ),
    StepRule(
        "attach to a pod",
        (Need(("create",), (("pods", "", "attach"),)),),
        (Gain.RUNNING_PODS,),
        True,
        "the input of a process that reads commands",
        "reference/kubectl/generated/kubectl_attach/",
        condition=INTERACTIVE,
    ),
    StepRule(
        "add a container to a pod",
        (Need(_EDIT, (("pods", "", "ephemeralcontainers"),)),),
        (Gain.RUNNING_PODS,),
        True,
        "an ephemeral container reads the files of the other containers",
        "concepts/workloads/pods/ephemeral-containers/",
    ),
    StepRule(
        "execute through the kubelet",
        (Need(("create", "get"), (("nodes", "", "proxy"),)),),
        (Gain.PODS_OF_NODES,),
        False,
        "the kubelet API executes in every pod of the node, by websocket with GET too",
        f"{_GOOD_PRACTICES}#access-to-proxy-subresource-of-nodes",
    ),
    StepRule(
        "mount the file system of a node through a volume",
        (
            Need(("create",), (("persistentvolumes", "", ""),), anywhere=True),
            Need(("create",), (("persistentvolumeclaims", "", ""),)),
            Need(("create",), (PODS, *WORKLOADS)),
        ),
        (Gain.NODES,),
        True,
        "a persistent volume with hostPath is not limited by pod security standards",
        f"{_GOOD_PRACTICES}#persistent-volume-creation",
        condition=ADMISSION,
    ),
    StepRule(
        "sign a client certificate",
        (
            Need(
                ("create",),
                (("certificatesigningrequests", "certificates.k8s.io", ""),),
            ),
            Need(
                _EDIT,
                (("certificatesigningrequests", "certificates.k8s.io", "approval"),),
            ),
            Need(
                ("approve",),
                (("signers", "certificates.k8s.io", ""),),
                ("kubernetes.io/kube-apiserver-client", "kubernetes.io/*"),
            ),
        ),
        (Gain.CERTIFICATES,),
        False,
        "the approver of an own request chooses its user name and groups",
        f"{_GOOD_PRACTICES}#csrs-and-certificate-issuing",
        api_only=True,
    ),
    StepRule(
        "change pods at admission",
        (
            Need(
                ("create", *_EDIT),
                (
                    (
                        "mutatingwebhookconfigurations",
                        "admissionregistration.k8s.io",
                        "",
                    ),
                ),
            ),
        ),
        (Gain.EVERY_POD,),
        False,
        "a mutating webhook changes each pod that is created",
        f"{_GOOD_PRACTICES}#control-admission-webhooks",
        condition=POD_CREATED,
    ),
    StepRule(
        "write a kagent agent",
        (Need(("create", *_EDIT), (("agents", "kagent.dev", ""),)),),
        (Gain.SERVICE_ACCOUNTS,),
        True,
        "the controller runs the agent with the service account that it names",
        "https://kagent.dev/docs/kagent/resources/api-ref",
        condition=CONTROLLER,
    ),
    StepRule(
        "write a Flux kustomization",
        (
            Need(
                ("create", *_EDIT),
                (
                    ("kustomizations", "kustomize.toolkit.fluxcd.io", ""),
                    ("helmreleases", "helm.toolkit.fluxcd.io", ""),
                ),
            ),
        ),
        (Gain.SERVICE_ACCOUNTS,),
        True,
        "the controller applies manifests as the service account that it names",
        "https://fluxcd.io/flux/components/kustomize/kustomizations/",
        condition=CONTROLLER,
        api_only=True,
    ),
    StepRule(
        "write an Argo CD application",
        (Need(("create", *_EDIT), (("applications", "argoproj.io", ""),)),),
        (Gain.ARGO_CONTROLLER,),
        True,
        "application syncs have the privileges of the Argo CD control plane",
        "https://argo-cd.readthedocs.io/en/stable/proposals/"
        "decouple-application-sync-user-using-impersonation/",
        condition=CONTROLLER,
        api_only=True,
    ),
)
ARGO_ACCOUNT = "argocd-application-controller"  # end of its name in all installations
IMPERSONATE_GROUPS = Need(("impersonate",), (("groups", "", ""),))
SOURCE_OF_BIND = f"{_RBAC}#restrictions-on-role-binding-creation-or-update"
SOURCE_OF_ESCALATE = f"{_RBAC}#restrictions-on-role-creation-or-update"

# Rules of the Node authorizer for its own node that do not depend on the pods on it.
# Source: kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go, NodeRules.
NODE_AUTHORIZER_RULES: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...] = (
    (("create",), "authentication.k8s.io", ("tokenreviews",)),
    (
        ("create",),
        "authorization.k8s.io",
        ("subjectaccessreviews", "localsubjectaccessreviews"),
    ),
    (_READ, "", ("services", "nodes", "pods")),
    (("create", "patch", "update"), "", ("events",)),
    (("create", *_READ), "certificates.k8s.io", ("certificatesigningrequests",)),
    (_READ, "storage.k8s.io", ("csidrivers",)),
    (_READ, "node.k8s.io", ("runtimeclasses",)),
)
