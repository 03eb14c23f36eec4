"""Render the open conditions of a permission."""

from collections.abc import Iterator, Sequence

from answerable.cli.render.screen import Screen
from answerable.model.documents.shared_shapes import ConditionSetItem
from answerable.presentation.policy_condition_text import describe_condition


def render_conditions(
    alternatives: Sequence[ConditionSetItem],
    screen: Screen,
    indent: str,
    *,
    brief: bool = False,
) -> Iterator[str]:
    """Render each alternative; all of its conditions must hold."""
    for number, alternative in enumerate(alternatives):
        word = "or if " if number else "if "
        for one in alternative["all_of"]:
            said = describe_condition(one, brief=brief)
            yield from screen.wrap(f"{indent}{word}{said}", indent + "    ")
            word = "  and "
