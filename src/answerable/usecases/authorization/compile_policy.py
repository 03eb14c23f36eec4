"""Compile a configuration and its Cedar policies into the decision table."""

from answerable.authorization.decision_table import (
    DecisionTable,
    build_decision_table,
    build_missing_policy_table,
)
from answerable.model.cedar_policy import CedarPolicySet
from answerable.model.config import Config


def compile_decision_table(
    config: Config,
    policies: CedarPolicySet,
    *,
    is_valid: bool = True,
    previous: DecisionTable | None = None,
) -> DecisionTable:
    """Compile the decision table of an `Authorizer`.

    Args:
        policies: Cedar policies that it names.
        is_valid: Whether the configuration is free of faults; otherwise everything is
            denied except discovery of the server.
        previous: Previous table; its unchanged parts are reused.
    """
    if is_valid:
        return build_decision_table(config, policies, previous)
    return build_missing_policy_table(server.name for server in config.servers)
