"""Apply the policy edits of `what-if` to the collected facts of AWS."""

from answerable.model.errors import UsageError
from answerable.model.policy import PolicyLayer
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.compiled_graph import AwsHost
from answerable.reach.aws.what_if.policy_edits import (
    attach_policy,
    find_policy_by_printed_name,
    find_statement_by_printed_name,
    remove_policy_and_attachments,
    remove_policy_statements,
)
from answerable.reach.platform import PolicyEdit

_LAYERS = tuple(
    one.value
    for one in PolicyLayer
    if one not in (PolicyLayer.SESSION, PolicyLayer.ENDPOINT)
)


def apply_policy_edit_to_facts(
    host: AwsHost, facts: SightedFacts, edit: PolicyEdit, subject: str, now: int
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
        find_statement_by_printed_name(facts, text, host.shorten_policy_name)
        for text in edit.statements
    ]
    named = [
        find_policy_by_printed_name(facts, text, host.shorten_policy_name)
        for text in edit.policies
    ]
    facts = remove_policy_statements(facts, found) if found else facts
    for policy in named:
        facts = remove_policy_and_attachments(facts, policy.id)
    return _attach_policy_file(host, facts, edit, subject, now) if edit.file else facts


def _attach_policy_file(
    host: AwsHost, facts: SightedFacts, edit: PolicyEdit, subject: str, now: int
) -> SightedFacts:
    """Attach the policy of a file to the target of the edit."""
    target = edit.target or subject
    layer = _select_policy_layer_of_file(host, facts, edit, target, now)
    policy = host.read_policy(edit.file, layer, now)
    return attach_policy(facts, policy, target, layer)


def _select_policy_layer_of_file(
    host: AwsHost, facts: SightedFacts, edit: PolicyEdit, target: str, now: int
) -> PolicyLayer:
    """Select the policy layer of an attached file by option, target or content."""
    identities = {str(each.id) for each in facts.identities}
    places = {one.target for one in facts.attachments if one.layer is PolicyLayer.SCP}
    places |= {account.id for account in facts.accounts}
    if not target or (
        target not in identities and target not in places and ":" not in target
    ):
        raise UsageError(
            f"--with requires a target (got {target[:80]!r}, expected an identity, "
            "a resource, an account or an organizational unit)",
            "name the target: --on ARN",
        )
    if edit.layer:
        if edit.layer not in _LAYERS:
            raise UsageError(
                f"unknown policy kind (got {edit.layer[:40]!r}, expected one of "
                f"{', '.join(_LAYERS)})"
            )
        if edit.layer == PolicyLayer.TRUST and target in identities:
            _require_role(target)
        return PolicyLayer(edit.layer)
    if target in places or target.startswith(("ou-", "r-")):
        return PolicyLayer.SCP
    if target not in identities:
        if target.startswith(("arn:aws:iam:", "agent:")):
            raise UsageError(
                f"no such identity was scanned (got {target[:200]!r}, expected one)",
                "name an identity or a resource: --on ARN",
            )
        return PolicyLayer.RESOURCE
    trust = host.read_policy(edit.file, PolicyLayer.TRUST, now)
    if not trust.statements or trust.unread:
        return PolicyLayer.IDENTITY
    _require_role(target)
    return PolicyLayer.TRUST


def _require_role(identity: str) -> None:
    """Refuse a trust policy for an identity that nobody can assume.

    Raises:
        UsageError: The identity is not a role.
    """
    if ":role/" not in identity:
        raise UsageError(
            f"only a role has a trust policy (got one for {identity[:200]!r})",
            "remove Principal for an identity policy, or name a role: --on ARN",
        )
