"""What an operator hears of a kill: the same from the gateway and the token service."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from answerable.serving.killing import Done


def told(subject: str, done: "Done") -> None:
    """Say where a kill holds.

    Raises:
        EnvironmentRefused: It does not hold everywhere.
    """
    from answerable.serving.killing import SERVICE

    said = "killed, within a second," if done.is_new else "killed already"
    click.echo(f"{subject}: {said} at {' and '.join(done.at)}", err=True)
    if done.ended is not None:
        click.echo(f"delegations ended: {len(done.ended)}", err=True)
    elif SERVICE in done.at:
        click.echo(
            "the token service does not run, or does not answer you: "
            "the kill waits in its folder",
            err=True,
        )
    _everywhere(f"{subject} is not killed everywhere", done)


def told_back(subject: str, done: "Done") -> None:
    """Say where a kill is taken back.

    Raises:
        EnvironmentRefused: It is not, everywhere.
    """
    said = "revived, within a second," if done.is_new else "was not killed"
    click.echo(f"{subject}: {said} at {' and '.join(done.at)}", err=True)
    _everywhere(f"{subject} is not revived everywhere", done)


def _everywhere(otherwise: str, done: "Done") -> None:
    from answerable.model.errors import EnvironmentRefused

    if done.refused:
        raise EnvironmentRefused(
            f"{otherwise} ({'; '.join(done.refused)})", "; ".join(done.hints)
        )
