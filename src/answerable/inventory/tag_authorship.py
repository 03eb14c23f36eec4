"""Decide whether an identity may have set a tag; self-set tags prove no owner.

Allow statements are matched as text, and conditions are assumed to hold: the result is
an upper bound. An unconditional Deny, and a boundary without a matching Allow, count.
Reach does the full evaluation.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from answerable.model.errors import IdError
from answerable.model.ids import Arn, PolicyId, parse_arn_account
from answerable.model.policy import (
    Policy,
    PolicyAttachment,
    PolicyEffect,
    PolicyLayer,
    Statement,
)

_MAX_PATTERN_LENGTH = 2048


def match_iam_pattern(pattern: str, text: str) -> bool:
    """Match an IAM pattern (`*`, `?`) against a text, in at most len * len steps."""
    at = star = -1
    p = t = 0
    while t < len(text):
        if p < len(pattern) and pattern[p] == "*":
            star, at = p, t
            p += 1
        elif p < len(pattern) and pattern[p] in ("?", text[t]):
            p, t = p + 1, t + 1
        elif star >= 0:
            at += 1
            p, t = star + 1, at
        else:
            return False
    return all(letter == "*" for letter in pattern[p:])


class TagAuthorship:
    """Index of policies that decides whether an identity may set tags of another."""

    def __init__(
        self, policies: Iterable[Policy], attachments: Iterable[PolicyAttachment]
    ) -> None:
        """Index the policies by the identity that they apply to."""
        self._policies: Mapping[PolicyId, Policy] = {p.id: p for p in policies}
        self._attached: dict[tuple[str, PolicyLayer], list[PolicyAttachment]] = (
            defaultdict(list)
        )
        for attachment in attachments:
            if attachment.layer in (PolicyLayer.IDENTITY, PolicyLayer.BOUNDARY):
                self._attached[attachment.target, attachment.layer].append(attachment)
        self._known: dict[tuple[str, str], bool] = {}

    def may_identity_tag_target(self, writer: str, target: str) -> bool:
        """Return whether `writer` could set the tags of the role or user `target`."""
        key = (writer, target)
        if key not in self._known:
            self._known[key] = self._may_policies_allow_tagging(writer, target)
        return self._known[key]

    def _may_policies_allow_tagging(self, writer: str, target: str) -> bool:
        """Return whether the writer's policies may allow the tagging."""
        action = _get_iam_tagging_action(target)
        if action is None or parse_arn_account(writer) != parse_arn_account(target):
            return False
        own = list(self._list_policy_statements_of_layer(writer, PolicyLayer.IDENTITY))
        if not any(
            _does_statement_apply(s, PolicyEffect.ALLOW, action, target) for s in own
        ):
            return False
        bounds = list(
            self._list_policy_statements_of_layer(writer, PolicyLayer.BOUNDARY)
        )
        if self._are_boundaries_collected(writer) and not any(
            _does_statement_apply(s, PolicyEffect.ALLOW, action, target) for s in bounds
        ):
            return False
        return not any(
            not s.conditions
            and _does_statement_apply(s, PolicyEffect.DENY, action, target)
            for s in (*own, *bounds)
        )

    def _are_boundaries_collected(self, writer: str) -> bool:
        """Return whether the boundaries are all collected and readable."""
        attached = self._attached.get((writer, PolicyLayer.BOUNDARY), [])
        found = [self._policies.get(a.policy) for a in attached]
        return bool(found) and all(p is not None and not p.unread for p in found)

    def _list_policy_statements_of_layer(
        self, writer: str, layer: PolicyLayer
    ) -> Iterable[Statement]:
        """Yield a principal's policy statements of one layer."""
        for attachment in self._attached.get((writer, layer), ()):
            policy = self._policies.get(attachment.policy)
            if policy is not None:
                yield from policy.statements


def _get_iam_tagging_action(target: str) -> str | None:
    """Return the IAM action that tags a role or user, else None."""
    try:
        arn = Arn.parse(target)
    except IdError:
        return None
    kind = arn.resource.partition("/")[0]
    if arn.service != "iam" or kind not in ("role", "user"):
        return None
    return f"iam:tag{kind}"


def _does_statement_apply(
    statement: Statement, effect: PolicyEffect, action: str, target: str
) -> bool:
    """Return whether a statement has this effect on an action and target."""
    if statement.effect is not effect:
        return False
    if statement.not_actions:
        acts = not any(
            match_iam_pattern(p.lower(), action) for p in statement.not_actions
        )
    else:
        acts = any(match_iam_pattern(p.lower(), action) for p in statement.actions)
    if not acts:
        return False
    vague = effect is PolicyEffect.ALLOW
    if statement.not_resources:
        return not any(
            _does_resource_pattern_match(p, target, not vague)
            for p in statement.not_resources
        )
    return any(
        _does_resource_pattern_match(p, target, vague) for p in statement.resources
    )


def _does_resource_pattern_match(pattern: str, target: str, if_variable: bool) -> bool:
    """Match a resource pattern; return `if_variable` if it has a policy variable."""
    if "${" in pattern or len(pattern) > _MAX_PATTERN_LENGTH:
        return if_variable
    return match_iam_pattern(pattern, target)
