"""Rules on credentials, identities, trust and evidence."""

from answerable.posture import rule_data as data
from answerable.posture.rule import FindingRule
from answerable.posture.rules import (
    actions,
    cloud,
    credentials,
    gateway,
    granted_actions,
    logged_use,
    servers,
)

ACCESS_RULES: tuple[FindingRule, ...] = (
    FindingRule(
        id="public-identity",
        title="Identity that anyone can act as",
        question="Which roles and service accounts can any principal use?",
        detail=(
            "AWS: the trust policy names `*`. With conditions, an outsider can assume the "
            "role; without conditions, anyone can. Google Cloud: `allUsers` or "
            "`allAuthenticatedUsers` has a role on a service account, project, folder or "
            "organization; public data, such as a bucket, is not listed. Kubernetes: a "
            "binding to `system:anonymous`, `system:unauthenticated` or "
            "`system:authenticated`, except the roles of API discovery; in a cluster of "
            "GKE, everyone with a Google account is `system:authenticated`. GitHub, Azure "
            "and PostgreSQL have no such identity."
        ),
        platforms=("aws", "gcp", "kubernetes"),
        owasp=("NHI6:2025", "NHI4:2025"),
        requires=data.PUBLIC_ENTRIES,
        severity=(
            "anonymous, or outsider under conditions x reach of the role x standing, "
            "unbounded"
        ),
        repair="Name the principals in the trust policy or the binding.",
        evaluate=cloud.find_public_identities,
    ),
    FindingRule(
        id="root-key",
        title="Access key of a root user",
        question="Which accounts have an access key of the root user?",
        detail="No policy limits the root user.",
        platforms=("aws",),
        owasp=("NHI5:2025", "NHI7:2025"),
        requires=data.KEYS,
        severity="outsider x administrator x standing, unbounded",
        repair="Delete the key.",
        evaluate=credentials.find_root_keys,
    ),
    FindingRule(
        id="caller-asserted-grant",
        title="Grant that depends on text of the caller",
        question=(
            "Which grants are guarded only by conditions that the caller writes about"
            " itself?"
        ),
        detail=(
            "The caller chooses the values of keys such as `aws:UserAgent` and "
            "`aws:Referer`. [Reach](../reach.md) classifies each condition key by the "
            "party "
            "that sets it."
        ),
        platforms=("aws",),
        owasp=("NHI4:2025", "ASI03:2026"),
        requires=data.AWS,
        severity=(
            "anonymous, or insider for a named principal x reach of the subject x "
            "standing, unbounded"
        ),
        repair="Use a condition that the platform sets.",
        evaluate=cloud.find_caller_asserted_grants,
    ),
    FindingRule(
        id="wide-oidc-trust",
        title="Identity that too many workflows can act as",
        question=(
            "Which identities trust more workflows than those of one branch or "
            "environment of one repository?"
        ),
        detail=(
            "AWS: without a condition on `sub`, every repository on GitHub can assume the "
            "role. With a wildcard in the repository or the reference, everyone who "
            "may push a branch can assume the role. Google Cloud: the condition of the "
            "provider and the member of the identity pool count together, for the "
            "issuers of GitHub, GitLab, Terraform Cloud, Buildkite and Google. A condition "
            "that is no conjunction of comparisons with `==` is not evaluated. The federated "
            "credentials of Azure are not read: the rule is not evaluated there."
        ),
        platforms=("aws", "gcp", "azure"),
        owasp=("NHI4:2025", "NHI6:2025"),
        requires=data.ENTRIES,
        severity=(
            "outsider, or insider for one organization x reach of the role x "
            "standing, unbounded"
        ),
        repair="Name one repository and one branch or environment.",
        evaluate=cloud.find_wide_oidc_trusts,
    ),
    FindingRule(
        id="open-argument-schema",
        title="Policy that an undeclared argument bypasses",
        question=(
            "Which policies of the gateway limit the arguments of a tool that accepts "
            "undeclared arguments?"
        ),
        detail=(
            "A policy compares only the arguments that it names. If the tool's schema "
            "allows other arguments, an agent can send the same value in an argument "
            "that no policy reads. The gateway refuses undeclared arguments of a tool "
            "if a "
            "person approved a definition with `additionalProperties: false` "
            "([policies](../policies.md#look-alike-names)). Name the configuration: "
            "`answerable findings --config FILE`."
        ),
        platforms=("gateway",),
        owasp=("ASI02:2026", "ASI03:2026"),
        requires=data.GATEWAY,
        severity="the agent alone x reach of the policy's agent, or not known",
        repair=(
            "Close the schema at the server, and approve the definition: `answerable "
            "tools approve`."
        ),
        evaluate=gateway.find_open_argument_limits,
    ),
    FindingRule(
        id="external-identity",
        title="Identity that named outsiders can act as",
        question=(
            "Which roles and service accounts can principals of other accounts or "
            "organizations use?"
        ),
        detail=(
            "Accounts of the same organization do not count, if the organization was "
            "collected. Google Cloud: members of a service account's policy whose "
            "project was not scanned, or whose domain is not that of the organization; "
            "without the organization, users and groups are not evaluated. On Azure, "
            "GitHub and Kubernetes, the rule is not evaluated."
        ),
        platforms=("aws", "gcp", "azure", "github", "kubernetes"),
        owasp=("NHI3:2025", "NHI4:2025"),
        requires=data.ENTRIES,
        severity=(
            "outsider, or insider under conditions x reach of the role x standing, "
            "unbounded"
        ),
        repair="Remove the principal, or require an external id and the organization.",
        evaluate=cloud.find_external_identities,
    ),
    FindingRule(
        id="literal-secret",
        title="Literal secret in a configuration",
        question="Which configurations hold the value of a secret?",
        detail=(
            "A secret is found by its position in the schema of the file, never by "
            "guessing. Keys of model providers do not count."
        ),
        platforms=("home", "repo"),
        owasp=("NHI2:2025",),
        requires=data.CONFIG,
        severity="insider x reach of its identity x standing",
        repair="Rotate the secret, and replace the value with a reference.",
        evaluate=credentials.find_literal_secrets,
    ),
    FindingRule(
        id="shared-credential",
        title="Static credential that several agents use",
        question="Which static credentials do several agents use?",
        detail=(
            "A log cannot distinguish the agents, and a revocation stops all agents."
        ),
        platforms=("home", "repo", "kubernetes"),
        owasp=("NHI9:2025",),
        requires=data.CONFIG,
        severity="another failure x reach of its identity x standing",
        repair="Give each agent its own credential.",
        evaluate=credentials.find_shared_credentials,
    ),
    FindingRule(
        id="administrator",
        title="Identity that is or can become an administrator",
        question="Which identities without an agent are administrators, or can become one?",
        detail=(
            "The root user, the platform's own service roles, permission sets and "
            "user accounts and groups of persons on GitHub and Google Cloud are not "
            "listed."
        ),
        platforms=("aws", "kubernetes", "github", "postgres", "gcp"),
        owasp=("NHI5:2025",),
        requires=data.PERMISSIONS,
        severity="another failure x administrator x standing, unbounded",
        repair=(
            "Reduce its permissions to those that it uses, and remove the path to the "
            "administrator: `answerable what-if --cuts`."
        ),
        evaluate=cloud.find_administrators,
    ),
    FindingRule(
        id="old-credential",
        title="Old access key",
        question="Which active access keys are older than 90 days?",
        detail=(
            "The CIS AWS Foundations Benchmark requires the rotation of keys after 90 "
            "days. Without the platform's record of the key, the rule is not evaluated."
        ),
        platforms=("aws",),
        owasp=("NHI7:2025",),
        requires=data.KEYS,
        severity="another failure x reach of its identity x standing",
        repair="Rotate the key, or replace it with federation.",
        evaluate=credentials.find_old_credentials,
    ),
    FindingRule(
        id="unused-credential",
        title="Unused access key",
        question="Which active access keys were not used for 45 days?",
        detail=(
            "The CIS AWS Foundations Benchmark requires that keys without use for 45 "
            "days are deactivated. Without the platform's record of the last use, the "
            "rule is not evaluated."
        ),
        platforms=("aws",),
        owasp=("NHI1:2025", "NHI7:2025"),
        requires=data.KEYS,
        severity="another failure x reach of its identity x standing",
        repair="Deactivate the key, and delete it if nothing fails.",
        evaluate=credentials.find_unused_credentials,
    ),
    FindingRule(
        id="unused-access",
        title="Unused access of an agent",
        question="Which identities of agents were not used for 90 days?",
        detail=(
            "The rule uses the platform's record of the last use, and ingested logs "
            "that cover the account. It counts days since the last use: those up to "
            "the scan that read this record, and those with events in the log. A day "
            "without events does not count, because its log may be missing, and "
            "neither does a day of which events were removed or cannot be read. "
            "With 90 such days or fewer, the rule is not evaluated."
        ),
        platforms=("aws",),
        owasp=("NHI5:2025", "NHI1:2025"),
        requires=data.LOGS,
        severity="another failure x reach of the identity x standing, unbounded",
        repair="Remove the agent's access, then the identity.",
        evaluate=logged_use.find_unused_identities,
    ),
    FindingRule(
        id="unused-action",
        title="Granted actions that an agent does not use",
        question="Which identities of agents have granted actions without calls?",
        detail=(
            "An action counts as granted if the identity's own policies allow it, "
            "also under conditions. An action counts as unused only if the ingested "
            "trail records its calls on at least 30 days; days without events, and "
            "days of which events were removed or cannot be read, do not count. Data "
            "events that a trail does not "
            "record are listed as not evaluated. Other rules cover administrators, "
            "and identities without any call. An action that is needed less often "
            "than once in this time also counts as unused: `answerable reach IDENTITY "
            "--used` lists the recorded time of each action."
        ),
        platforms=("aws",),
        owasp=("NHI5:2025", "ASI03:2026"),
        requires=data.TRAIL,
        severity="another failure x reach of the identity x standing, unbounded",
        repair="Grant only the actions that the identity uses: `answerable least-privilege IDENTITY`.",
        evaluate=granted_actions.find_unused_actions,
    ),
    FindingRule(
        id="replaceable-key",
        title="Static key where the platform offers federation",
        question="Which static keys could be replaced by federation?",
        detail=(
            "AWS, Google Cloud and Azure exchange a signed token for a session, so "
            "that no key has to be stored."
        ),
        platforms=("home", "repo"),
        owasp=("NHI7:2025", "NHI4:2025"),
        requires=data.CONFIG,
        severity="another failure x reach of its identity x standing",
        repair="Replace the key with federation, then delete it.",
        evaluate=credentials.find_replaceable_keys,
    ),
    FindingRule(
        id="unpinned-server",
        title="Server or package without a fixed version",
        question="Which agents start the newest version of a package or an image?",
        detail=(
            "`npx`, `uvx`, `dnx` and `docker run` fetch the newest version if none is "
            "named. A branch or a tag can be moved, and `@1` or `@1.x` is a range of "
            "versions for npm. A whole version with `@` or `==`, or an image digest, "
            "cannot be moved. Commands in the steps of a workflow agent's job count, "
            "also `npm install -g` and `pipx install`; after an `npm ci`, `npx NAME` "
            "without `-y` starts the locked version."
        ),
        platforms=("home", "repo"),
        owasp=("NHI3:2025", "ASI10:2026"),
        requires=data.CONFIG,
        severity="another failure x reach of the agent x unbounded",
        repair="Pin the reviewed version.",
        evaluate=servers.find_unpinned_servers,
    ),
    FindingRule(
        id="unpinned-action",
        title="Workflow action without the hash of a commit",
        question="Which workflow agents run an action that a branch or a tag names?",
        detail=(
            "A branch or a tag can be moved, and the new code runs with the token and "
            "the secrets of the job. The full hash of a commit and the digest of an "
            "image cannot be moved; an action of the same repository is part of its "
            "commit. All steps of the agent's job count. Only jobs that run an agent "
            "are listed."
        ),
        platforms=("repo",),
        owasp=("NHI3:2025", "ASI10:2026"),
        requires=data.WORKFLOW,
        severity="another failure x reach of the job x unbounded",
        repair="Name the full hash of the reviewed commit.",
        evaluate=actions.find_unpinned_actions,
    ),
    FindingRule(
        id="evidence-gap",
        title="Agent without evidence",
        question="For which identities of agents does no ingested log record the calls?",
        detail=(
            "Without the log, the acts of the agent are not known. A log covers an "
            "identity if it is the log of its account, cluster, organization or "
            "project, and its newest event is at most 30 days old. The audit log of "
            "GitHub must contain events of API requests. A service account of Google "
            "Cloud is logged in the project of the resource, so the logs of all "
            "scanned projects are needed. `answerable trace --score` lists the data "
            "events that a log does not record."
        ),
        platforms=("aws", "kubernetes", "github", "postgres", "gcp"),
        owasp=("ASI10:2026",),
        requires=data.AGENT,
        severity="another failure x reach of the identity",
        repair="Ingest the log of its platform.",
        evaluate=logged_use.find_evidence_gaps,
    ),
)
