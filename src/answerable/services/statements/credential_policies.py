"""Read the signed credential policies of a store, verified on every read."""

from answerable.evidence.credential_policies import CREDENTIAL_POLICY_SHAPE
from answerable.model.credential_policy import CredentialPlatform, CredentialPolicy
from answerable.model.ids import AgentId, PersonId
from answerable.model.owner_signing_key import MAX_CLOCK_SKEW, VerifiedStatement
from answerable.services.statements.attested_owners import open_owner_reader
from answerable.services.statements.signed_statements import (
    RejectedStatement,
    SignedStatements,
    StatementReading,
)
from answerable.store.store import EvidenceStore

CREDENTIAL_POLICY = "credential-policy"  # kind of the objects


class CredentialPolicyReader(SignedStatements[CredentialPolicy]):
    """Cached reader of the credential policies of one store."""

    kind = CREDENTIAL_POLICY
    shape = CREDENTIAL_POLICY_SHAPE
    item = CredentialPolicy

    def select(self, now: int) -> StatementReading[CredentialPolicy]:
        """Select the newest policy of each agent and platform, by its owner now."""
        reader = open_owner_reader(self._store)
        owners = reader.owners_by_agent(now)
        newest: dict[tuple[str, str], CredentialPolicy] = {}
        rejected = list(self._rejected)
        for each in self._verified:
            policy = _build_credential_policy(each)
            owner = owners.get(policy.agent)
            person = reader.canonical_person(policy.person)
            if owner is None or owner.person != person:
                why = f"{policy.person} is not the attested owner of {policy.agent}"
                rejected.append(RejectedStatement(each.digest, why))
            elif policy.signed_at - MAX_CLOCK_SKEW <= now:
                newest[policy.agent, policy.platform] = policy
        active = tuple(
            each for each in newest.values() if each.document and now < each.expires
        )
        return StatementReading(active, tuple(rejected))


def _build_credential_policy(verified: VerifiedStatement) -> CredentialPolicy:
    """Convert a verified statement to the policy that it states."""
    claim = verified.statement.get_statement_claim
    return CredentialPolicy(
        agent=AgentId(verified.statement.subject),
        platform=CredentialPlatform(claim("platform")),
        document=claim("document"),
        profile=claim("profile"),
        role=claim("role"),
        duration=int(claim("duration")),
        person=PersonId(claim("person")),
        digest=verified.digest,
        signed_at=verified.statement.signed_at,
        expires=CREDENTIAL_POLICY_SHAPE.get_expiry(verified.statement),
    )


def find_credential_policy(
    store: EvidenceStore, agent: AgentId, platform: CredentialPlatform, now: int
) -> CredentialPolicy | None:
    """Find the credential policy of an agent that is in force; None if none is.

    Raises:
        VerificationError: The log or an object in it was changed.
        EnvironmentFailure: The store cannot be read.
    """
    for each in CredentialPolicyReader.open(store).read(now).active:
        if (each.agent, each.platform) == (agent, platform):
            return each
    return None
