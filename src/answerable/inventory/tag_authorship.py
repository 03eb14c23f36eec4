"""Possible authors of a tag: self-written owner evidence does not count.

Allow statements are matched as text, and conditions are assumed to hold: the result is
an upper bound. An unconditional Deny, and a boundary without a matching Allow, count.
Reach does the full evaluation.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from answerable.model.errors import IdError
from answerable.model.ids import Arn, PolicyId
from answerable.model.policy import Attachment, Effect, Layer, Policy, Statement

_LONGEST = 2048


def matches(pattern: str, text: str) -> bool:
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


class Authorship:
    """Index of policies that decides whether an identity may set tags of another."""

    def __init__(
        self, policies: Iterable[Policy], attachments: Iterable[Attachment]
    ) -> None:
        """Index the policies by the identity that they apply to."""
        self._policies: Mapping[PolicyId, Policy] = {p.id: p for p in policies}
        self._attached: dict[tuple[str, Layer], list[Attachment]] = defaultdict(list)
        for attachment in attachments:
            if attachment.layer in (Layer.IDENTITY, Layer.BOUNDARY):
                self._attached[attachment.target, attachment.layer].append(attachment)
        self._known: dict[tuple[str, str], bool] = {}

    def may_tag(self, writer: str, target: str) -> bool:
        """Tell whether `writer` could set the tags of the role or user `target`."""
        key = (writer, target)
        if key not in self._known:
            self._known[key] = self._may_tag(writer, target)
        return self._known[key]

    def _may_tag(self, writer: str, target: str) -> bool:
        action = _tagging_action(target)
        if action is None or _account(writer) != _account(target):
            return False
        own = list(self._statements(writer, Layer.IDENTITY))
        if not any(_says(s, Effect.ALLOW, action, target) for s in own):
            return False
        bounds = list(self._statements(writer, Layer.BOUNDARY))
        if self._bounded(writer) and not any(
            _says(s, Effect.ALLOW, action, target) for s in bounds
        ):
            return False
        return not any(
            not s.conditions and _says(s, Effect.DENY, action, target)
            for s in (*own, *bounds)
        )

    def _bounded(self, writer: str) -> bool:
        """Tell whether there are boundaries, all collected and read completely."""
        attached = self._attached.get((writer, Layer.BOUNDARY), [])
        found = [self._policies.get(a.policy) for a in attached]
        return bool(found) and all(p is not None and not p.unread for p in found)

    def _statements(self, writer: str, layer: Layer) -> Iterable[Statement]:
        for attachment in self._attached.get((writer, layer), ()):
            policy = self._policies.get(attachment.policy)
            if policy is not None:
                yield from policy.statements


def _account(text: str) -> str:
    try:
        return Arn.parse(text).account
    except IdError:
        return ""


def _tagging_action(target: str) -> str | None:
    try:
        arn = Arn.parse(target)
    except IdError:
        return None
    kind = arn.resource.partition("/")[0]
    if arn.service != "iam" or kind not in ("role", "user"):
        return None
    return f"iam:tag{kind}"


def _says(statement: Statement, effect: Effect, action: str, target: str) -> bool:
    if statement.effect is not effect:
        return False
    if statement.not_actions:
        acts = not any(matches(p.lower(), action) for p in statement.not_actions)
    else:
        acts = any(matches(p.lower(), action) for p in statement.actions)
    if not acts:
        return False
    vague = effect is Effect.ALLOW
    if statement.not_resources:
        return not any(_covers(p, target, not vague) for p in statement.not_resources)
    return any(_covers(p, target, vague) for p in statement.resources)


def _covers(pattern: str, target: str, vague: bool) -> bool:
    """Match a resource pattern; return `vague` for one with a policy variable."""
    if "${" in pattern or len(pattern) > _LONGEST:
        return vague
    return matches(pattern, target)
