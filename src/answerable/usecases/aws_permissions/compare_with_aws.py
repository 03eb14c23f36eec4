"""Compare verdicts with the AWS policy simulator (`reach --compare-aws`)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from answerable.connectors.aws.simulator_interface import (
    ALLOWED,
    PERMISSION,
    PolicySimulator,
    SimulationDeclined,
    SimulationRefusal,
    SimulationResult,
    open_simulator,
)
from answerable.model.connector import SyncContext
from answerable.model.documents.shared_shapes import (
    AwsComparisonItem,
    DeterminingStatementItem,
    Document,
)
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.policy import PolicyLayer
from answerable.model.progress import ProgressCallback, ignore_progress_report
from answerable.model.sighting import SightedFacts
from answerable.presentation.answer_coverage import build_coverage
from answerable.reach import answer_items as generic_items
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled_graph import collect_services_named_by_policies
from answerable.reach.aws.evaluation.single_request import evaluate_action
from answerable.reach.aws.query_context import QueryContext
from answerable.reach.aws.statement_quotes import (
    StatementQuotes,
    StatementTextIndex,
)
from answerable.reach.condition_formula import Verdict, get_verdict
from answerable.reach.platform import Question
from answerable.services.reach.platform_registry import AWS
from answerable.services.reach.question_sampling import (
    SampledQuestion,
    sample_permission_questions,
)
from answerable.services.reach.subject_resolution import resolve_subject

AGREES, OPEN, DIFFERS = "agrees", "open", "differs"
SET_ASIDE, UNANSWERED = "set-aside", "unanswered"

# The simulator looks at these. Source: IAM User Guide, "Testing IAM policies with the
# IAM policy simulator", and IAM API Reference, "SimulatePrincipalPolicy".
_EVALUATED = (PolicyLayer.IDENTITY, PolicyLayer.BOUNDARY, PolicyLayer.SCP)
# The comparison ends after this many refusals in a row.
_MAX_REFUSALS = 5


@dataclass(frozen=True, slots=True)
class _ComparedQuestion:
    """Question with the answers of both engines."""

    question: SampledQuestion
    verdict: Verdict
    determining: list[DeterminingStatementItem]
    simulated: SimulationResult | None
    outcome: str
    reason: str


def compare_with_simulator(
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
    simulator: PolicySimulator | None = None,
    progress: ProgressCallback = ignore_progress_report,
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
        simulator: Simulator client; AWS by default.
        progress: Progress callback.

    Returns:
        One item per question; the document has failed if a verdict differs.

    Raises:
        UsageError: The subject is not known or not in the account, or the sample is
            empty.
        EnvironmentFailure: AWS cannot be reached, or refuses every question.
    """
    if sample < 1:
        raise UsageError(
            f"--sample must be at least 1 (got {sample})", "for example --sample 200"
        )
    if simulator is None:
        context = SyncContext(
            now, _return_empty_fingerprint, progress, endpoint_url, profile, region
        )
        simulator = open_simulator(context)
    facts = _select_simulated_facts(inventory.facts)
    services = collect_services_named_by_policies(inventory.facts)
    compared = replace(inventory, facts=facts, derived=None)
    asked = AWS.build_permission_query(compared, Question(now), services)
    drawn = sample_permission_questions(
        asked.compiled_accounts,
        _select_principals(asked, simulator, subject),
        action,
        sample,
        seed,
    )
    if not drawn:
        raise UsageError(
            f"no action can be sampled (got --action {action[:80]!r})",
            "name actions of a service that the scanned policies mention",
        )
    both = list(_query_simulator(asked, simulator, drawn, inventory.facts, progress))
    return _build_document(asked, inventory, both)


def _return_empty_fingerprint(value: str) -> str:
    """Return an empty fingerprint, since no secret occurs here."""
    return ""


def _select_simulated_facts(facts: SightedFacts) -> SightedFacts:
    """Drop facts that the simulator ignores; trust still identifies sessions."""
    kept = (*_EVALUATED, PolicyLayer.TRUST)
    return replace(
        facts,
        attachments=tuple(a for a in facts.attachments if a.layer in kept),
        public_access=(),
    )


def _select_principals(
    query: QueryContext, simulator: PolicySimulator, subject: str
) -> list[CompiledPrincipal]:
    """Select the scanned users and roles of the simulator's account, or one of them."""
    held = [p for p in query.compiled_accounts.principals.values() if p.collected]
    mine = [p for p in held if p.identity.account == simulator.account]
    if subject:
        name = resolve_subject(query.inventory, subject)
        mine = [p for p in mine if p.id == name]
    mine = [p for p in mine if p.identity.kind in ("aws-user", "aws-role")]
    if mine:
        return mine
    accounts = sorted({p.identity.account for p in held})
    what = (
        f"{subject} is not a user or role" if subject else "no user or role was scanned"
    )
    raise UsageError(
        f"{what} in account {simulator.account}, to which the AWS credentials belong",
        f"scanned: {', '.join(accounts) or 'none'}; use a --profile of one of "
        "these accounts",
    )


def _query_simulator(
    query: QueryContext,
    simulator: PolicySimulator,
    questions: Sequence[SampledQuestion],
    facts: SightedFacts,
    progress: ProgressCallback,
) -> Iterator[_ComparedQuestion]:
    """Ask the simulator each question and yield it with both answers."""
    quotes = StatementQuotes(StatementTextIndex(facts))
    aside = _SimulatorLimits(query)
    refused: list[SimulationDeclined] = []
    answered = False
    for done, question in enumerate(questions):
        progress(done, len(questions), "simulations by AWS")
        principal = query.compiled_accounts.principals[question.principal]
        answer = evaluate_action(
            query.compiled_accounts, principal, question.action, question.resource
        )
        ours, named = (
            get_verdict(answer.formula),
            generic_items.build_determining_items(answer.determining),
        )
        quotes.set_queried_call(question.action, question.resource)
        quotes.add_quotes_to_items(named)
        why = aside.explain_skip(principal, question)
        if why:
            yield _ComparedQuestion(question, ours, named, None, SET_ASIDE, why)
            continue
        if len(refused) >= _MAX_REFUSALS:
            yield _ComparedQuestion(
                question, ours, named, None, UNANSWERED, refused[-1].reason
            )
            continue
        theirs = simulator.simulate(
            question.principal, question.action, question.resource
        )
        if isinstance(theirs, SimulationDeclined):
            lasting = theirs.kind in (SimulationRefusal.DENIED, SimulationRefusal.BUSY)
            refused = [*refused, theirs] if lasting else refused
            if len(refused) >= _MAX_REFUSALS and not answered:
                raise _explain_simulator_refusal(theirs)
            outcome = UNANSWERED if lasting else SET_ASIDE
            yield _ComparedQuestion(question, ours, named, None, outcome, theirs.reason)
            continue
        refused, answered = [], True
        yield _compare_answers(question, ours, named, theirs, aside)


def _explain_simulator_refusal(declined: SimulationDeclined) -> EnvironmentFailure:
    """Convert a refusal of the simulator to an error with a hint."""
    if declined.kind is SimulationRefusal.DENIED:
        return EnvironmentFailure(
            declined.reason, f"allow {PERMISSION} to the calling identity"
        )
    return EnvironmentFailure(
        declined.reason, "run the command again later, or use a smaller --sample"
    )


def _compare_answers(
    question: SampledQuestion,
    verdict: Verdict,
    determining: list[DeterminingStatementItem],
    simulated: SimulationResult,
    limits: "_SimulatorLimits",
) -> _ComparedQuestion:
    """Compare two answers; they differ only if both are unconditional.

    A condition key that is not stated leaves the simulator's answer open, like an
    undecided condition here.
    """
    allowed = simulated.decision == ALLOWED
    outcome, reason = DIFFERS, ""
    if verdict is Verdict.ONLY_IF and simulated.missing:
        outcome = AGREES
    elif verdict is Verdict.ONLY_IF or simulated.missing:
        same = allowed == (verdict is Verdict.ALWAYS) and verdict is not Verdict.ONLY_IF
        outcome = AGREES if same else OPEN
        reason = "" if same else "conditions that only one side evaluates"
    elif allowed == (verdict is Verdict.ALWAYS):
        outcome = AGREES
    elif simulated.organizations is False and not limits.has_all_scps(
        question.principal
    ):
        outcome, reason = OPEN, "an SCP that was not collected denies the call"
    return _ComparedQuestion(question, verdict, determining, simulated, outcome, reason)


class _SimulatorLimits:
    """Questions that the simulator does not answer.

    Source: IAM User Guide, "Testing IAM policies with the IAM policy simulator": no
    SCPs with conditions, no RCPs, no calls across accounts, resource policies only
    where they are passed and for users alone; and no role trust.
    """

    def __init__(self, query: QueryContext) -> None:
        self._estate, self._collected = query.compiled_accounts, query.collected
        policies = {p.id: p for p in query.inventory.facts.policies}
        attached = [
            a for a in query.inventory.facts.attachments if a.layer is PolicyLayer.SCP
        ]
        self._conditional = {
            a.target
            for a in attached
            if a.policy not in policies
            or policies[a.policy].unread
            or any(s.conditions for s in policies[a.policy].statements)
        }

    def explain_skip(
        self, principal: CompiledPrincipal, question: SampledQuestion
    ) -> str:
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
        if self._list_account_parents(account) & self._conditional:
            return "SCPs with conditions are not simulated"
        return ""

    def has_all_scps(self, principal: IdentityId) -> bool:
        """Return whether every SCP over a principal was collected."""
        account = self._estate.principals[principal].identity.account
        return self._collected.is_data_kind_collected("scp", account)

    def _list_account_parents(self, account: str) -> set[str]:
        """List the organizational units above an account, the account included."""
        known = self._estate.accounts.get(account)
        return {account, *(known.parents if known else ())}


def _build_document(
    query: QueryContext, inventory: Inventory, compared: Sequence[_ComparedQuestion]
) -> Document:
    """Build the document of the comparison; it fails if a verdict differs."""
    listed = [_build_compared_item(each) for each in compared]
    accounts = {
        query.compiled_accounts.principals[each.question.principal].identity.account
        for each in compared
    }
    lacking = {
        query.collected.name_missing_data(word, account)
        for word in ("identity-policies", "boundaries", "scp")
        for account in accounts
    }
    covered = build_coverage(inventory, query.now, sorted(lacking - {""}))
    told = Counter(each["outcome"] for each in listed)
    if told[UNANSWERED]:
        covered["partial"] = True
    return Document("reach-compared", listed, covered, failed=bool(told[DIFFERS]))


def _build_compared_item(compared: _ComparedQuestion) -> AwsComparisonItem:
    """Convert a question with both answers to a document item."""
    asked, theirs = compared.question, compared.simulated
    return {
        "subject": asked.principal,
        "action": asked.action,
        "resource": asked.resource,
        "verdict": compared.verdict.value,
        "simulated": theirs.decision if theirs else None,
        "missing": list(theirs.missing) if theirs else [],
        "outcome": compared.outcome,
        "reason": compared.reason,
        "matched": list(theirs.matched) if theirs else [],
        "determining": compared.determining,
    }
