"""A hint is words that a shell reads back as they were meant."""

import shlex

import pytest

from answerable.presentation.command_hints import format_command


@pytest.mark.parametrize(
    "word", ["*", "arn:aws:s3:::b/*", "it's", "two words", "$HOME", "[a]?", "`id`"]
)
def test_a_word_that_a_shell_would_change_is_quoted(word: str) -> None:
    hint = format_command("who-can", word)
    assert shlex.split(hint) == ["answerable", "who-can", word]
    assert word not in hint.split(" ")


def test_a_plain_word_stays_plain() -> None:
    hint = format_command(
        "who-can", "s3:GetObject", "arn:aws:iam::111122223333:user/ana"
    )
    assert "'" not in hint
