"""Rank callers by severity: the public first, AWS services last.

Order: the public, other accounts and identity providers, identities of unattended
agents, those of other agents, all other identities, AWS services.
"""

from dataclasses import dataclass

PUBLIC, FOREIGN, UNATTENDED, ACTING, OTHER, SERVICE = range(6)


_ANYONE = "*"


@dataclass(frozen=True, slots=True)
class CallerRanking:
    """Ranking of callers by agents.

    Attributes:
        unattended: Subset of `acting`, for agents that run unattended.
    """

    acting: frozenset[str] = frozenset()
    unattended: frozenset[str] = frozenset()

    def grade_identity_severity(self, identity: str) -> int:
        """Return an identity's severity grade; the most severe is the lowest."""
        if identity in self.unattended:
            return UNATTENDED
        return ACTING if identity in self.acting else OTHER


NO_AGENT_RANKING = CallerRanking()


def grade_external_caller_severity(subject: str, *, service: bool) -> int:
    """Grade an outside caller: AWS service, public (anyone) or foreign account."""
    if service:
        return SERVICE
    return PUBLIC if subject == _ANYONE else FOREIGN


IDENTITY_GRADES = ((UNATTENDED,), (ACTING,), (OTHER,))
