"""Configurations of `answerable.baseline` for the frontier."""

from answerable.model.baseline import Stance, Tables, Unexplained, Untrusted
from bench.agentdojo.baseline_guard import Way

KINDS = frozenset({"payee", "email", "host", "member", "channel"})
# As it was learned: what honest runs took from strangers' text or from the request
# that nobody saw, they may take again.
_LEARNED = Stance(unexplained=Unexplained.LEARNED, untrusted=Untrusted.LEARNED)
_ASKED = Stance(unexplained=Unexplained.ASK, untrusted=Untrusted.LEARNED)
_LISTED = Stance(
    unexplained=Unexplained.LEARNED,
    untrusted=Untrusted.LEARNED,
    tables=Tables.REQUIRE,
)
WAYS = {
    "prompt-blind": {
        "learned": Way(_LEARNED),
        "learned, owner's tables": Way(_LEARNED, KINDS),
        "what no table lists is asked": Way(_LISTED, KINDS),
        "what nothing explains is asked, tables": Way(_ASKED, KINDS),
        "strict, tables": Way(Stance(), KINDS),
    },
    "attested request": {
        "learned": Way(_LEARNED, attested=True),
        "learned, owner's tables": Way(_LEARNED, KINDS, attested=True),
        "what no table lists is asked": Way(_LISTED, KINDS, attested=True),
        "what nothing explains is asked, tables": Way(_ASKED, KINDS, attested=True),
        "strict, tables": Way(Stance(), KINDS, attested=True),
    },
}
BLIND = WAYS["prompt-blind"]["learned, owner's tables"]
ATTESTED = WAYS["attested request"]["learned, owner's tables"]
