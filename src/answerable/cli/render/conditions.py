"""Renderer of open conditions."""

from collections.abc import Iterator, Sequence

from answerable.cli.render.screen import Screen
from answerable.model.documents.core import AlternativeItem
from answerable.presentation.conditions import condition


def conditions(
    alternatives: Sequence[AlternativeItem],
    screen: Screen,
    indent: str,
    *,
    brief: bool = False,
) -> Iterator[str]:
    """Render each alternative; all of its conditions must hold."""
    for number, alternative in enumerate(alternatives):
        word = "or if " if number else "if "
        for one in alternative["all_of"]:
            said = condition(one, brief=brief)
            yield from screen.wrap(f"{indent}{word}{said}", indent + "    ")
            word = "  and "
