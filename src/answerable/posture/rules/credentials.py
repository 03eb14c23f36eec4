"""Rules on credentials: their places, age, use and users."""

from collections.abc import Iterator

from answerable.model.credential import (
    MODEL_KEYS,
    Credential,
    CredentialClass,
    CredentialLifetime,
)
from answerable.model.inventory import CredentialEntity
from answerable.model.tool import REMOTE
from answerable.posture.agent_reach import WORKFLOW
from answerable.posture.facts import IdentityReach, PostureFacts
from answerable.posture.rule import (
    Finding,
    Fix,
    NotEvaluated,
    RuleResult,
    build_evidence,
    get_platform_of_source,
)
from answerable.posture.severity import (
    ExposureFactor,
    ReachLevel,
    SeverityFacts,
    Trigger,
)

_DAY = 86_400_000_000_000  # nanoseconds
# CIS Amazon Web Services Foundations Benchmark: keys are rotated every 90 days, and
# credentials unused for 45 days are disabled.
ROTATION_DAYS = 90
UNUSED_DAYS = 45
# Classes of a place that does not hold the value.
_REFERENCES = (
    CredentialClass.RECORD,
    CredentialClass.ENV_REF,
    CredentialClass.FILE_REF,
    CredentialClass.KEYCHAIN,
    CredentialClass.OAUTH,
)
_FEDERATED: tuple[tuple[str, str], ...] = (
    ("aws-access-key", "IAM Identity Center on a machine, OIDC in a pipeline"),
    ("gcp-service-account-key", "workload identity federation"),
    ("azure-client-secret", "a federated credential of the application"),
)


def find_hosted_server_secrets(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find hosted servers whose entry states a static credential as a literal."""
    for key, entity in facts.inventory.credentials.items():
        uses = [
            each
            for each in facts.list_tools_of_credential(key)
            if each.use.tool.transport in REMOTE
        ]
        lying = [s for s in entity.sightings if s.cls is CredentialClass.LITERAL]
        if not uses or not lying:
            continue
        server = uses[0].use.tool.server
        places = [
            s for s in lying if _is_in_tool(s, uses[0].use.tool.seen.place)
        ] or lying
        held = {ExposureFactor.STANDING, ExposureFactor.UNBOUNDED}
        held |= {ExposureFactor.UNATTENDED for each in uses if each.use.tool.unattended}
        held |= {ExposureFactor.SCATTERED for _ in _list_files(lying)[1:2]}
        reach = _get_reach(facts, entity)
        yield Finding(
            rule="hosted-server-secret",
            subject=key,
            platform=get_platform_of_source(places[0].seen.source),
            title=f"the hosted server {server} has a literal {places[0].kind} in its "
            "configuration",
            severity=SeverityFacts(Trigger.OUTSIDER, reach.level, frozenset(held)),
            evidence=(
                *(build_evidence(_describe_place(s), s.seen, s.place) for s in places),
                build_evidence(reach.text, places[0].seen, places[0].place),
            ),
            fix=Fix(
                f"Revoke the token, and let the client sign in to {server} with OAuth, "
                "or read the token from a secret store."
            ),
            identity=entity.identity or "",
            causes=(key,),
            covers=tuple(
                (each, key) for each in ("literal-secret", "scattered-credential")
            ),
        )


def find_scattered_credentials(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find static credentials whose value is in more than one file."""
    for key, entity in facts.inventory.credentials.items():
        lying = _list_values(entity)
        files = _list_files(lying)
        if not _is_static(lying) or len(files) < 2:
            continue
        reach = _get_reach(facts, entity)
        yield Finding(
            rule="scattered-credential",
            subject=key,
            platform=get_platform_of_source(lying[0].seen.source),
            title=f"the same static {lying[0].kind} is in {len(files)} files",
            severity=SeverityFacts(
                Trigger.INSIDER,
                reach.level,
                frozenset({ExposureFactor.STANDING, ExposureFactor.SCATTERED}),
            ),
            evidence=(
                *(build_evidence(_describe_place(s), s.seen, s.place) for s in lying),
                build_evidence(reach.text, lying[0].seen, lying[0].place),
            ),
            fix=Fix(
                "Rotate the key, keep it in one secret store, and refer to it from "
                "each file."
            ),
            identity=entity.identity or "",
            causes=(key,),
            covers=(("literal-secret", key),),
        )


def find_literal_secrets(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find literal secrets in configuration files, by their place in the schema."""
    for key, entity in facts.inventory.credentials.items():
        lying = [s for s in entity.sightings if s.cls is CredentialClass.LITERAL]
        if not lying or {s.name.upper() for s in lying} & MODEL_KEYS:
            continue
        reach = _get_reach(facts, entity)
        yield Finding(
            rule="literal-secret",
            subject=key,
            platform=get_platform_of_source(lying[0].seen.source),
            title=f"a literal {lying[0].kind} is in {_name_file(lying[0].place)}",
            severity=SeverityFacts(
                Trigger.INSIDER, reach.level, frozenset({ExposureFactor.STANDING})
            ),
            evidence=tuple(
                build_evidence(_describe_place(s), s.seen, s.place) for s in lying
            ),
            fix=Fix(
                "Rotate the secret, and replace the value with a reference to a "
                "variable or a secret store."
            ),
            identity=entity.identity or "",
            causes=(key,),
        )


def find_shared_credentials(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find static credentials that several agents use."""
    for key, entity in facts.inventory.credentials.items():
        if not any(s.lifetime is CredentialLifetime.STATIC for s in entity.sightings):
            continue
        if {s.name.upper() for s in entity.sightings} & MODEL_KEYS:
            continue
        agents = dict.fromkeys(e.agent for e in facts.list_tools_of_credential(key))
        if len(agents) < 2:
            continue
        reach = _get_reach(facts, entity)
        first = entity.sightings[0]
        yield Finding(
            rule="shared-credential",
            subject=key,
            platform=get_platform_of_source(first.seen.source),
            title=f"{len(agents)} agents use one static {first.kind}",
            severity=SeverityFacts(
                Trigger.LATER, reach.level, frozenset({ExposureFactor.STANDING})
            ),
            evidence=tuple(
                build_evidence(f"{each} uses it", first.seen, first.place)
                for each in agents
            ),
            fix=Fix(
                "Give each agent its own credential, so that logs distinguish the "
                "agents."
            ),
            identity=entity.identity or "",
            causes=(key,),
        )


def find_old_credentials(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find active static credentials that were not rotated for 90 days."""
    for entity in facts.inventory.credentials.values():
        if not _is_rotatable(entity):
            continue
        created = max(s.created_at for s in entity.sightings)
        if not created:
            yield _not_evaluated("old-credential", entity, "the time of its creation")
            continue
        days = (facts.now - created) // _DAY
        if days <= ROTATION_DAYS:
            continue
        yield _build_lifetime_finding(
            facts,
            "old-credential",
            entity,
            f"an active key was created {days} days ago",
            "Rotate it, or replace it with federation.",
        )


def find_unused_credentials(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find active static credentials without use for 45 days."""
    for entity in facts.inventory.credentials.values():
        if not _is_rotatable(entity):
            continue
        used = max(s.last_used_at for s in entity.sightings)
        created = max(s.created_at for s in entity.sightings)
        if not used or not created:
            yield _not_evaluated(
                "unused-credential", entity, "the time of its last use"
            )
            continue
        days = (facts.now - max(used, created)) // _DAY
        if days <= UNUSED_DAYS:
            continue
        yield _build_lifetime_finding(
            facts,
            "unused-credential",
            entity,
            f"an active key was not used for {days} days",
            "Deactivate it, and delete it when nothing fails.",
        )


def find_root_keys(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find access keys of an account's root user."""
    for key, entity in facts.inventory.credentials.items():
        if not (entity.identity or "").endswith(":root") or not entity.sightings:
            continue
        first = entity.sightings[0]
        yield Finding(
            rule="root-key",
            subject=key,
            platform="aws",
            title="the root user of an account has an access key",
            severity=SeverityFacts(
                Trigger.OUTSIDER,
                ReachLevel.ADMINISTRATOR,
                frozenset({ExposureFactor.STANDING, ExposureFactor.UNBOUNDED}),
            ),
            evidence=(
                build_evidence(
                    "it authenticates the root user", first.seen, first.place
                ),
            ),
            fix=Fix("Delete the key; use a role for every task of the key."),
            identity=entity.identity or "",
            causes=(key,),
        )


def find_replaceable_keys(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find static keys of platforms that offer federation, where an agent uses them."""
    offers = dict(_FEDERATED)
    for key, entity in facts.inventory.credentials.items():
        lying = [s for s in entity.sightings if s.cls is not CredentialClass.RECORD]
        kind = next((s.kind for s in lying if s.kind in offers), "")
        if not kind or not _is_static(lying):
            continue
        in_pipeline = any(
            each.agent.startswith(f"agent:{WORKFLOW}/")
            for each in facts.list_tools_of_credential(key)
        )
        way = "OIDC in the pipeline" if in_pipeline else offers[kind]
        reach = _get_reach(facts, entity)
        yield Finding(
            rule="replaceable-key",
            subject=key,
            platform=get_platform_of_source(lying[0].seen.source),
            title=f"a static {kind} is used although the platform offers federation",
            severity=SeverityFacts(
                Trigger.LATER, reach.level, frozenset({ExposureFactor.STANDING})
            ),
            evidence=(
                build_evidence(
                    _describe_place(lying[0]), lying[0].seen, lying[0].place
                ),
            ),
            fix=Fix(f"Replace the key with {way}, then delete it."),
            identity=entity.identity or "",
            causes=(key,),
        )


def _build_lifetime_finding(
    facts: PostureFacts, rule: str, entity: CredentialEntity, title: str, repair: str
) -> Finding:
    """Build the finding of a key that is too old or not used."""
    first = next((s for s in entity.sightings if s.created_at), entity.sightings[0])
    reach = _get_reach(facts, entity)
    return Finding(
        rule=rule,
        subject=entity.id,
        platform=get_platform_of_source(first.seen.source),
        title=title,
        severity=SeverityFacts(
            Trigger.LATER, reach.level, frozenset({ExposureFactor.STANDING})
        ),
        evidence=(
            build_evidence(title, first.seen, first.place),
            build_evidence(reach.text, first.seen, first.place),
        ),
        fix=Fix(repair),
        identity=entity.identity or "",
        causes=(entity.id,),
    )


def _not_evaluated(rule: str, entity: CredentialEntity, missing: str) -> NotEvaluated:
    """Build that a rule lacks the platform's own record of a key."""
    return NotEvaluated(rule, entity.id, "aws", missing, "aws-keys:FILE")


def _is_rotatable(entity: CredentialEntity) -> bool:
    """Return whether a credential is an active AWS access key: AWS records its use."""
    return (
        entity.id.startswith("cred:aws/AKIA")
        and not any(s.status == "inactive" for s in entity.sightings)
        and bool(entity.sightings)
    )


def _list_values(entity: CredentialEntity) -> list[Credential]:
    """List the places that hold the value."""
    return [s for s in entity.sightings if s.cls not in _REFERENCES]


def _list_files(sightings: list[Credential]) -> list[str]:
    """List the files of some places."""
    return list(dict.fromkeys(s.place.partition("#")[0] for s in sightings))


def _is_static(sightings: list[Credential]) -> bool:
    """Return whether a credential has no end."""
    return any(s.lifetime is CredentialLifetime.STATIC for s in sightings)


def _is_in_tool(sighting: Credential, place: str) -> bool:
    """Return whether a credential is in the entry of a tool."""
    return sighting.place.startswith((f"{place}/", f"{place}#"))


def _describe_place(sighting: Credential) -> str:
    """Describe the place of a credential without its value."""
    return f"{sighting.name} holds it as {sighting.cls.value}"


def _name_file(place: str) -> str:
    """Return the name of a place's file."""
    return place.partition("#")[0].rpartition("/")[2]


def _get_reach(facts: PostureFacts, entity: CredentialEntity) -> IdentityReach:
    """Return the reach of the identity that a credential proves."""
    if entity.identity is not None:
        return facts.reach.get_reach(entity.identity)
    how = entity.how or "no identity is known for it"
    return IdentityReach(ReachLevel.NOT_KNOWN, f"its reach is not known: {how}", how)
