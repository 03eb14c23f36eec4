"""The `act` claim (RFC 8693 4.1): who acts now, on whose behalf before, and so on.

Only our own token service builds one that means anything here, and even that is only
shown: what an actor may do is read from the delegation's record. A chain of somebody
else is marked as their word.
"""

from answerable.federate.admission import is_name
from answerable.federate.errors import Reason, TokenRefused
from answerable.federate.strict import JsonObject
from answerable.model.claims import ActChain, Actor
from answerable.model.written import WrittenBy

MAX_ACTORS = 4

_NAMES = ("sub", "iss", "entity")


def read_actors(payload: JsonObject, ours: bool) -> ActChain:
    """Read the `act` claim of a token, if it has one.

    Args:
        payload: The token's claims.
        ours: We issued the token.

    Raises:
        TokenRefused: An actor has no subject, there are too many, or one comes twice.
    """
    actors: list[Actor] = []
    outer = payload
    while "act" in outer:
        if len(actors) == MAX_ACTORS:
            raise TokenRefused(
                Reason.ACT_DEPTH, f"expected {MAX_ACTORS} actors at most"
            )
        inner = outer["act"]
        if not isinstance(inner, dict):
            raise TokenRefused(Reason.ACT_SHAPE, "expected each actor as an object")
        actor = _read_actor(inner)
        if actor in actors:
            raise TokenRefused(Reason.ACT_CYCLE, "expected each actor once")
        actors.append(actor)
        outer = inner
    written_by = WrittenBy.MEDIATOR if ours else WrittenBy.SELF_REPORTED
    return ActChain(tuple(actors), written_by)


def _read_actor(members: JsonObject) -> Actor:
    """Read one actor; `exp` and the like mean nothing inside it (RFC 8693 4.1)."""
    names = {name: members[name] for name in _NAMES if name in members}
    if "sub" not in names:
        raise TokenRefused(Reason.ACT_SHAPE, "expected a subject of each actor")
    texts = {name: value for name, value in names.items() if is_name(value)}
    if texts.keys() != names.keys():
        raise TokenRefused(Reason.ACT_SHAPE, "expected the names of actors as texts")
    return Actor(**texts)
