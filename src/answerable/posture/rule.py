"""Types of rules and findings, and the stable id of a finding."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from answerable.model import google_cloud_ids
from answerable.model.documents.shared_shapes import PathItem
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.posture.facts import PostureFacts
from answerable.posture.severity import SeverityFacts

_ID_DIGITS = 16
# Platform by the first word of a connector's name or an identity's id.
_PLATFORMS = {"arn": "aws", "k8s": "kubernetes", "pg": "postgres"}
_LIST_POSITION = re.compile(r"(?<=/)[0-9]+(?=/|\Z)")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Fact that a finding rests on.

    Attributes:
        text: The fact, in our words.
        place: File and pointer, or API call.
        source: Scanned source.
    """

    text: str
    place: str
    source: str
    written_by: WrittenBy


@dataclass(frozen=True, slots=True)
class ValueEdit:
    """Edit of one member of the file at the place of a finding.

    Attributes:
        member: Key in the object at the place, or at the root of the file.
        replaced: New text of a value by its old one; also of the values of an object.
        kept: Keys of an object whose values stay.
        missing: Value that is added if there is no such member.
    """

    member: str
    replaced: Mapping[str, str]
    kept: tuple[str, ...]
    missing: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Repair of a finding: in words, as a command, as an edit.

    Attributes:
        diff: Edit as lines; if the file can be read, `edit` is shown instead.
    """

    text: str
    command: str = ""
    diff: str = ""
    edit: ValueEdit | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Defect of one subject at one place.

    Attributes:
        rule: Id of the rule.
        subject: Id of the agent, tool, identity, credential or resource.
        platform: `home`, `repo`, or a permission platform.
        identity: Identity whose logged use the repair would end; empty for none.
        at: Place that distinguishes findings of one rule and subject; empty if there is
            at most one, so that its id survives a move.
        causes: Statements, credentials or files whose repair ends the finding.
        covers: Pairs (rule, subject) of more general findings that this one replaces.
    """

    rule: str
    subject: str
    platform: str
    title: str
    severity: SeverityFacts
    evidence: tuple[Evidence, ...]
    fix: Fix
    path: tuple[PathItem, ...] = ()
    identity: str = ""
    at: str = ""
    causes: tuple[str, ...] = ()
    covers: tuple[tuple[str, str], ...] = field(default=())

    @property
    def place(self) -> str:
        """Return the place of the first evidence."""
        return self.evidence[0].place if self.evidence else ""

    @property
    def id(self) -> str:
        """Return the id: of rule, subject and place relative to the source."""
        source = self.evidence[0].source if self.evidence else ""
        place = get_place_in_source(self.at, source)
        return build_finding_id(self.rule, self.subject, place)


@dataclass(frozen=True, slots=True)
class NotEvaluated:
    """Rule that could not be evaluated for a subject.

    Attributes:
        subject: Id of the subject, or names of platforms.
        platform: Platform, or several with a comma between.
        missing: The missing data.
        source: Sources that have it, as `scan` or `ingest` take them, with blanks
            between.
        key: Stands for the subject in the id; empty for the subject itself.
    """

    rule: str
    subject: str
    platform: str
    missing: str
    source: str
    key: str = ""

    @property
    def id(self) -> str:
        """Return the id: of rule, subject and missing data."""
        subject = self.key or self.subject
        return build_finding_id(self.rule, subject, f"missing:{self.missing}")


RuleResult = Finding | NotEvaluated


@dataclass(frozen=True, slots=True)
class RequiredData:
    """Data without which a rule says nothing about a platform.

    Attributes:
        text: The data in words.
        platforms: Platform, kinds of data or connectors of which one is enough, and
            the source that has it.
    """

    text: str
    platforms: tuple[tuple[str, tuple[str, ...], str], ...]


@dataclass(frozen=True, slots=True)
class FindingRule:
    """Rule as data, with the function that evaluates it.

    Attributes:
        id: Stable name.
        title: Defect, as a noun phrase.
        question: Question that the rule answers.
        detail: What is found and what is not, and why it matters, for its page.
        platforms: Platforms that it covers.
        owasp: Entries of OWASP lists that it applies to.
        requires: Data that it needs.
        severity: Factors of its severity, in words.
        repair: Repair, in words.
    """

    id: str
    title: str
    question: str
    detail: str
    platforms: tuple[str, ...]
    owasp: tuple[str, ...]
    requires: RequiredData
    severity: str
    repair: str
    evaluate: Callable[[PostureFacts], Iterable[RuleResult]]

    @property
    def page(self) -> str:
        """Return the documentation page."""
        return f"docs/findings/{self.id}.md"


def build_evidence(text: str, seen: FactProvenance, place: str = "") -> Evidence:
    """Build a piece of evidence from the provenance of a fact."""
    return Evidence(text, place or seen.place, seen.source, seen.written_by)


def build_finding_id(rule: str, subject: str, place: str) -> str:
    """Return a stable id; positions in lists are not part of it."""
    parts = (rule, subject, _LIST_POSITION.sub("*", place))
    text = "\x1f".join(parts).encode()
    return f"finding:{rule}/{hashlib.sha256(text).hexdigest()[:_ID_DIGITS]}"


def get_platform_of_source(source: str) -> str:
    """Return the platform of a source: the first word of its connector's name."""
    word = source.partition(":")[0].partition("-")[0]
    return _PLATFORMS.get(word, word)


def get_platform_of_identity(identity: str) -> str:
    """Return the platform of an identity's id."""
    if google_cloud_ids.is_principal(identity):
        return "gcp"
    word = identity.partition(":")[0].partition("-")[0]
    return _PLATFORMS.get(word, word)


def get_place_in_source(place: str, source: str) -> str:
    """Return a place relative to the folder of its source."""
    _, _, location = source.partition(":")
    if location and place.startswith(f"{location.rstrip('/')}/"):
        return place[len(location.rstrip("/")) + 1 :]
    return place
