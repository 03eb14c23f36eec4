"""Diversity of the generated policies."""

from collections import Counter, defaultdict
from dataclasses import replace

from answerable.model.policy import PolicyLayer, Statement
from answerable.model.sighting import SightedFacts


def measure_diversity(facts: SightedFacts) -> dict[str, int]:
    """Count the policies and statements, and the distinct ones."""
    statements = {policy.id: policy.statements for policy in facts.policies}
    sets: dict[str, set[str]] = defaultdict(set)
    layers: Counter[PolicyLayer] = Counter()
    own: set[tuple[Statement, ...]] = set()
    held = 0
    for one in facts.attachments:
        layers[one.layer] += 1
        if one.layer is PolicyLayer.IDENTITY and ":group/" not in one.target:
            sets[one.target].add(one.policy)
        if one.layer is PolicyLayer.RESOURCE and statements[one.policy]:
            held += 1
            own.add(statements[one.policy])
    flat = [s for some in statements.values() for s in some]
    patterns = {a.lower() for s in flat for a in (*s.actions, *s.not_actions)}
    return {
        "accounts": len(facts.accounts),
        "principals": len(facts.identities),
        "policies": len(facts.policies),
        "statements": len(flat),
        "distinct statements": len({replace(s, sid="") for s in flat}),
        "distinct policy sets": len(set(map(frozenset, sets.values()))),
        "action patterns": len(patterns),
        "services": len({pattern.partition(":")[0] for pattern in patterns} - {"*"}),
        "boundaries attached": layers[PolicyLayer.BOUNDARY],
        "SCP and RCP statements": sum(
            len(statements[policy])
            for policy in {
                one.policy
                for one in facts.attachments
                if one.layer in (PolicyLayer.SCP, PolicyLayer.RCP)
            }
        ),
        "SCP and RCP attachments": layers[PolicyLayer.SCP] + layers[PolicyLayer.RCP],
        "resources": len(facts.resources),
        "resources with a policy of their own": held,
        "distinct ones": len(own),
        "public-access blocks": len(facts.public_access),
        "conditions": sum(len(s.conditions) for s in flat),
        "condition keys": len({c.key.lower() for s in flat for c in s.conditions}),
    }
