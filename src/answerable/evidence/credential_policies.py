"""Build and verify signed statements of the credential that an agent gets."""

from answerable.evidence.signed_statements import StatementFault, StatementShape
from answerable.model.credential_policy import (
    MAX_DURATION,
    MAX_POLICY_LIFETIME,
    CredentialPlatform,
    CredentialPolicy,
    find_document_fault,
)
from answerable.model.owner_signing_key import (
    OwnerStatement,
    StatementContent,
    StatementInvalidity,
    StatementType,
)


def build_credential_policy_content(policy: CredentialPolicy) -> StatementContent:
    """Build the content of a credential policy; signature and digest are left out."""
    claims = {
        "document": policy.document,
        "duration": str(policy.duration),
        "expires": str(policy.expires),
        "person": policy.person,
        "platform": policy.platform.value,
        "profile": policy.profile,
        "role": policy.role,
    }
    return StatementContent(StatementType.CREDENTIAL_POLICY, policy.agent, claims)


def _find_credential_policy_fault(statement: OwnerStatement) -> StatementFault | None:
    """Return the fault of a statement that names no agent, platform or document."""
    claim = statement.get_statement_claim
    duration = claim("duration")
    try:
        platform = CredentialPlatform(claim("platform"))
        valid = statement.subject.startswith("agent:") and (
            not claim("document")
            or not find_document_fault(platform, claim("document"))
        )
    except ValueError:
        valid = False
    bounded = duration.isascii() and duration.isdecimal() and len(duration) < 6
    if not valid or not bounded or not 0 < int(duration) <= MAX_DURATION:
        text = "the statement is not a credential policy"
        return StatementInvalidity.UNREADABLE, text
    return None


CREDENTIAL_POLICY_SHAPE = StatementShape(
    noun="credential policy",
    claims={
        StatementType.CREDENTIAL_POLICY: (
            "document",
            "duration",
            "expires",
            "person",
            "platform",
            "profile",
            "role",
        )
    },
    expiry="expires",
    lifetimes={StatementType.CREDENTIAL_POLICY: MAX_POLICY_LIFETIME},
    find_fault=_find_credential_policy_fault,
)
