"""`sign-ins`: accounts that persons signed in with, and their release."""

import click

from answerable.cli.settings import Settings, Verb, config_places, pass_settings
from answerable.cli.signing import only_a_person
from answerable.presentation.text import safe


@click.command("sign-ins", cls=Verb, short_help="Accounts that people signed in with.")
@click.option("--config", metavar="FILE", required=True, help="The answerable.yaml.")
@click.option(
    "--release",
    metavar="PERSON",
    default="",
    help="Release the accounts of a person; the next sign-in binds a new one.",
)
@pass_settings
def sign_ins(settings: Settings, config: str, release: str) -> None:
    """List the account of each issuer that each person signed in with, or release one.

    The page, the API and the token service bind a person to the account (`sub`) that
    named them first. A token of another account names no person, until an administrator
    has checked why the address moved and releases it.
    """
    from answerable.model.ids import person_id
    from answerable.server.sign_in_accounts import SignIns, release_all
    from answerable.web.runtime.settings import read_plan

    plan = read_plan(config, *config_places(settings))
    states = plan.sign_in_states
    if release:
        only_a_person(settings)
        found = release_all(states, person_id(release))
    else:
        found = tuple(
            each for state in dict.fromkeys(states) for each in SignIns(state)
        )
    said = "released " if release else ""
    for each in found:
        click.echo(safe(f"{said}{each.person} {each.iss} {each.aud} {each.sub}"))
    if release and not found:
        click.echo(f"{safe(release)} is bound to no account", err=True)
