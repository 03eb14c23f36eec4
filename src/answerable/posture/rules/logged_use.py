"""Rules on the logged use of identities: unused ones, and calls that no log covers."""

from collections.abc import Iterator
from datetime import timedelta

from answerable.model.time_units import DAY_NS, EPOCH
from answerable.posture.facts import PostureFacts
from answerable.posture.rule import (
    Finding,
    Fix,
    NotEvaluated,
    RuleResult,
    get_platform_of_identity,
)
from answerable.posture.rules.cloud import build_identity_evidence
from answerable.posture.severity import ExposureFactor, SeverityFacts, Trigger

_STANDING = frozenset({ExposureFactor.STANDING, ExposureFactor.UNBOUNDED})
UNUSED_DAYS = 90
_LOG_SOURCES = {
    "aws": "cloudtrail:PATH",
    "kubernetes": "k8s-audit:PATH,cluster=NAME",
    "github": "github-audit:PATH",
    "gcp": "gcp-audit:PATH",
}


def find_unused_identities(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find identities of agents that were not used on more than 90 recorded days.

    Recorded are the days of which all events of the log are stored, and those between
    the last use that the platform states and the scan. On other days the identity may
    have been used.
    """
    known = facts.inventory.get_or_compute_value(
        "posture: identities", lambda each: each.facts.identities_by_id()
    )
    identities = _list_agent_identities(facts)
    facts.use.load_uses(identities)
    for identity in identities:
        use = facts.use.get_use(identity)
        fact = known.get(identity)
        recorded = fact.last_used_at if fact else 0
        last = max(recorded, use.last if use else 0)
        if not last and use is None:
            yield _build_unknown_use(identity, "logs of its use")
            continue
        after = last // DAY_NS
        quiet = {day for day in use.days if day > after} if use else set()
        if recorded and fact:
            quiet.update(range(after + 1, fact.seen.at // DAY_NS + 1))
        if len(quiet) <= UNUSED_DAYS:
            if facts.now - last > UNUSED_DAYS * DAY_NS:
                yield _build_unknown_use(
                    identity,
                    f"records of its use on more than {UNUSED_DAYS} days since its last "
                    f"use (got {len(quiet)})",
                )
            continue
        reach = facts.reach.get_reach(identity)
        since = (EPOCH + timedelta(days=after if last else min(quiet))).date()
        text = (
            "an agent can use the identity, and no use was recorded on "
            f"{len(quiet):,} days since {since}"
        )
        yield Finding(
            rule="unused-access",
            subject=identity,
            platform=get_platform_of_identity(identity),
            title=text,
            severity=SeverityFacts(Trigger.LATER, reach.level, _STANDING),
            evidence=build_identity_evidence(facts, identity, text),
            fix=Fix("Remove the agent's access, then the identity."),
            identity=identity,
            covers=(("unused-action", identity),),
        )


def _build_unknown_use(identity: str, missing: str) -> NotEvaluated:
    """Build the result for an identity whose use is not known."""
    return NotEvaluated(
        "unused-access",
        identity,
        get_platform_of_identity(identity),
        missing,
        _name_log_source(identity),
    )


def find_evidence_gaps(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find identities of agents whose calls no ingested log covers."""
    for identity in _list_agent_identities(facts):
        gap = facts.use.find_log_gap(identity)
        if not gap:
            continue
        reach = facts.reach.get_reach(identity)
        text = f"an agent uses the identity, and {gap}"
        source = _name_log_source(identity)
        yield Finding(
            rule="evidence-gap",
            subject=identity,
            platform=get_platform_of_identity(identity),
            title=text,
            severity=SeverityFacts(Trigger.LATER, reach.level, frozenset()),
            evidence=build_identity_evidence(facts, identity, text),
            fix=Fix(
                "Ingest the log of its platform."
                if source
                else "No log of its platform can be ingested: route the agent's calls "
                "through the gateway, which records them.",
                f"answerable ingest {source}" if source else "",
            ),
            identity=identity,
        )


def _list_agent_identities(facts: PostureFacts) -> list[str]:
    """List the identities that agents act as."""
    agents = facts.inventory.agents.values()
    return sorted({str(i) for each in agents for i in each.identities})


def _name_log_source(identity: str) -> str:
    """Return the source of `ingest` that covers an identity; empty if none does."""
    return _LOG_SOURCES.get(get_platform_of_identity(identity), "")
