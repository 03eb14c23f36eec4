"""What no gateway has seen is not said to be as it was pinned."""

from answerable.model.definition_pin import ServerPins
from answerable.usecases.authorization.tool_pins import show_definition_differences


def test_a_server_that_was_never_seen_is_told_as_such() -> None:
    nothing = show_definition_differences({}, [], {}, include_unchanged=False)
    assert nothing.searched == "no server has been seen yet"
    unseen = show_definition_differences(
        {"files": ServerPins()}, ["files"], {}, include_unchanged=False
    )
    assert unseen.coverage["not_collected"] == ["the definitions of files"]
    assert unseen.searched
