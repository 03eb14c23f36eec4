"""Compilation of a configuration to the decision table."""

from answerable.authorization.decision_table import (
    DecisionTable,
    build_fallback_table,
    compile_table,
)
from answerable.model.cedar_policy import CedarPolicySet
from answerable.model.config import Config


def compile_decision_table(
    config: Config,
    rules: CedarPolicySet,
    *,
    whole: bool = True,
    before: DecisionTable | None = None,
) -> DecisionTable:
    """Compile the decision table of an `Authorizer`.

    Args:
        rules: Cedar policies that it names.
        whole: Whether the configuration is free of faults; otherwise everything is
            denied except discovery of the server.
        before: Previous table; its unchanged parts are reused.
    """
    if whole:
        return compile_table(config, rules, before)
    return build_fallback_table(server.name for server in config.servers)
