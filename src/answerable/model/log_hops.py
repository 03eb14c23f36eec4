"""Hops of a lineage chain that each log source can supply, and the fields with them.

A source without an entry for a hop cannot supply it. Field names are those of the
record formats that docs/log-sources.md cites for each source.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HopSupply:
    """Supply of one hop by one log.

    Attributes:
        when: Condition under which the log supplies it.
        fields: Members of the record that carry it.
    """

    when: str
    fields: str


SUPPLYING_SOURCES = {
    "person": "an owner in the inventory (scan, attest), or sign-in records",
    "agent": "agent configurations (scan home: and repo:), or a gateway's records",
    "tool": "one credential per tool in the configurations, or a gateway's records",
    "identity": "a platform's own log",
    "action": "a platform's own log",
    "resource": "a platform's own log; for cloud storage its data events",
}
_EVERY = "for every record"
_NAMED = "if the record contains one"

HOPS_OF_LOGS = {
    ("cloudtrail", "person"): HopSupply(
        "if a person signed in with AWS or an identity provider",
        "userIdentity.sessionContext.webIdFederationData, userIdentity.userName of "
        "SAMLUser, onBehalfOf.userId, session name of Identity Center",
    ),
    ("cloudtrail", "identity"): HopSupply(
        "for every call that AWS authenticated",
        "userIdentity.arn, userIdentity.sessionContext.sessionIssuer.arn",
    ),
    ("cloudtrail", "action"): HopSupply(_EVERY, "eventSource, eventName"),
    ("cloudtrail", "resource"): HopSupply(_NAMED, "resources[].ARN, requestParameters"),
    ("k8s-audit", "person"): HopSupply(
        "if the user name is an address", "user.username"
    ),
    ("k8s-audit", "identity"): HopSupply(
        "for every authenticated request", "user.username, impersonatedUser.username"
    ),
    ("k8s-audit", "action"): HopSupply(_EVERY, "verb, objectRef.resource"),
    ("k8s-audit", "resource"): HopSupply(_NAMED, "objectRef"),
    ("github-audit", "person"): HopSupply(
        "if SAML links the account to a person", "external_identity_nameid"
    ),
    ("github-audit", "identity"): HopSupply("for every event with an actor", "actor"),
    ("github-audit", "action"): HopSupply(_EVERY, "action"),
    ("github-audit", "resource"): HopSupply(_NAMED, "repo, org"),
    ("gcp-audit", "person"): HopSupply(
        "if a user is the caller, or impersonates the caller",
        "authenticationInfo.principalEmail, "
        "authenticationInfo.serviceAccountDelegationInfo[]",
    ),
    ("gcp-audit", "identity"): HopSupply(
        "for every authenticated call",
        "authenticationInfo.principalEmail, authenticationInfo.principalSubject",
    ),
    ("gcp-audit", "action"): HopSupply(_EVERY, "protoPayload.methodName"),
    ("gcp-audit", "resource"): HopSupply(_NAMED, "protoPayload.resourceName"),
    ("azure-activity", "person"): HopSupply(
        "if the token belongs to a user", "caller, identity.claims"
    ),
    ("azure-activity", "identity"): HopSupply(
        "if the record contains claims or a caller",
        "identity.claims.appid, identity.claims.oid, caller",
    ),
    ("azure-activity", "action"): HopSupply(_EVERY, "operationName"),
    ("azure-activity", "resource"): HopSupply(_NAMED, "resourceId"),
    ("entra", "person"): HopSupply(
        "for every successful sign-in of a user",
        "userPrincipalName, initiatedBy.user.userPrincipalName",
    ),
    ("entra", "identity"): HopSupply(
        "for every sign-in and change", "userPrincipalName, appId, initiatedBy"
    ),
    ("entra", "action"): HopSupply(_EVERY, "activityDisplayName; sign-in"),
    ("entra", "resource"): HopSupply(_NAMED, "resourceId, targetResources[]"),
    ("okta", "person"): HopSupply(
        "for every successful act of a user", "actor.alternateId"
    ),
    ("okta", "identity"): HopSupply(
        "for every event with an actor", "actor.type, actor.id, actor.alternateId"
    ),
    ("okta", "action"): HopSupply(_EVERY, "eventType"),
    ("okta", "resource"): HopSupply(_NAMED, "target[]"),
    ("anthropic-audit", "person"): HopSupply(
        "for actions of a user", "actor.email_address"
    ),
    ("anthropic-audit", "identity"): HopSupply(
        "for every activity", "actor.type, actor.email_address, actor.api_key_id"
    ),
    ("anthropic-audit", "action"): HopSupply(_EVERY, "type"),
    ("anthropic-audit", "resource"): HopSupply(_NAMED, "resource_id and other ids"),
    ("openai-audit", "person"): HopSupply(
        "for actions of a user, also with an API key",
        "actor.session.user.email, actor.api_key.user.email",
    ),
    ("openai-audit", "identity"): HopSupply(
        "for every entry", "actor.session.user, actor.api_key"
    ),
    ("openai-audit", "action"): HopSupply(_EVERY, "type"),
    ("openai-audit", "resource"): HopSupply(_NAMED, "the member named by type"),
    ("bedrock", "identity"): HopSupply("for every invocation", "identity.arn"),
    ("bedrock", "action"): HopSupply(_EVERY, "operation"),
    ("bedrock", "resource"): HopSupply(_EVERY, "modelId"),
    ("credential-broker", "agent"): HopSupply(
        "for every agent that got a credential", "agent of the signed policy"
    ),
    ("credential-broker", "action"): HopSupply(_EVERY, "operation that issued it"),
    ("sts", "person"): HopSupply(
        "if a verified token contains one", "person of the exchanged token"
    ),
    ("sts", "agent"): HopSupply(
        "for every agent that got a token", "subject and act of the token"
    ),
    ("sts", "action"): HopSupply(_EVERY, "action"),
    ("sts", "resource"): HopSupply(_NAMED, "requested audience"),
    ("gateway", "person"): HopSupply(
        "if the caller's verified token contains one", "person of the caller's token"
    ),
    ("gateway", "agent"): HopSupply(
        "for every caller that it verified", "authenticated caller"
    ),
    ("gateway", "tool"): HopSupply("for every call", "server and tool of the call"),
    ("gateway", "action"): HopSupply(_EVERY, "method of the call"),
    ("gateway", "resource"): HopSupply(_NAMED, "target of the call"),
    ("web", "person"): HopSupply("if a sign-in contains one", "signed-in person"),
    ("web", "action"): HopSupply(_EVERY, "action"),
    ("pdp", "person"): HopSupply(
        "if the enforcement point forwarded its caller's token",
        "person of the caller's token",
    ),
    ("pdp", "agent"): HopSupply(
        "for every agent in a query of an enforcement point", "subject.id"
    ),
    ("pdp", "tool"): HopSupply(
        "for every call in a query of an enforcement point", "resource.id"
    ),
    ("pdp", "action"): HopSupply(_EVERY, "action.name"),
    ("pdp", "resource"): HopSupply(_NAMED, "resource.id"),
}
