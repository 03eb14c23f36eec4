"""Govern the identities that AI agents act through.

One chain runs through the whole package:

    person -> agent (-> sub-agent ...) -> tool -> identity -> action -> resource

`model` holds the domain types; pure packages (`inventory`, `reach`, `lineage`,
`baseline`, `authorization`, `federation`, `evidence`) compute; `connectors` and `store`
do IO; `usecases` combine them for `cli` and the servers.
"""

__version__ = "0.1.0"
