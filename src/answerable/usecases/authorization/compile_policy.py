"""Compilation of a configuration to the decision table."""

from answerable.authorization.decision_table import Table, compile_table, without_policy
from answerable.model.cedar_policy import CedarRules
from answerable.model.config import Config


def table_of(
    config: Config,
    rules: CedarRules,
    *,
    whole: bool = True,
    before: Table | None = None,
) -> Table:
    """Compile the decision table of an `Authority`.

    Args:
        rules: Cedar policies that it names.
        whole: Whether the configuration is free of faults; otherwise everything is
            denied except discovery of the server.
        before: Previous table; its unchanged parts are reused.
    """
    if whole:
        return compile_table(config, rules, before)
    return without_policy(server.name for server in config.servers)
