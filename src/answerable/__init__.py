"""Govern the identities that AI agents act through.

One chain runs through the whole package:

    person -> agent (-> sub-agent ...) -> tool -> identity -> action -> resource

`model` holds its nouns, the rooms (`inventory`, `reach`, `lineage`, `evidence`) its
verbs, `connectors` and `store` touch the world, `flows` tell the stories, and `cli`
is the door people use first.
"""

__version__ = "0.1.0"
