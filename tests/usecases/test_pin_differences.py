"""What no gateway has seen is not said to be as it was pinned."""

from answerable.model.pin import Pins
from answerable.usecases.authorization.tool_pins import diff


def test_a_server_that_was_never_seen_is_told_as_such() -> None:
    nothing = diff({}, [], {}, every=False)
    assert nothing.searched == "no server was seen here yet"
    unseen = diff({"files": Pins()}, ["files"], {}, every=False)
    assert unseen.coverage["not_collected"] == ["what files defines"]
    assert unseen.searched
