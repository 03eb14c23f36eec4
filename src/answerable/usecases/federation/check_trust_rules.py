"""List token exchange trust rules with their faults, and match claims to them."""

import re
from dataclasses import replace
from typing import Any

from answerable.connectors.config.parse.config_file import ConfigReading
from answerable.connectors.config.parse.trust_rules import format_rule_fault
from answerable.federation.strict_json import (
    AmbiguousInput,
    JsonObject,
    decode_json_object,
)
from answerable.federation.trust_rules.matching import MatchSubject
from answerable.federation.trust_rules.subject_validation import format_claim_path
from answerable.federation.trust_rules.validation import (
    ValidationContext,
    validate_rules,
)
from answerable.model.config import Config
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trust_rules import (
    RuleFaultItem,
    TrustRuleItem,
)
from answerable.model.errors import UsageError
from answerable.model.ids import PersonId
from answerable.model.trust_rule import IssuedSubject, LaunchedSubject, TrustRule
from answerable.model.workload_attestation import Attestation, Attestor, ProcessIdentity
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.services.federation.trust_rule_dry_run import (
    MAX_CLAIMS,
    NO_RULE,
    KnownAgents,
    build_unverified_claims,
    explain_trust_rules,
)

_PLACE = re.compile(r"rules\[([0-9]+)\]\.?(.*)")


def show_trust_rules(
    config_reading: ConfigReading, known_agents: KnownAgents
) -> Document:
    """Show every trust rule with its faults.

    Args:
        known_agents: Agents and owners in the store.
    """
    faults = [
        *_list_faults_of_file(config_reading),
        *_list_faults_against_store(config_reading, known_agents),
    ]
    items = [
        _build_rule_item(
            rule,
            [fault for at, fault in faults if at == position],
            (known_agents.owners or {}).get(rule.agent),
        )
        for position, rule in enumerate(config_reading.rules)
    ]
    return Document("sts-rules", items, build_empty_coverage(), failed=bool(faults))


def match_claims_to_rules(
    config_reading: ConfigReading, claims: bytes, expected: str
) -> Document:
    """Match claims against every trust rule.

    Args:
        claims: A JSON object: the payload of a token, or the facts of an attestation
            (`attestor`, `uid`, ...).
        expected: Id of the only rule that has to match, `none`, or empty.

    Raises:
        UsageError: The claims are malformed, or the expected rule does not exist.
    """
    if expected not in ("", NO_RULE, *(rule.id for rule in config_reading.rules)):
        raise UsageError(
            f"no rule has this id (got {expected[:80]!r}, expected the id of a rule, or none)",
            "list the rules: answerable token-service rules --config FILE",
        )
    items = explain_trust_rules(
        config_reading.rules,
        _parse_claims(claims, _require_readable_config(config_reading)),
    )
    fitting = [item["rule"] for item in items if item["fits"]] or [NO_RULE]
    failed = expected not in ("", *fitting) or (bool(expected) and len(fitting) > 1)
    return Document("sts-test", items, build_empty_coverage(), failed=failed)


def _require_readable_config(config_reading: ConfigReading) -> Config:
    """Return the configuration; refuse one that could not be read."""
    if config_reading.config is None:
        raise UsageError(
            "the configuration could not be read",
            "list its errors: answerable token-service rules --config FILE",
        )
    return config_reading.config


def _parse_claims(claims: bytes, config: Config) -> MatchSubject:
    """Parse JSON claims of a token, or facts of a process attestor."""
    if len(claims) > MAX_CLAIMS:
        raise UsageError(f"too many claims (expected at most {MAX_CLAIMS >> 10} KiB)")
    try:
        payload = decode_json_object(claims)
    except AmbiguousInput as unread:
        raise UsageError(f"invalid claims: {unread.message}") from None
    return (
        _parse_attestation(payload)
        if "attestor" in payload
        else build_unverified_claims(payload, config)
    )


def _parse_attestation(facts: JsonObject) -> Attestation:
    """Parse a JSON object as the facts of a process attestor."""
    texts = ("unit", "container", "agent", "started")
    numbers = ("uid", "gid", "started_by")
    known = {"attestor", *texts, *numbers}
    wrong = (
        facts.keys() - known
        or facts["attestor"] not in list(Attestor)
        or any(type(facts.get(name, "")) is not str for name in texts)
        or any(type(facts.get(name, 0)) is not int for name in numbers)
    )
    if wrong:
        raise UsageError(
            f"invalid attestation (expected the facts {', '.join(sorted(known))})",
            f"attestor must be one of {', '.join(Attestor)}; the numbers are user ids",
        )
    usual: dict[str, Any] = dict.fromkeys(texts, "")
    usual |= {"uid": -1, "gid": -1, "started_by": -1} | dict(facts)
    return Attestation(
        **(usual | {"attestor": Attestor(str(facts["attestor"]))}),
        process=ProcessIdentity("", 0, 0),
        program="",
        program_sha256="",
        run="",
        argv_sha256="",
        config_sha256="",
        advisory=False,
        proves=(),
        does_not_prove=(),
    )


def _list_faults_of_file(
    config_reading: ConfigReading,
) -> list[tuple[int, RuleFaultItem]]:
    """List the faults of the file, with the index of their rule."""
    found: list[tuple[int, RuleFaultItem]] = []
    for fault in config_reading.faults:
        place = _PLACE.fullmatch(fault.path)
        if place is not None:
            line, column = fault.position.line, fault.position.column
            at, what = place[2], fault.message
            item = RuleFaultItem(at=at, line=line, column=column, what=what)
            found.append((int(place[1]), item))
    return found


def _list_faults_against_store(
    config_reading: ConfigReading, known_agents: KnownAgents
) -> list[tuple[int, RuleFaultItem]]:
    """List the faults that only the store reveals: unknown agents, missing owners."""
    config = _require_readable_config(config_reading)
    issuers = {each.pin.name: each for each in config.issuers}
    bare = ValidationContext(config.sts.url if config.sts else "", issuers)
    owned = None if known_agents.owners is None else known_agents.owners.keys()
    full = replace(bare, agents=known_agents.agents, owned=owned)
    by_file = set(validate_rules(config_reading.rules, bare))
    return [
        (
            fault.position,
            RuleFaultItem(at=fault.at, line=0, column=0, what=format_rule_fault(fault)),
        )
        for fault in validate_rules(config_reading.rules, full)
        if fault not in by_file
    ]


def _build_rule_item(
    rule: TrustRule, faults: list[RuleFaultItem], owner: PersonId | None
) -> TrustRuleItem:
    """Convert a trust rule with its faults to a document item."""
    subject, match = _describe_subject(rule)
    return {
        "rule": rule.id,
        "subject": subject,
        "match": match,
        "agent": rule.agent,
        "owner": owner,
        "grants": [
            {
                "audience": grant.audience,
                "scopes": list(grant.scopes),
                "ttl": grant.ttl,
                "bind": grant.bind.value,
                "gives": grant.gives.value,
            }
            for grant in rule.grants
        ],
        "delegate_to": list(rule.delegate_to),
        "on_behalf_of": list(rule.on_behalf_of),
        "reuse": rule.reuse.value,
        "digest": rule.digest,
        "faults": faults,
    }


def _describe_subject(rule: TrustRule) -> tuple[str, dict[str, str]]:
    """Describe the subject of a rule and its conditions."""
    subject = rule.subject
    if isinstance(subject, IssuedSubject):
        equal = {
            format_claim_path(path): _format_condition_value(value)
            for path, value in subject.match
        }
        like = {
            format_claim_path(path): f"like {text}" for path, text in subject.match_glob
        }
        return f"issuer {subject.issuer}", equal | like
    if isinstance(subject, LaunchedSubject):
        said = {"started_by": str(subject.started_by), "person": subject.person}
        runs_as = "" if subject.runs_as is None else str(subject.runs_as)
        said |= {"runs_as": runs_as, "program": subject.program}
        return "launched", {name: text for name, text in said.items() if text}
    said = {"uid": str(subject.uid), "unit": subject.unit}
    said |= {"gid": "" if subject.gid is None else str(subject.gid)}
    said |= {"container": subject.container}
    return "unix", {name: text for name, text in said.items() if text}


def _format_condition_value(value: object) -> str:
    """Format a condition value: text, `true`, or a list in brackets."""
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_format_condition_value, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
