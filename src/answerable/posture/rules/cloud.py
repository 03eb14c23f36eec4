"""Rules on identities of permission platforms: administrators, trust, conditions, use."""

from collections.abc import Iterator

from answerable.model import google_cloud_ids
from answerable.model.identity import Identity
from answerable.model.policy import (
    ConditionClause,
    PolicyEffect,
    PolicyLayer,
    Statement,
)
from answerable.posture.facts import EntryGap, PolicyWithTarget, PostureFacts
from answerable.posture.rule import (
    Evidence,
    Finding,
    Fix,
    NotEvaluated,
    RuleResult,
    build_evidence,
    get_platform_of_identity,
)
from answerable.posture.severity import (
    ExposureFactor,
    ReachLevel,
    SeverityFacts,
    Trigger,
)

_STANDING = frozenset({ExposureFactor.STANDING, ExposureFactor.UNBOUNDED})
_ANYONE = "*"
# The root user, the platform's own roles, and persons: no agent's identity to narrow.
_BY_DESIGN = (
    "aws-root",
    "aws-service-role",
    "aws-permission-set",
    "github-user",
    "gcp-user",
    "gcp-group",
)
_ACTIONS_OIDC = "token.actions.githubusercontent.com"


def find_public_identities(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find roles that anyone can assume."""
    for entry in facts.reach.list_outside_entries():
        if _ANYONE in entry.principals:
            yield _build_entry_finding(
                facts,
                "public-identity",
                entry.identity,
                "anyone can assume the role",
                Trigger.OUTSIDER if entry.conditional else Trigger.ANONYMOUS,
                "Name the principals in the trust policy instead of `*`.",
            )

    yield from _find_platform_entries(facts, "public-identity")


def _find_platform_entries(facts: PostureFacts, rule: str) -> Iterator[RuleResult]:
    """Find the grants to outsiders on platforms other than AWS."""
    for each in facts.reach.list_platform_entries():
        if each.rule != rule:
            continue
        if isinstance(each, EntryGap):
            yield NotEvaluated(
                rule, each.subject, each.platform, each.missing, each.source
            )
            continue
        reach = facts.reach.get_reach(each.grantee)
        yield Finding(
            rule=rule,
            subject=each.subject,
            platform=each.platform,
            title=each.title,
            severity=SeverityFacts(each.trigger, reach.level, _STANDING),
            evidence=(
                build_evidence(each.title, each.seen, each.place),
                build_evidence(reach.text, each.seen, each.place),
            ),
            fix=Fix(each.repair),
            identity=each.subject,
            at=each.statement,
            causes=(f"{each.subject}#{each.statement}",),
        )


def find_external_identities(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find roles that named principals of other accounts or providers can assume."""
    for entry in facts.reach.list_outside_entries():
        outside = [
            each
            for each in entry.principals
            if each != _ANYONE and not _is_federated(each)
        ]
        if not outside or _ANYONE in entry.principals:
            continue
        few = ", ".join(outside[:3]) + (" and more" if len(outside) > 3 else "")
        yield _build_entry_finding(
            facts,
            "external-identity",
            entry.identity,
            f"an outsider can assume the role: {few}",
            Trigger.INSIDER if entry.conditional else Trigger.OUTSIDER,
            "Remove the principal, or require an external id "
            "(`sts:ExternalId`) and the organisation (`aws:PrincipalOrgID`).",
        )
    yield from _find_platform_entries(facts, "external-identity")


def _is_federated(principal: str) -> bool:
    """Return whether a principal is an identity provider, which has rules of its own."""
    return "-provider/" in principal or not (
        principal.startswith("arn:") or principal[:12].isdigit()
    )


def _build_entry_finding(
    facts: PostureFacts,
    rule: str,
    identity: str,
    title: str,
    trigger: Trigger,
    fix: str,
) -> Finding:
    """Build the finding of a role that outsiders can assume."""
    reach = facts.reach.get_reach(identity)
    evidence = build_identity_evidence(facts, identity, title)
    trust = f"{identity}#trust"
    policy = facts.get_policy(trust)
    if policy is not None:
        evidence = (build_evidence(title, policy.seen), *evidence[1:])
    return Finding(
        rule=rule,
        subject=identity,
        platform="aws",
        title=title,
        severity=SeverityFacts(trigger, reach.level, _STANDING),
        evidence=(*evidence, *_build_reach_evidence(evidence, reach.text)),
        fix=Fix(fix),
        identity=identity,
        causes=(trust,),
    )


def find_administrators(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find identities that are or can become administrators, and that no agent uses."""
    for account in facts.reach.list_accounts_without_paths():
        missing = "steps of its identities to others, which are too many to follow"
        yield NotEvaluated("administrator", account, "aws", missing, "")
    known = facts.inventory.get_or_compute_value(
        "posture: identities", lambda each: each.facts.identities_by_id()
    )
    for identity in facts.reach.list_administrators():
        fact = known.get(identity)
        if fact is None or fact.kind in _BY_DESIGN:
            continue
        if google_cloud_ids.is_service_agent(identity):
            continue
        if facts.list_agents_of_identity(identity):
            continue  # the rule on agents has them
        reach = facts.reach.get_reach(identity)
        evidence = build_identity_evidence(facts, identity, reach.text)
        yield Finding(
            rule="administrator",
            subject=identity,
            platform=get_platform_of_identity(identity),
            title=f"{_get_shown_name(fact)}: {reach.text}",
            severity=SeverityFacts(Trigger.LATER, ReachLevel.ADMINISTRATOR, _STANDING),
            evidence=evidence,
            fix=Fix(
                "Reduce its permissions to those that it uses, and remove the path to "
                "the administrator.",
                f"answerable reach {identity} --used",
            ),
            path=facts.reach.find_administrator_path(identity),
            identity=identity,
        )


def _get_shown_name(identity: Identity) -> str:
    """Return the name of an identity; its id for all principals of an identity pool."""
    return identity.id if identity.name in ("", "*") else identity.name


def find_wide_oidc_trusts(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find role trusts that admit more subjects of an OIDC issuer than one needs."""
    for attached in facts.list_attached_policies(
        (PolicyLayer.TRUST,), lambda each: _describe_wide_subject(each) is not None
    ):
        policy = attached.policy
        for statement in policy.statements:
            wide = _describe_wide_subject(statement)
            if not wide:
                continue
            reach = facts.reach.get_reach(attached.target)
            yield Finding(
                rule="wide-oidc-trust",
                subject=attached.target,
                platform="aws",
                title=f"its trust policy allows {wide[0]}",
                severity=SeverityFacts(wide[1], reach.level, _STANDING),
                evidence=(
                    build_evidence(
                        f"statement {statement.sid}: {wide[0]}", policy.seen
                    ),
                    build_evidence(reach.text, policy.seen),
                ),
                fix=Fix(
                    "Name one repository and one branch or environment in the `sub` "
                    "condition.",
                    diff=f'+ "StringEquals": {{"{_ACTIONS_OIDC}:sub": '
                    '"repo:OWNER/NAME:ref:refs/heads/main"}\n',
                ),
                identity=attached.target,
                at=statement.sid,
                causes=(f"{policy.id}#{statement.sid}",),
            )
    yield from _find_platform_entries(facts, "wide-oidc-trust")


def _describe_wide_subject(statement: Statement) -> tuple[str, Trigger] | None:
    """Describe an over-wide subject condition; None for a narrow one.

    Source: https://docs.github.com/actions/reference/security/oidc
    """
    federated = [value for kind, value in statement.principals if kind == "Federated"]
    issuer = next((v for v in federated if v.endswith(_ACTIONS_OIDC)), "")
    if statement.effect is not PolicyEffect.ALLOW or not issuer:
        return None
    clauses = [
        each
        for each in statement.conditions
        if each.key.lower() == f"{_ACTIONS_OIDC}:sub" and _is_positive(each)
    ]
    if not clauses:
        return "every repository on GitHub: no condition on `sub`", Trigger.OUTSIDER
    values = [value for each in clauses for value in each.values]
    for value in values:
        parts = value.split(":")
        owner = parts[1] if len(parts) > 1 else "*"
        if (
            value == "*"
            or "*" in owner.partition("/")[0]
            or "?" in owner.partition("/")[0]
        ):
            return f"repositories of any owner: {value}", Trigger.OUTSIDER
        if "*" in owner:
            return f"every repository of an organisation: {value}", Trigger.INSIDER
        if ":".join(parts[2:]) in ("*", "ref:*", "ref:refs/heads/*", "pull_request"):
            return f"every branch or pull request: {value}", Trigger.INSIDER
    return None


def _is_positive(clause: ConditionClause) -> bool:
    """Return whether a condition restricts to its values."""
    operator = clause.operator.rpartition(":")[2].lower()
    return (
        operator.startswith("string")
        and "not" not in operator
        and (not operator.endswith("ifexists"))
    )


def find_caller_asserted_grants(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find allow statements that only conditions on the caller's own word guard."""
    layers = (PolicyLayer.IDENTITY, PolicyLayer.TRUST, PolicyLayer.RESOURCE)
    found: dict[tuple[PolicyLayer, str], PolicyWithTarget] = {}
    for each in facts.list_attached_policies(
        layers, lambda statement: bool(_list_caller_keys(facts, statement))
    ):
        found.setdefault((each.layer, each.policy.id), each)
    for attached in sorted(found.values(), key=lambda each: layers.index(each.layer)):
        for statement in attached.policy.statements:
            keys = _list_caller_keys(facts, statement)
            if keys:
                yield _build_caller_finding(facts, attached, statement, keys)


def _list_caller_keys(facts: PostureFacts, statement: Statement) -> list[str]:
    """List the condition keys if the caller sets all of them about itself."""
    keys = list(dict.fromkeys(each.key for each in statement.conditions))
    if statement.effect is not PolicyEffect.ALLOW or not keys:
        return []
    return keys if all(facts.asserted_by_caller(each) for each in keys) else []


def _build_caller_finding(
    facts: PostureFacts,
    attached: PolicyWithTarget,
    statement: Statement,
    keys: list[str],
) -> Finding:
    """Build the finding of a grant that rests on the caller's word."""
    policy, target, layer = attached.policy, attached.target, attached.layer
    anyone = ("AWS", _ANYONE) in statement.principals
    reach = facts.reach.get_reach(target)
    level = ReachLevel.WRITE if layer is PolicyLayer.RESOURCE else reach.level
    return Finding(
        rule="caller-asserted-grant",
        subject=target,
        platform="aws",
        title=f"a grant depends on text that the caller writes: {', '.join(keys)}",
        severity=SeverityFacts(
            Trigger.ANONYMOUS if anyone else Trigger.INSIDER, level, _STANDING
        ),
        evidence=(
            build_evidence(
                f"statement {statement.sid} of {policy.name}: {', '.join(keys)}",
                policy.seen,
            ),
        ),
        fix=Fix(
            "Use a condition that the platform sets, such as `aws:PrincipalArn`, "
            "`aws:PrincipalOrgID` or `aws:SourceVpce`."
        ),
        identity=target,
        at=f"{policy.id}#{statement.sid}",
        causes=(f"{policy.id}#{statement.sid}",),
    )


def build_identity_evidence(
    facts: PostureFacts, identity: str, text: str
) -> tuple[Evidence, ...]:
    """Build the evidence from the record of an identity."""
    fact = facts.inventory.get_or_compute_value(
        "posture: identities", lambda each: each.facts.identities_by_id()
    ).get(identity)
    return (build_evidence(text, fact.seen),) if fact is not None else ()


def _build_reach_evidence(
    evidence: tuple[Evidence, ...], text: str
) -> tuple[Evidence, ...]:
    """Build the evidence of a reach, at the place of another fact."""
    return tuple(
        Evidence(text, each.place, each.source, each.written_by)
        for each in evidence[:1]
    )
