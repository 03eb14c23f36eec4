"""Rules on credentials: their places, lifetime and use."""

from collections.abc import Iterator

from answerable.model.credential import CredentialClass, CredentialLifetime
from answerable.posture.facts import PostureFacts
from answerable.posture.rule import Finding, Fix, RuleResult, build_evidence
from answerable.posture.severity import Held, ReachLevel, SeverityFacts, Trigger

_REFERENCES = (
    CredentialClass.RECORD,
    CredentialClass.ENV_REF,
    CredentialClass.KEYCHAIN,
)


def find_scattered_credentials(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find static credentials whose value is in more than one file."""
    for key, entity in facts.inventory.credentials.items():
        lying = [s for s in entity.sightings if s.cls not in _REFERENCES]
        files = dict.fromkeys(s.place.partition("#")[0] for s in lying)
        static = any(s.lifetime is CredentialLifetime.STATIC for s in lying)
        if not static or len(files) < 2:
            continue
        yield Finding(
            rule="scattered-credential",
            subject=key,
            platform=lying[0].seen.source.partition(":")[0],
            title=f"the same static {lying[0].kind} is in {len(files)} files",
            severity=SeverityFacts(
                Trigger.INSIDER,
                ReachLevel.NOT_KNOWN,
                frozenset({Held.STANDING, Held.SCATTERED}),
            ),
            evidence=tuple(
                build_evidence(f"{s.name} holds it", s.seen, s.place) for s in lying
            ),
            fix=Fix(
                "Rotate the key, keep it in one secret store, and refer to it from "
                "each file."
            ),
            identity=entity.identity or "",
            causes=(key,),
        )
