"""Size limits of AWS policies, by export target.

Sources: IAM User Guide, "IAM and AWS STS quotas, name requirements, and character
limits" (IAM does not count white space of managed policies); AWS STS API Reference,
"AssumeRole", parameter `Policy`; IAM Identity Center API Reference,
"PutInlinePolicyToPermissionSet".
"""

from collections.abc import Mapping
from dataclasses import dataclass

from answerable.model.policy_export import ExportTarget


@dataclass(frozen=True, slots=True)
class AwsPolicyLimit:
    """Limit of one kind of AWS policy.

    Attributes:
        characters: Most characters of one document, without optional white space.
        documents: Most documents that one identity takes.
        packed: Whether AWS packs it with tags into a second limit. Only its answer has
            the used share (`SessionTokenUtilization`, formerly `PackedPolicySize`).
    """

    characters: int
    documents: int
    packed: bool = False


AWS_LIMITS: Mapping[ExportTarget, AwsPolicyLimit] = {
    ExportTarget.AWS_SESSION_POLICY: AwsPolicyLimit(2_048, 1, packed=True),
    ExportTarget.AWS_POLICY: AwsPolicyLimit(6_144, 10),
    ExportTarget.AWS_BOUNDARY: AwsPolicyLimit(6_144, 1),
    ExportTarget.AWS_PERMISSION_SET: AwsPolicyLimit(32_768, 1),
}


def has_forbidden_characters(text: str) -> bool:
    """Return whether a text has characters that no AWS policy may contain.

    Policies take U+0020 to U+00FF, tabs and line breaks ("AssumeRole", `Policy`); no
    pattern needs the latter.
    """
    return not all(" " <= each <= "\xff" for each in text)
