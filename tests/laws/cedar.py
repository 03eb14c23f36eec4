"""Cedar policies by chance, of every layer, on all that a policy may read."""

import random

from answerable.authorization.cedar.loader import load_policies
from answerable.model.cedar_policy import CedarFile, CedarPolicySet
from answerable.model.config import Config
from tests.laws.messages import TOOLS

CALL = 'action == Action::"tools/call"'
POLICIES = (
    f"permit (principal, {CALL}, resource) when {{{{ context.arguments has path }}}};",
    f"permit (principal, {CALL}, resource == {{tool}});",
    "permit (principal, action, resource) when {{ context has identity }};",
    f"forbid (principal, {CALL}, resource == {{tool}})"
    ' unless {{ context.arguments.path like "/srv/*" }};',
    'forbid (principal, action == Action::"resources/read", resource)'
    ' when {{ resource.name like "*shadow" }};',
    f"@ask forbid (principal, {CALL}, resource == {{tool}})"
    " when {{ context has person }};",
    'permit (principal == Agent::"agent:declared/root", action, resource);',
)


def policies(rng: random.Random, config: Config) -> CedarPolicySet:
    """Some policies, or none."""
    text = "\n".join(
        each.format(tool=f'Tool::"tool:mcp/files/{rng.choice(TOOLS)}"')
        for each in rng.sample(POLICIES, rng.randint(0, 4))
    )
    agents = (str(each.id) for each in config.agents)
    servers = (f"server:{each.name}" for each in config.servers)
    read = load_policies([CedarFile("some.cedar", text.encode())], (*agents, *servers))
    assert read.faults == (), read.faults[:3]
    return read.rules
