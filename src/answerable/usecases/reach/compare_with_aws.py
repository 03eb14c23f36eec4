"""Comparison of verdicts with the AWS policy simulator (`reach --compare-aws`)."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from answerable.connectors.aws.simulator_interface import (
    ALLOWED,
    PERMISSION,
    Asker,
    Declined,
    Refusal,
    Simulated,
    open_simulator,
)
from answerable.model.connector import SyncContext, no_progress
from answerable.model.documents.core import ComparedItem, DeterminingItem, Document
from answerable.model.errors import EnvironmentRefused, UsageError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.policy import Layer
from answerable.model.sighting import Facts
from answerable.presentation.inventory_lists import coverage
from answerable.reach import answer_documents, subjects
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.evaluation.single_request import ask
from answerable.reach.formula import Verdict, verdict
from answerable.services.reach.query_context import Asked, asked_of
from answerable.services.reach.question_sampling import Question, draw
from answerable.services.reach.request_context import Given
from answerable.services.reach.statement_quotes import Quotes, Written
from answerable.services.reach.subject_resolution import subject_of

Progress = Callable[[int, int, str], None]

AGREES, OPEN, DIFFERS = "agrees", "open", "differs"
SET_ASIDE, UNANSWERED = "set-aside", "unanswered"

# The simulator looks at these. Source: IAM User Guide, "Testing IAM policies with the
# IAM policy simulator", and IAM API Reference, "SimulatePrincipalPolicy".
_EVALUATED = (Layer.IDENTITY, Layer.BOUNDARY, Layer.SCP)
# The comparison ends after this many refusals in a row.
_PATIENCE = 5


@dataclass(frozen=True, slots=True)
class _Both:
    """Question with the answers of both engines."""

    question: Question
    verdict: Verdict
    determining: list[DeterminingItem]
    simulated: Simulated | None
    outcome: str
    reason: str


def compare(
    inventory: Inventory,
    subject: str = "",
    *,
    now: int,
    action: str = "*",
    sample: int = 200,
    seed: int = 0,
    endpoint_url: str = "",
    profile: str = "",
    region: str = "",
    asker: Asker | None = None,
    progress: Progress = no_progress,
) -> Document:
    """Compare direct verdicts with iam:SimulatePrincipalPolicy.

    Args:
        subject: Only this identity; empty for the whole account.
        now: UTC nanoseconds.
        action: Only actions that match this glob.
        sample: How many questions to draw.
        endpoint_url: AWS endpoint, empty for the default.
        profile: AWS profile, empty for the default.
        region: AWS region, empty for the default.
        asker: Simulator client; AWS by default.
        progress: Progress callback.

    Returns:
        One item per question; the document has failed if a verdict differs.

    Raises:
        UsageError: The subject is not known or not in the account, or the sample is
            empty.
        EnvironmentRefused: AWS cannot be reached, or refuses every question.
    """
    if sample < 1:
        raise UsageError(f"--sample must be at least 1 (got {sample})")
    if asker is None:
        context = SyncContext(now, _nothing, progress, endpoint_url, profile, region)
        asker = open_simulator(context)
    facts = _comparable(inventory.facts)
    services = subjects.services_of(inventory.facts)
    compared = replace(inventory, facts=facts, derived=None)
    asked = asked_of(compared, services, Given(), now)
    drawn = draw(asked.estate, _principals(asked, asker, subject), action, sample, seed)
    if not drawn:
        raise UsageError(
            f"no question can be drawn (got --action {action[:80]!r})",
            "name actions of a service that policies speak of",
        )
    both = list(_answered(asked, asker, drawn, inventory.facts, progress))
    return _document(asked, inventory, both)


def _nothing(value: str) -> str:
    """Return no fingerprint: no secret occurs here."""
    return ""


def _comparable(facts: Facts) -> Facts:
    """Drop facts that the simulator ignores; trust still identifies sessions."""
    kept = (*_EVALUATED, Layer.TRUST)
    return replace(
        facts,
        attachments=tuple(a for a in facts.attachments if a.layer in kept),
        public_access=(),
    )


def _principals(asked: Asked, asker: Asker, subject: str) -> list[Principal]:
    held = [p for p in asked.estate.principals.values() if p.collected]
    mine = [p for p in held if p.identity.account == asker.account]
    if subject:
        name = subject_of(asked.inventory, subject)
        mine = [p for p in mine if p.id == name]
    mine = [p for p in mine if p.identity.kind in ("aws-user", "aws-role")]
    if mine:
        return mine
    accounts = sorted({p.identity.account for p in held})
    what = f"{subject} is no user or role" if subject else "no user or role was scanned"
    raise UsageError(
        f"{what} of account {asker.account}, which the AWS settings lead to",
        f"scanned: {', '.join(accounts) or 'none'}; name a --profile of one of these",
    )


def _answered(
    asked: Asked,
    asker: Asker,
    drawn: Sequence[Question],
    whole: Facts,
    progress: Progress,
) -> Iterator[_Both]:
    quotes = Quotes(Written(whole))
    aside = _Aside(asked)
    refused: list[Declined] = []
    answered = False
    for done, question in enumerate(drawn):
        progress(done, len(drawn), "questions put to AWS")
        principal = asked.estate.principals[question.principal]
        answer = ask(asked.estate, principal, question.action, question.resource)
        ours, named = (
            verdict(answer.formula),
            answer_documents.determining(answer.determining),
        )
        quotes.ask(question.action, question.resource)
        quotes.add(named)
        why = aside.why(principal, question)
        if why:
            yield _Both(question, ours, named, None, SET_ASIDE, why)
            continue
        if len(refused) >= _PATIENCE:
            yield _Both(question, ours, named, None, UNANSWERED, refused[-1].why)
            continue
        theirs = asker.ask(question.principal, question.action, question.resource)
        if isinstance(theirs, Declined):
            lasting = theirs.kind in (Refusal.DENIED, Refusal.BUSY)
            refused = [*refused, theirs] if lasting else refused
            if len(refused) >= _PATIENCE and not answered:
                raise _refusal(theirs)
            outcome = UNANSWERED if lasting else SET_ASIDE
            yield _Both(question, ours, named, None, outcome, theirs.why)
            continue
        refused, answered = [], True
        yield _judged(question, ours, named, theirs, aside)


def _refusal(declined: Declined) -> EnvironmentRefused:
    if declined.kind is Refusal.DENIED:
        return EnvironmentRefused(declined.why, f"allow {PERMISSION} to who asks")
    return EnvironmentRefused(declined.why, "ask again later, or a smaller --sample")


def _judged(
    question: Question,
    ours: Verdict,
    named: list[DeterminingItem],
    theirs: Simulated,
    aside: "_Aside",
) -> _Both:
    """Compare two answers; only two sure ones can differ.

    A condition key that is not stated leaves the simulator's answer open, like an
    undecided condition here.
    """
    allowed = theirs.decision == ALLOWED
    outcome, reason = DIFFERS, ""
    if ours is Verdict.ONLY_IF and theirs.missing:
        outcome = AGREES
    elif ours is Verdict.ONLY_IF or theirs.missing:
        same = allowed == (ours is Verdict.ALWAYS) and ours is not Verdict.ONLY_IF
        outcome = AGREES if same else OPEN
        reason = "" if same else "conditions that one side alone knows"
    elif allowed == (ours is Verdict.ALWAYS):
        outcome = AGREES
    elif theirs.organizations is False and not aside.knows_scps(question.principal):
        outcome, reason = OPEN, "an SCP that was not collected denies it"
    return _Both(question, ours, named, theirs, outcome, reason)


class _Aside:
    """Questions that the simulator does not answer.

    Source: IAM User Guide, "Testing IAM policies with the IAM policy simulator": no
    SCPs with conditions, no RCPs, no calls across accounts, resource policies only
    where they are passed and for users alone; and no role trust.
    """

    def __init__(self, asked: Asked) -> None:
        self._estate, self._collected = asked.estate, asked.collected
        policies = {p.id: p for p in asked.inventory.facts.policies}
        attached = [
            a for a in asked.inventory.facts.attachments if a.layer is Layer.SCP
        ]
        self._conditional = {
            a.target
            for a in attached
            if a.policy not in policies
            or policies[a.policy].unread
            or any(s.conditions for s in policies[a.policy].statements)
        }

    def why(self, principal: Principal, question: Question) -> str:
        """Explain why a question is skipped; empty if it is not."""
        account = principal.identity.account
        parts = question.resource.split(":", 5)
        owner = parts[4] if len(parts) == 6 else ""
        action = question.action.lower()
        if ":accesspoint/" in question.resource:
            return "access points are not simulated"
        if owner.isdigit() and owner != account:
            return "calls across accounts are not simulated"
        if action.startswith("sts:") and ":role/" in question.resource:
            return "role trust is not simulated"
        if action.startswith("kms:") and ":key/" in question.resource:
            return "key policies are not simulated"
        if self._path(account) & self._conditional:
            return "SCPs with conditions are not simulated"
        return ""

    def knows_scps(self, principal: IdentityId) -> bool:
        """Return whether every SCP over a principal was collected."""
        account = self._estate.principals[principal].identity.account
        return self._collected.holds("scp", account)

    def _path(self, account: str) -> set[str]:
        known = self._estate.accounts.get(account)
        return {account, *(known.parents if known else ())}


def _document(asked: Asked, inventory: Inventory, both: Sequence[_Both]) -> Document:
    listed = [_item(each) for each in both]
    accounts = {
        asked.estate.principals[each.question.principal].identity.account
        for each in both
    }
    lacking = {
        asked.collected.lacking(word, account)
        for word in ("identity-policies", "boundaries", "scp")
        for account in accounts
    }
    covered = coverage(inventory, asked.now, sorted(lacking - {""}))
    told = Counter(each["outcome"] for each in listed)
    if told[UNANSWERED]:
        covered["partial"] = True
    return Document("reach-compared", listed, covered, failed=bool(told[DIFFERS]))


def _item(both: _Both) -> ComparedItem:
    asked, theirs = both.question, both.simulated
    return {
        "subject": asked.principal,
        "action": asked.action,
        "resource": asked.resource,
        "verdict": both.verdict.value,
        "simulated": theirs.decision if theirs else None,
        "missing": list(theirs.missing) if theirs else [],
        "outcome": both.outcome,
        "reason": both.reason,
        "matched": list(theirs.matched) if theirs else [],
        "determining": both.determining,
    }
