"""Print grants and rules in the words of the documents."""

from answerable.model.kubernetes_ids import PREFIX
from answerable.reach.kubernetes.catalogue import PolicyRule
from answerable.reach.kubernetes.cluster_index import RuleGrant
from answerable.reach.kubernetes.rule_matching import KubernetesRequest
from answerable.reach.platform import DeterminingStatement

RBAC_LAYER = "rbac"
ACCESS_POLICY_LAYER = "access-policy"
ALLOW = "allow"


def describe_grant(grant: RuleGrant) -> DeterminingStatement:
    """Describe a grant as a determining statement: the binding and the rule."""
    layer = RBAC_LAYER
    if grant.role.startswith("access policy"):
        layer = ACCESS_POLICY_LAYER
    if grant.source.startswith(PREFIX):  # permissions that a step gives
        text = describe_rule(grant.matcher.rule)
        return DeterminingStatement(layer, "the last step gives", text, ALLOW)
    return DeterminingStatement(layer, grant.source, name_rule(grant), ALLOW)


def name_rule(grant: RuleGrant) -> str:
    """Name a rule of a role, as `--without` takes it, with what it allows."""
    text = describe_rule(grant.matcher.rule)
    if not grant.role:
        return f"rule {grant.number}: {text}"
    return f"{grant.role} rule {grant.number}: {text}"


def describe_rule(rule: PolicyRule) -> str:
    """Describe what a rule allows, e.g. `get, list on pods, pods/log`."""
    verbs = ", ".join(rule.verbs)
    objects = [
        f"{resource}.{group}" if group else resource
        for resource in rule.resources
        for group in rule.api_groups
    ]
    objects += rule.non_resource_urls
    text = f"{verbs} on {', '.join(objects)}"
    if rule.resource_names:
        text += f" named {', '.join(rule.resource_names)}"
    return text


def describe_request(request: KubernetesRequest) -> str:
    """Describe the call of a step, e.g. `create deployments.apps`."""
    resource = request.combined_resource
    if request.group:
        kind, mark, subresource = resource.partition("/")
        resource = f"{kind}.{request.group}{mark}{subresource}"
    return f"{request.verb} {resource}"
