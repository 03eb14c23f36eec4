"""Actions that each log source cannot contain, for the coverage of answers.

Sources: the pages that docs/log-sources.md and docs/lineage.md name for each log.
"""

LOG_LIMITS = {
    "cloudtrail": "data events that are not enabled, other regions and accounts",
    "k8s-audit": "requests that the audit policy excludes; other clusters",
    "github-audit": "reads in the web interface; Git events older than 7 days, others "
    "older than 180; OIDC tokens of workflows",
    "gcp-audit": "reads and token creation without data access logs; other projects",
    "azure-activity": "reads; calls inside a resource without diagnostic settings",
    "entra": "uses of a token after its sign-in; sign-ins may arrive hours late",
    "okta": "events older than 90 days; uses of a token at other services",
    "anthropic-audit": "inference",
    "openai-audit": "inference",
    "bedrock": "calls other than those of bedrock-runtime; other regions",
    "claude-code": "acts of other clients; lines that the agent or its user changed",
    "otel": "acts that the agent did not report; spans that were sampled out",
}
