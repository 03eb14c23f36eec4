"""Parse the `act` claim (RFC 8693 4.1): the chain of actors in a token.

Only our token service builds a chain that we trust, and even that is informative: an
actor's rights come from the delegation record. A foreign chain is marked as its
issuer's claim.
"""

from answerable.federation.jws_parsing import is_identifier
from answerable.federation.strict_json import JsonObject
from answerable.federation.token_errors import TokenFault, TokenRejected
from answerable.model.provenance import WrittenBy
from answerable.model.token_claims import ActChain, Actor

MAX_ACTORS = 4

_NAMES = ("sub", "iss", "entity")


def parse_actors(payload: JsonObject, is_own_token: bool) -> ActChain:
    """Parse the `act` claim of a token into its actors; empty if it has none.

    Args:
        is_own_token: We issued the token.

    Raises:
        TokenRejected: An actor has no subject or is repeated, or there are too many.
    """
    actors: list[Actor] = []
    outer = payload
    while "act" in outer:
        if len(actors) == MAX_ACTORS:
            raise TokenRejected(
                TokenFault.ACT_DEPTH, f"expected {MAX_ACTORS} actors at most"
            )
        inner = outer["act"]
        if not isinstance(inner, dict):
            raise TokenRejected(
                TokenFault.ACT_SHAPE, "expected each actor to be an object"
            )
        actor = _parse_actor(inner)
        if actor in actors:
            raise TokenRejected(TokenFault.ACT_CYCLE, "expected each actor only once")
        actors.append(actor)
        outer = inner
    written_by = WrittenBy.MEDIATOR if is_own_token else WrittenBy.SELF_REPORTED
    return ActChain(tuple(actors), written_by)


def _parse_actor(members: JsonObject) -> Actor:
    """Parse one actor; `exp` and the like mean nothing inside it (RFC 8693 4.1)."""
    names = {name: members[name] for name in _NAMES if name in members}
    if "sub" not in names:
        raise TokenRejected(
            TokenFault.ACT_SHAPE, "expected each actor to have a subject"
        )
    texts = {name: value for name, value in names.items() if is_identifier(value)}
    if texts.keys() != names.keys():
        raise TokenRejected(
            TokenFault.ACT_SHAPE, "expected the names of actors to be strings"
        )
    return Actor(**texts)
