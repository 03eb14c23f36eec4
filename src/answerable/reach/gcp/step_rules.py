"""Steps from one identity of Google Cloud to another, as data.

A rule needs permissions on the service account, on its project, or on a workload that
runs as it. Pages are below https://docs.cloud.google.com/.
"""

from dataclasses import dataclass

GET_ACCESS_TOKEN = "iam.serviceAccounts.getAccessToken"  # noqa: S105 - a permission
ACT_AS = "iam.serviceAccounts.actAs"
DELEGATION = "iam.serviceAccounts.implicitDelegation"
OPEN_ID_TOKEN = "iam.serviceAccounts.getOpenIdToken"  # noqa: S105 - a permission
CREATE_KEY = "iam.serviceAccountKeys.create"
PROVIDER_WRITES = (
    "iam.workloadIdentityPoolProviders.create",
    "iam.workloadIdentityPoolProviders.update",
)
ROLE_UPDATE = "iam.roles.update"
_IMPERSONATE = "iam/docs/service-account-permissions"
_ATTACH = "iam/docs/attach-service-accounts"


@dataclass(frozen=True, slots=True)
class GoogleStepRule:
    """Way to act as a service account.

    Attributes:
        via: Permission that names the step.
        account: Permissions on the service account.
        project: Permissions on its project, or on the workload.
        workload: Kind of a workload that runs as the account; empty if it is created.
        condition: Key of a condition that is not collected; empty for none.
        agent: Beginning of the address of the account, for a service that acts as an
            agent of its own.
        source: Page that says so.
    """

    via: str
    account: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    workload: str = ""
    condition: str = ""
    agent: str = ""
    source: str = ""


def _build_account_rule(permission: str, source: str) -> GoogleStepRule:
    """Build the rule of a permission on the service account alone."""
    return GoogleStepRule(permission, (permission,), source=source)


def _build_deployment_rule(
    *project: str, condition: str = "", source: str = ""
) -> GoogleStepRule:
    """Build the rule of a service that starts code as a service account."""
    return GoogleStepRule(
        project[0], (ACT_AS,), project, condition=condition, source=source or _ATTACH
    )


TEMPLATE = "gcp:template-use"
LOGIN = "gcp:instance-login"
EXISTS = "gcp:object-exists"
INVOKE = "gcp:trigger-target"
CLUSTER = "gcp:cluster-access"
KEY_POLICY = "gcp:key-creation-policy"

# Tokens of a service account: any caller that gets one is that account.
TOKEN_RULES = (
    _build_account_rule(
        GET_ACCESS_TOKEN,
        "iam/docs/create-short-lived-credentials-direct; pathfinding.cloud gcp-iam-001",
    ),
    _build_account_rule("iam.serviceAccounts.signJwt", _IMPERSONATE),
    _build_account_rule("iam.serviceAccounts.signBlob", _IMPERSONATE),
)
STEP_RULES: tuple[GoogleStepRule, ...] = (
    *TOKEN_RULES,
    _build_account_rule(CREATE_KEY, "iam/docs/keys-create-delete"),
    _build_account_rule(
        "iam.serviceAccounts.setIamPolicy",
        "iam/docs/manage-access-service-accounts",
    ),
    _build_deployment_rule(
        "compute.instances.create",
        "compute.disks.create",
        "compute.subnetworks.use",
        source="compute/docs/access/create-enable-service-accounts-for-instances",
    ),
    _build_deployment_rule(
        "cloudfunctions.functions.create", source="functions/docs/securing"
    ),
    _build_deployment_rule(
        "run.services.create", source="run/docs/reference/iam/roles"
    ),
    _build_deployment_rule(
        "run.jobs.create", "run.jobs.run", source="run/docs/reference/iam/roles"
    ),
    _build_deployment_rule(
        "cloudbuild.builds.create", source="build/docs/securing-builds"
    ),
    _build_deployment_rule(
        "cloudscheduler.jobs.create", source="scheduler/docs/http-target-auth"
    ),
    _build_deployment_rule(
        "cloudtasks.tasks.create", source="tasks/docs/creating-http-target-tasks"
    ),
    _build_deployment_rule(
        "workflows.workflows.create",
        "workflows.executions.create",
        source="workflows/docs/authentication",
    ),
    _build_deployment_rule(
        "dataflow.jobs.create", source="dataflow/docs/concepts/access-control"
    ),
    _build_deployment_rule(
        "dataproc.clusters.create", source="dataproc/docs/concepts/iam/iam"
    ),
    _build_deployment_rule(
        "dataproc.batches.create", source="dataproc/docs/concepts/iam/iam"
    ),
    _build_deployment_rule(
        "composer.environments.create", source="composer/docs/access-control"
    ),
    _build_deployment_rule(
        "notebooks.instances.create", source="vertex-ai/docs/workbench"
    ),
    _build_deployment_rule(
        "aiplatform.customJobs.create",
        source="vertex-ai/docs/general/custom-service-account",
    ),
    _build_deployment_rule(
        "aiplatform.pipelineJobs.create",
        source="vertex-ai/docs/general/custom-service-account",
    ),
    _build_deployment_rule(
        "aiplatform.reasoningEngines.create",
        source="agent-builder/agent-engine/set-up",
    ),
    _build_deployment_rule(
        "batch.jobs.create", source="batch/docs/create-run-job-custom-service-account"
    ),
    _build_deployment_rule(
        "config.deployments.create", source="infrastructure-manager/docs"
    ),
    _build_deployment_rule(
        "container.clusters.create", source="kubernetes-engine/docs/how-to/iam"
    ),
    _build_deployment_rule(
        "datafusion.instances.create", source="data-fusion/docs/access-control"
    ),
    _build_deployment_rule(
        "appengine.versions.create", source="appengine/docs/standard/roles"
    ),
    _build_deployment_rule(
        "compute.instanceTemplates.create",
        condition=TEMPLATE,
        source="compute/docs/instance-templates/create-instance-templates",
    ),
    _build_deployment_rule(
        "eventarc.triggers.create",
        condition=INVOKE,
        source="eventarc/docs/access-control",
    ),
    GoogleStepRule(
        "deploymentmanager.deployments.create",
        project=("deploymentmanager.deployments.create",),
        agent="@cloudservices.gserviceaccount.com",
        source="deployment-manager/docs/access-control",
    ),
)
CLUSTER_RULE = GoogleStepRule(
    "container.clusters.getCredentials",
    (),
    ("container.clusters.getCredentials",),
    "container.googleapis.com/",
    CLUSTER,
    source="kubernetes-engine/docs/how-to/iam",
)
# Changes of workloads that exist. Those of services of which a project has no collected
# workload have the condition that one exists.
WORKLOAD_RULES: tuple[GoogleStepRule, ...] = (
    *(
        GoogleStepRule(
            permission,
            (ACT_AS,),
            (permission,),
            kind,
            LOGIN,
            source="compute/docs/access/service-accounts",
        )
        for permission, kind in (
            ("compute.instances.setMetadata", "compute.googleapis.com/Instance"),
            ("compute.instances.osAdminLogin", "compute.googleapis.com/Instance"),
            ("compute.instances.osLogin", "compute.googleapis.com/Instance"),
            ("compute.projects.setCommonInstanceMetadata", "compute.googleapis.com/"),
        )
    ),
    GoogleStepRule(
        "cloudfunctions.functions.update",
        (ACT_AS,),
        ("cloudfunctions.functions.update",),
        "cloudfunctions.googleapis.com/",
        source="functions/docs/securing",
    ),
    GoogleStepRule(
        "run.services.update",
        (ACT_AS,),
        ("run.services.update",),
        "run.googleapis.com/",
        source="run/docs/reference/iam/roles",
    ),
    GoogleStepRule(
        "workflows.workflows.update",
        (ACT_AS,),
        ("workflows.workflows.update", "workflows.executions.create"),
        "workflows.googleapis.com/",
        source="workflows/docs/authentication",
    ),
    GoogleStepRule(
        "cloudscheduler.jobs.update",
        (ACT_AS,),
        ("cloudscheduler.jobs.update",),
        "cloudscheduler.googleapis.com/",
        source="scheduler/docs/http-target-auth",
    ),
    GoogleStepRule(
        "aiplatform.reasoningEngines.update",
        (ACT_AS,),
        ("aiplatform.reasoningEngines.update",),
        "aiplatform.googleapis.com/ReasoningEngine",
        source="agent-builder/agent-engine/manage/update",
    ),
    GoogleStepRule(
        "dataflow.jobs.updateContents",
        (),
        ("dataflow.jobs.updateContents",),
        "dataflow.googleapis.com/Job",
        EXISTS,
        source="dataflow/docs/guides/updating-a-pipeline",
    ),
    GoogleStepRule(
        "dataproc.jobs.create",
        (),
        ("dataproc.jobs.create",),
        "dataproc.googleapis.com/Cluster",
        source="dataproc/docs/concepts/iam/iam",
    ),
    CLUSTER_RULE,
    GoogleStepRule(
        "deploymentmanager.deployments.update",
        (),
        ("deploymentmanager.deployments.update",),
        "deploymentmanager.googleapis.com/Deployment",
        agent="@cloudservices.gserviceaccount.com",
        source="deployment-manager/docs/access-control",
    ),
)
# Permissions whose holder sets the policy of a project, folder or organization.
CONTAINER_POLICY = {
    "projects": "resourcemanager.projects.setIamPolicy",
    "folders": "resourcemanager.folders.setIamPolicy",
    "organizations": "resourcemanager.organizations.setIamPolicy",
}
# Permissions whose holder takes the rules of a deny policy away, on the project, folder or
# organization that it is attached to.
DENY_CHANGES = ("iam.denypolicies.update", "iam.denypolicies.delete")
# The same for an access boundary, on its organization; to remove a binding of it needs a
# permission on the set of principals, too.
BOUNDARY_CHANGES = (
    "iam.principalaccessboundarypolicies.update",
    "iam.principalaccessboundarypolicies.delete",
)
BOUNDARY_UNBIND = "iam.principalaccessboundarypolicies.unbind"
# The same for an organization policy that blocks the creation of keys.
KEY_POLICY_CHANGES = (
    "orgpolicy.policy.set",
    "orgpolicy.policies.update",
    "orgpolicy.policies.delete",
)
# Permissions to change the tags of a resource: on the tag value, and on the resource.
TAG_VALUE_CHANGES = (
    "resourcemanager.tagValueBindings.create",
    "resourcemanager.tagValueBindings.delete",
)
TAG_CHANGE_ENDINGS = (".createTagBinding", ".deleteTagBinding")
STEP_PERMISSIONS = frozenset(
    permission
    for rule in (*STEP_RULES, *WORKLOAD_RULES)
    for permission in (*rule.account, *rule.project)
) | {DELEGATION, OPEN_ID_TOKEN, *PROVIDER_WRITES}
