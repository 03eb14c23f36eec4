"""`login` and `logout`: sign in the person that agents on this machine act for."""

import os
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from answerable.cli.settings import AppCommand, Settings, find_home, pass_settings
from answerable.cli.signing import require_human
from answerable.model.errors import UsageError

if TYPE_CHECKING:
    from answerable.model.config import IssuerConfig
    from answerable.services.federation.stored_login import StoredLogin

# Issuers from the command line, which no configuration pins.
_ALGS = ("ES256", "RS256")
_MAX_TTL = 24 * 3600


@click.command(cls=AppCommand, short_help="Sign in so that agents can act for you.")
@click.option(
    "--config", metavar="FILE", default="", help="Configuration file (answerable.yaml)."
)
@click.option(
    "--issuer",
    metavar="URL",
    default="",
    help="Issuer to sign in at: its name or `iss` in the configuration, or a URL.",
)
@click.option(
    "--client-id",
    metavar="ID",
    default="",
    help="Client id at the issuer.  [default: the issuer's audience]",
)
@click.option(
    "--device",
    is_flag=True,
    help="Use the device flow, with a browser on another machine.",
)
@click.option(
    "--status", is_flag=True, help="Show the signed-in person and the expiry."
)
@pass_settings
def login(
    settings: Settings,
    config: str,
    issuer: str,
    client_id: str,
    device: bool,
    status: bool,
) -> None:
    """Sign in at an OpenID provider, in a browser, and keep the ID token.

    The token service accepts the token as proof of the person for whom an agent acts.
    The token is kept until it expires, and is never renewed or shown. An agent may not
    sign in.
    """
    from answerable.cli.output import print_and_exit
    from answerable.services.federation import stored_login as kept
    from answerable.usecases.federation import login_status

    require_human(settings)
    folder = kept.find_login_folder(os.environ, find_home())
    if not status:
        kept.store_login(
            folder, _run_sign_in(_find_issuer(config, issuer, client_id), device)
        )
    print_and_exit(login_status.show_login_status(folder, int(time.time())), settings)


@click.command(cls=AppCommand, short_help="Sign out: remove the ID token.")
def logout() -> None:
    """Remove the ID token that login kept. Tokens issued for it stay valid."""
    from answerable.services.federation import stored_login as kept

    was_there = kept.remove_login(kept.find_login_folder(os.environ, find_home()))
    click.echo("signed out" if was_there else "no person was signed in", err=True)


def _run_sign_in(issuer: "IssuerConfig", device: bool) -> "StoredLogin":
    """Sign in; print instructions for the person on standard error."""
    from answerable.presentation.text import sanitize
    from answerable.server.login.sign_in_environment import build_sign_in_environment
    from answerable.usecases.federation.sign_in_person import sign_in

    def tell(line: str) -> None:
        click.echo(sanitize(line), err=True)

    return sign_in(build_sign_in_environment(issuer.ca, tell), issuer, device=device)


def _find_issuer(config: str, issuer: str, client_id: str) -> "IssuerConfig":
    """Find the issuer to sign in at.

    Raises:
        UsageError: The configuration has no, several or another issuer; or none is
            named.
    """
    if not config:
        return _build_named_issuer(issuer, client_id)
    from answerable.connectors.config.fetch import read_config_file
    from answerable.connectors.config.parse.config_faults import ConfigError
    from answerable.services.federation.oidc_sign_in import identifies_persons

    reading = read_config_file(config)
    if reading.config is None or reading.faults:
        raise ConfigError(config, reading.faults)
    people = [each for each in reading.config.issuers if identifies_persons(each)]
    named = [each for each in people if issuer in ("", each.pin.iss, each.pin.name)]
    if len(named) != 1:
        raise UsageError(
            f"{config} has {len(named)} matching issuers for sign-in (expected one)",
            "name one of them with --issuer: "
            + ", ".join(each.pin.name for each in people)
            if people
            else "add `person: CLAIM` and `tokens: [id-token]` to an issuer",
        )
    (found,) = named
    if client_id not in ("", found.audience):
        raise UsageError(
            "--client-id differs from the issuer's audience in the configuration",
            "omit --client-id: an ID token for another client would be refused",
        )
    return found


def _build_named_issuer(issuer: str, client_id: str) -> "IssuerConfig":
    """Build the issuer from the command line; the token service pins its own."""
    from answerable.federation.token_verification import validate_issuer
    from answerable.model.config import IssuerConfig
    from answerable.model.token_claims import TokenType, TrustedIssuer

    if not issuer or not client_id:
        raise UsageError(
            "no issuer for the sign-in is given",
            "give --config FILE, or --issuer URL with --client-id ID",
        )
    name = urlsplit(issuer).netloc or issuer
    pin = TrustedIssuer(name, issuer, _ALGS, (TokenType.ID_TOKEN,), _MAX_TTL)
    validate_issuer(pin)
    return IssuerConfig(
        pin,
        client_id,
        "discovery",
        bearer=False,
        person="email",
        private=True,  # a person's own machine may reach private addresses
    )
