"""`sign-ins`: list the accounts that persons signed in with, and release one."""

import click

from answerable.cli.settings import (
    AppCommand,
    Settings,
    find_named_and_default_store,
    pass_settings,
)
from answerable.cli.signing import require_human
from answerable.presentation.text import sanitize


@click.command(
    "sign-ins",
    cls=AppCommand,
    short_help="List the sign-in accounts of people.",
)
@click.option(
    "--config",
    metavar="FILE",
    required=True,
    help="Configuration file (answerable.yaml).",
)
@click.option(
    "--release",
    metavar="PERSON",
    default="",
    help="Person to unlink from all sign-in accounts; their next sign-in links a new "
    "account.",
)
@pass_settings
def sign_ins(settings: Settings, config: str, release: str) -> None:
    """List the accounts that persons signed in with, or release those of a person.

    The web page, the API and the token service bind a person to the account (`sub`) of
    the first sign-in at an issuer. A token of another account is not accepted for that
    person until an administrator has checked the reason for the change and releases the
    binding.
    """
    from answerable.model.ids import build_person_id
    from answerable.server.sign_in_accounts import (
        SignInAccounts,
        release_person_at_servers,
    )
    from answerable.web.runtime.settings import load_settings

    plan = load_settings(config, *find_named_and_default_store(settings))
    states = plan.sign_in_folders
    if release:
        require_human(settings)
        found = release_person_at_servers(states, build_person_id(release))
    else:
        found = tuple(
            each for state in dict.fromkeys(states) for each in SignInAccounts(state)
        )
    said = "released " if release else ""
    for each in found:
        click.echo(sanitize(f"{said}{each.person} {each.iss} {each.aud} {each.sub}"))
    if release and not found:
        click.echo(f"{sanitize(release)} is not bound to an account", err=True)
