"""Configurations of `answerable.baseline` for the frontier."""

from answerable.model.baseline import (
    ReferenceTablePolicy,
    Strictness,
    UnexplainedEntityPolicy,
    UntrustedTextPolicy,
)
from bench.agentdojo.baseline_guard import BaselineConfig

KINDS = frozenset({"payee", "email", "host", "member", "channel"})
# As it was learned: what honest runs took from strangers' text or from the request
# that nobody saw, they may take again.
_LEARNED = Strictness(
    unexplained=UnexplainedEntityPolicy.LEARNED, untrusted=UntrustedTextPolicy.LEARNED
)
_WITH_REQUEST = Strictness(
    unexplained=UnexplainedEntityPolicy.ASK, untrusted=UntrustedTextPolicy.LEARNED
)
_WITH_TABLES = Strictness(
    unexplained=UnexplainedEntityPolicy.LEARNED,
    untrusted=UntrustedTextPolicy.LEARNED,
    tables=ReferenceTablePolicy.REQUIRE,
)
BASELINE_CONFIGS = {
    "prompt-blind": {
        "learned": BaselineConfig(_LEARNED),
        "learned, owner's tables": BaselineConfig(_LEARNED, KINDS),
        "what no table lists is asked": BaselineConfig(_WITH_TABLES, KINDS),
        "what nothing explains is asked, tables": BaselineConfig(_WITH_REQUEST, KINDS),
        "strict, tables": BaselineConfig(Strictness(), KINDS),
    },
    "attested request": {
        "learned": BaselineConfig(_LEARNED, attested=True),
        "learned, owner's tables": BaselineConfig(_LEARNED, KINDS, attested=True),
        "what no table lists is asked": BaselineConfig(
            _WITH_TABLES, KINDS, attested=True
        ),
        "what nothing explains is asked, tables": BaselineConfig(
            _WITH_REQUEST, KINDS, attested=True
        ),
        "strict, tables": BaselineConfig(Strictness(), KINDS, attested=True),
    },
}
PROMPT_BLIND = BASELINE_CONFIGS["prompt-blind"]["learned, owner's tables"]
ATTESTED = BASELINE_CONFIGS["attested request"]["learned, owner's tables"]
