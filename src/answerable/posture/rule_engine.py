"""Evaluate the rules over the facts of a snapshot, most severe finding first."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import cast

from answerable.posture.facts import PostureFacts
from answerable.posture.result_table import ResultList, ResultTable
from answerable.posture.rule import Finding, FindingRule, NotEvaluated, RuleResult
from answerable.posture.rule_catalogue import RULES

_ID_BYTES, _NUMBER_BYTES = 8, 4


@dataclass(frozen=True, slots=True)
class Posture:
    """Findings of a snapshot.

    Attributes:
        findings: Findings, most severe first.
        not_evaluated: Rules without their data.
        shared_causes: Number of findings by cause, where it is more than one.
    """

    findings: ResultList
    not_evaluated: ResultList
    shared_causes: Mapping[str, int]

    def get_choke_point(self, finding: Finding) -> str:
        """Return the cause that most findings share; empty if none is shared."""
        shared = [each for each in finding.causes if each in self.shared_causes]
        return max(shared, key=lambda each: self.shared_causes[each], default="")


def evaluate_rules(
    facts: PostureFacts, rules: Sequence[FindingRule] = RULES
) -> Posture:
    """Evaluate rules; of several findings of one subject, the specific one is kept."""
    found = _CollectedResults(rules)
    for result in _iterate_results(facts, rules):
        found.add(result)
    return found.build_posture()


def _iterate_results(
    facts: PostureFacts, rules: Sequence[FindingRule]
) -> Iterator[RuleResult]:
    """Yield the results of all rules."""
    for evaluate in dict.fromkeys(rule.evaluate for rule in rules):
        yield from evaluate(facts)
    for rule in rules:
        yield from _list_missing_platforms(rule, facts)


class _CollectedResults:
    """Results of all rules, until they are sorted.

    The sort key of a finding is one text of bytes: the rank of its severity, the number
    of its rule, its subject, the digits of its id, and its number in the table.
    """

    def __init__(self, rules: Sequence[FindingRule]) -> None:
        self._order = {rule.id: number for number, rule in enumerate(rules)}
        self._table = ResultTable()
        self._keys: list[bytes] = []
        self._gaps: dict[str, int] = {}
        self._covered: set[bytes] = set()
        self._causes: Counter[str] = Counter()

    def add(self, result: RuleResult) -> None:
        """Add a result."""
        number = self._table.add(result)
        if isinstance(result, NotEvaluated):
            self._gaps[result.id] = number
            return
        self._keys.append(self._build_key(result, number))
        self._covered.update(
            self._build_subject_key(rule, subject)
            for rule, subject in result.covers
            if rule in self._order
        )
        self._causes.update(dict.fromkeys(result.causes, 1))

    def build_posture(self) -> Posture:
        """Remove covered findings, merge those with one id, and sort."""
        self._remove_covered_findings()
        self._merge_equal_ids()
        self._keys.sort()
        numbers = (int.from_bytes(each[-_NUMBER_BYTES:], "big") for each in self._keys)
        return Posture(
            ResultList(self._table, numbers),
            ResultList(self._table, self._gaps.values()),
            {cause: count for cause, count in self._causes.items() if count > 1},
        )

    def _build_key(self, finding: Finding, number: int) -> bytes:
        """Build the sort key of a finding."""
        # A rank has small numbers, the most severe first.
        rank = bytes(128 + each for each in finding.severity.rank)
        digits = bytes.fromhex(finding.id.rpartition("/")[2])
        subject = self._build_subject_key(finding.rule, finding.subject)
        last = number.to_bytes(_NUMBER_BYTES, "big")
        return b"".join((rank, subject, b"\0", digits, last))

    def _build_subject_key(self, rule: str, subject: str) -> bytes:
        """Build the part of a sort key that names rule and subject."""
        return bytes((self._order[rule],)) + subject.encode(errors="surrogatepass")

    def _remove_covered_findings(self) -> None:
        """Remove the findings that a more specific one covers."""
        end = -(_ID_BYTES + _NUMBER_BYTES + 1)
        kept = []
        for key in self._keys if self._covered else ():
            if key[3:end] in self._covered:
                self._forget_causes(self._get_finding(key))
            else:
                kept.append(key)
        self._keys = kept if self._covered else self._keys

    def _merge_equal_ids(self) -> None:
        """Merge the findings that have one id, in the order in which they were found."""
        end = -(_ID_BYTES + _NUMBER_BYTES)
        ids = sorted(
            array(
                "Q",
                (int.from_bytes(k[end:-_NUMBER_BYTES], "big") for k in self._keys),
            )
        )
        twice = {
            one.to_bytes(_ID_BYTES, "big")
            for one, other in pairwise(ids)
            if one == other
        }
        if not twice:
            return
        same: dict[str, list[bytes]] = defaultdict(list)
        for key in self._keys:
            if key[end:-_NUMBER_BYTES] in twice:
                same[self._get_finding(key).id].append(key)
        replaced = {each for keys in same.values() if len(keys) > 1 for each in keys}
        self._keys = [each for each in self._keys if each not in replaced]
        for keys in same.values():
            if len(keys) > 1:
                self._merge_findings_of_keys(keys)

    def _merge_findings_of_keys(self, keys: Sequence[bytes]) -> None:
        """Merge findings with one id into a new one."""
        first, *others = map(self._get_finding, keys)
        merged = first
        self._forget_causes(first)
        for other in others:
            self._forget_causes(other)
            merged = _merge_findings(merged, other)
        self._causes.update(dict.fromkeys(merged.causes, 1))
        self._keys.append(self._build_key(merged, self._table.add(merged)))

    def _get_finding(self, key: bytes) -> Finding:
        """Return the finding with a sort key."""
        number = int.from_bytes(key[-_NUMBER_BYTES:], "big")
        return cast("Finding", self._table.get(number))

    def _forget_causes(self, finding: Finding) -> None:
        """Do not count the causes of a finding any more."""
        self._causes.subtract(dict.fromkeys(finding.causes, 1))


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
