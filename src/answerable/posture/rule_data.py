"""Data that rules need, with the sources that have it."""

from collections.abc import Mapping

from answerable.posture.facts import GATEWAY_POLICIES
from answerable.posture.rule import RequiredData

AGENT = RequiredData(
    "agents of a home directory, a project folder or a platform",
    (
        ("home", ("home",), "home:DIR"),
        ("repo", ("repo",), "repo:DIR"),
        ("aws", ("identity-policies",), "aws:FILE"),
        ("kubernetes", ("k8s",), "k8s:FILE"),
    ),
)
CONFIG = RequiredData(
    "configuration files of a home or a project",
    (("home", ("home",), "home:DIR"), ("repo", ("repo",), "repo:DIR")),
)
WORKFLOW = RequiredData(
    "workflow files of a project", (("repo", ("workflows",), "repo:DIR"),)
)
PERMISSIONS = RequiredData(
    "policies and grants of each platform",
    (
        ("aws", ("identity-policies",), "aws:FILE"),
        ("kubernetes", ("k8s",), "k8s:FILE"),
        ("github", ("github",), "github:FILE"),
        ("gcp", ("gcp",), "gcp:DIR"),
        ("postgres", ("pg",), "pg:FILE"),
    ),
)
PEOPLE = RequiredData(
    "a directory of people who are present and who have left",
    (("aws", ("aws-org", "leavers"), "people:FILE"),),
)
AWS = RequiredData(
    "policies of the account", (("aws", ("identity-policies",), "aws:FILE"),)
)
ENTRIES = RequiredData(
    "policies and bindings of each platform",
    (
        ("aws", ("identity-policies",), "aws:FILE"),
        ("gcp", ("gcp",), "gcp:DIR"),
    ),
)
PUBLIC_ENTRIES = RequiredData(
    ENTRIES.text,
    (*ENTRIES.platforms, ("kubernetes", ("k8s",), "k8s:FILE")),
)
KEYS = RequiredData(
    "access keys of the account", (("aws", ("access-keys",), "aws-keys:FILE"),)
)
LOGS = RequiredData(
    "audit logs, or the platform's record of the last use",
    (("aws", ("cloudtrail", "identity-policies"), "cloudtrail:PATH"),),
)
TRAIL = RequiredData(
    "policies of the account, and its CloudTrail logs",
    (("aws", ("identity-policies",), "aws:FILE"),),
)
GATEWAY = RequiredData(
    "policies of the gateway, and the tool definitions that it pinned",
    (("gateway", (GATEWAY_POLICIES,), "config:FILE"),),
)
# Kinds of data or connectors of which one is enough to evaluate a rule of a platform.
DATA_OF_PLATFORM: Mapping[str, tuple[str, ...]] = {
    "home": ("home",),
    "repo": ("repo",),
    "aws": ("identity-policies", "access-keys"),
    "kubernetes": ("k8s",),
    "github": ("github",),
    "gcp": ("gcp",),
    "postgres": ("pg",),
    "azure": ("azure", "entra"),
    "gateway": (GATEWAY_POLICIES,),
}
