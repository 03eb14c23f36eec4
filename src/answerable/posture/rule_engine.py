"""Evaluate the rules over the facts of a snapshot, most severe finding first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from answerable.posture.facts import PostureFacts
from answerable.posture.rule import Finding, FindingRule, NotEvaluated, RuleResult
from answerable.posture.rule_catalogue import RULES


@dataclass(frozen=True, slots=True)
class Posture:
    """Findings of a snapshot.

    Attributes:
        findings: By id, most severe first.
        not_evaluated: Rules without their data, by id.
        shared_causes: Number of findings by cause, where it is more than one.
    """

    findings: Mapping[str, Finding]
    not_evaluated: Mapping[str, NotEvaluated]
    shared_causes: Mapping[str, int]

    def get_choke_point(self, finding: Finding) -> str:
        """Return the cause that most findings share; empty if none is shared."""
        shared = [each for each in finding.causes if each in self.shared_causes]
        return max(shared, key=lambda each: self.shared_causes[each], default="")


def evaluate_rules(
    facts: PostureFacts, rules: Sequence[FindingRule] = RULES
) -> Posture:
    """Evaluate rules; of several findings of one subject, the specific one is kept."""
    results: list[RuleResult] = []
    for evaluate in dict.fromkeys(rule.evaluate for rule in rules):
        results += evaluate(facts)
    for rule in rules:
        results += _list_missing_platforms(rule, facts)
    findings = [each for each in results if isinstance(each, Finding)]
    covered = {pair for each in findings for pair in each.covers}
    merged: dict[str, Finding] = {}
    for each in findings:
        if (each.rule, each.subject) in covered:
            continue
        key = each.id
        merged[key] = _merge_findings(merged[key], each) if key in merged else each
    order = {rule.id: number for number, rule in enumerate(rules)}
    ranked = sorted(
        merged.items(),
        key=lambda pair: (
            pair[1].severity.rank,
            order[pair[1].rule],
            pair[1].subject,
            pair[0],
        ),
    )
    causes = Counter(
        cause for each in merged.values() for cause in dict.fromkeys(each.causes)
    )
    missing = {each.id: each for each in results if isinstance(each, NotEvaluated)}
    return Posture(
        dict(ranked),
        missing,
        {cause: count for cause, count in causes.items() if count > 1},
    )


def _list_missing_platforms(
    rule: FindingRule, facts: PostureFacts
) -> list[NotEvaluated]:
    """Build one result for the platforms about which a rule has no data; or none."""
    absent = [
        (platform, source)
        for platform, words, source in rule.requires.platforms
        if not any(facts.is_collected(w) or facts.has_connector(w) for w in words)
    ]
    if not absent:
        return []
    names = ", ".join(platform for platform, _ in absent)
    sources = " ".join(source for _, source in absent)
    text = rule.requires.text
    return [NotEvaluated(rule.id, names, names, text, sources, "platforms")]


def _merge_findings(one: Finding, other: Finding) -> Finding:
    """Merge two findings with one id: the higher severity, and all evidence."""
    first, second = sorted((one, other), key=lambda each: each.severity.rank)
    evidence = tuple(dict.fromkeys((*first.evidence, *second.evidence)))
    causes = tuple(dict.fromkeys((*first.causes, *second.causes)))
    return replace(first, evidence=evidence, causes=causes)
