"""A signer hears whether an agent runs as their own user, also where that is not known."""

from answerable.cli.signing import describe_shared_user
from answerable.model.inventory import Inventory
from answerable.model.sighting import SightedFacts


def test_a_signer_hears_that_the_user_of_an_agent_is_not_known() -> None:
    nothing = Inventory(0, "", SightedFacts(), {}, {}, {}, {}, ())
    note = describe_shared_user(nothing, "agent:declared/clerk")
    assert note.startswith("not known: whether agent:declared/clerk runs as your own")
    assert describe_shared_user(nothing, "arn:aws:iam::1:role/x") == ""
