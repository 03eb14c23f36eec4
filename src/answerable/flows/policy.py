"""Compilation of a configuration to the decision table."""

from answerable.enforce.table import Table, compile_table, without_policy
from answerable.model.cedar import CedarRules
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
        config: The configuration.
        rules: The Cedar policies that it names.
        whole: All of this is right; otherwise everything is denied but finding out
            that a server is there.
        before: What was in force; what is the same in both is not compiled anew.
    """
    if whole:
        return compile_table(config, rules, before)
    return without_policy(server.name for server in config.servers)
