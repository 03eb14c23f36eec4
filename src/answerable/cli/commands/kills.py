"""What an operator hears of a kill: the same from the gateway and the token service."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from answerable.model.config import Config
    from answerable.serving.killing import Done


def warn_misspelled(subject: str, config: "Config") -> None:
    """Say where the file would name a subject and does not; the kill stands."""
    from answerable.enforce.kill import is_misspelled

    if is_misspelled(subject, config):
        place = config.place
        click.echo(f"warning: {place} has no {subject}; is it misspelled?", err=True)


def told(subject: str, done: "Done") -> None:
    """Say where a kill holds.

    Raises:
        EnvironmentRefused: It does not hold everywhere.
    """
    # Of what waits, nobody can say when it holds.
    new = "killed" if done.waits else "killed, within a second,"
    said = new if done.is_new else "killed already"
    click.echo(f"{subject}: {said} at {' and '.join(done.at)}", err=True)
    if done.ended is not None:
        click.echo(f"delegations ended: {len(done.ended)}", err=True)
    for each in done.waits:
        click.echo(each, err=True)
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
