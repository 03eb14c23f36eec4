"""Apply the policy edits of `what-if` to the collected facts."""

from collections.abc import Sequence
from dataclasses import dataclass

from answerable.model.errors import UsageError
from answerable.model.ids import AgentId, CredentialId, PersonId
from answerable.model.inventory import Inventory
from answerable.model.policy import PolicyLayer
from answerable.model.sighting import SightedFacts
from answerable.presentation.policy_condition_text import shorten_policy_name
from answerable.reach.aws.what_if.policy_edits import (
    attach_policy,
    find_policy,
    find_statement,
    remove_policy,
    remove_statements,
)
from answerable.reach.person_identities import list_person_identities
from answerable.services.reach.stated_request_context import read_policy_file

_MOST_LISTED = 4
_LAYERS = tuple(
    one.value
    for one in PolicyLayer
    if one not in (PolicyLayer.SESSION, PolicyLayer.ENDPOINT)
)


@dataclass(frozen=True, slots=True)
class PolicyEdit:
    """Edit of policies, as a user writes it.

    Attributes:
        statements: Statements to remove: `POLICY#STATEMENT`, or as answers print them.
        policies: Policies to remove, by id or as answers print them.
        file: File with a policy document to attach; empty for none.
        target: Identity or resource to attach it to; empty for the subject.
        layer: Policy layer; empty to derive it from the document and the target.
    """

    statements: Sequence[str] = ()
    policies: Sequence[str] = ()
    file: str = ""
    target: str = ""
    layer: str = ""

    @property
    def is_empty(self) -> bool:
        """Return whether the edit changes nothing."""
        return not (self.statements or self.policies or self.file)


def require_target(inventory: Inventory, subject: str, edit: PolicyEdit) -> None:
    """Refuse to attach a policy to an agent, a credential or a person.

    Args:
        subject: Id of the subject; empty for all.

    Raises:
        UsageError: No policy can be attached to the subject, and no target is named;
            the hint has the identities that the subject acts as.
    """
    if not edit.file or edit.target:
        return
    agent = inventory.agents.get(AgentId(subject))
    credential = inventory.credentials.get(CredentialId(subject))
    if PersonId(subject) in inventory.persons:
        what = "a person"
        acts = [
            use.identity
            for use in list_person_identities(inventory, PersonId(subject)).found
        ]
    elif agent is None and credential is None:
        return
    elif agent is not None:
        what, acts = "an agent", list(agent.identities)
    else:
        what = "a credential"
        acts = [credential.identity] if credential and credential.identity else []
    hint = "name the identity: --on ARN"
    if acts:
        listed = ", ".join(acts[:_MOST_LISTED])
        more = f" and {len(acts) - _MOST_LISTED} more" if acts[_MOST_LISTED:] else ""
        hint = f"it acts as {listed}{more}: --on {acts[0]}"
    raise UsageError(
        f"--with attaches a policy to an identity, not to {what} "
        f"(got {subject[:200]!r}, expected --on IDENTITY)",
        hint,
    )


def apply_edit(
    facts: SightedFacts, edit: PolicyEdit, subject: str, now: int
) -> SightedFacts:
    """Apply an edit to the collected facts.

    Args:
        subject: Id of the subject; empty for all.
        now: UTC nanoseconds.

    Raises:
        UsageError: A statement, policy, target or layer is unknown, or a file holds no
            policy; the hint has the nearest spelling.
    """
    found = [
        find_statement(facts, text, shorten_policy_name) for text in edit.statements
    ]
    named = [find_policy(facts, text, shorten_policy_name) for text in edit.policies]
    facts = remove_statements(facts, found) if found else facts
    for policy in named:
        facts = remove_policy(facts, policy.id)
    return _attach_file(facts, edit, subject, now) if edit.file else facts


def _attach_file(
    facts: SightedFacts, edit: PolicyEdit, subject: str, now: int
) -> SightedFacts:
    """Attach the policy of a file to the target of the edit."""
    target = edit.target or subject
    layer = _select_layer(facts, edit, target, now)
    policy = read_policy_file(edit.file, layer, now, option="--with")
    return attach_policy(facts, policy, target, layer)


def _select_layer(
    facts: SightedFacts, edit: PolicyEdit, target: str, now: int
) -> PolicyLayer:
    """Select the policy layer of an attached file by option, target or content."""
    identities = {each.id: each for each in facts.identities}
    places = {one.target for one in facts.attachments if one.layer is PolicyLayer.SCP}
    places |= {account.id for account in facts.accounts}
    if not target or (
        target not in identities and target not in places and ":" not in target
    ):
        raise UsageError(
            f"--with needs a target (got {target[:80]!r}, expected an identity, a "
            "resource, an account or an organizational unit)",
            "name it: --on ARN",
        )
    if edit.layer:
        if edit.layer not in _LAYERS:
            raise UsageError(
                f"not a kind of policy (got {edit.layer[:40]!r}, expected one of "
                f"{', '.join(_LAYERS)})"
            )
        return PolicyLayer(edit.layer)
    if target in places or target.startswith(("ou-", "r-")):
        return PolicyLayer.SCP
    if target not in identities:
        if target.startswith(("arn:aws:iam:", "agent:")):
            raise UsageError(
                f"no such identity was collected (got {target[:200]!r}, expected one)",
                "name an identity or a resource: --on ARN",
            )
        return PolicyLayer.RESOURCE
    trust = read_policy_file(edit.file, PolicyLayer.TRUST, now, option="--with")
    whole = bool(trust.statements) and not trust.unread
    return PolicyLayer.TRUST if whole else PolicyLayer.IDENTITY
