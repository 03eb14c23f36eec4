"""Check the target of a policy edit of `what-if`."""

from answerable.model.errors import UsageError
from answerable.model.ids import AgentId, CredentialId, PersonId
from answerable.model.inventory import Inventory
from answerable.reach.person_identities import list_identities_person_can_use
from answerable.reach.platform import PolicyEdit

_MOST_LISTED = 4


def require_policy_target(inventory: Inventory, subject: str, edit: PolicyEdit) -> None:
    """Refuse a policy edit on an agent, a credential or a person.

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
            for use in list_identities_person_can_use(
                inventory, PersonId(subject)
            ).found
        ]
    elif agent is None and credential is None:
        return
    elif agent is not None:
        what, acts = "an agent", list(agent.identities)
    else:
        what = "a credential"
        acts = [credential.identity] if credential and credential.identity else []
    hint = "name the target identity: --on IDENTITY"
    if acts:
        listed = ", ".join(acts[:_MOST_LISTED])
        more = f" and {len(acts) - _MOST_LISTED} more" if acts[_MOST_LISTED:] else ""
        hint = f"it acts as {listed}{more}: --on {acts[0]}"
    raise UsageError(
        f"--with can attach a policy only to an identity, not to {what} (got "
        f"{subject[:200]!r}, expected --on IDENTITY)",
        hint,
    )
