"""`login` and `logout`: sign-in of a person that agents act for."""

import os
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from answerable.cli.settings import Settings, Verb, home, pass_settings
from answerable.cli.signing import only_a_person
from answerable.model.errors import UsageError

if TYPE_CHECKING:
    from answerable.model.config import PinnedIssuer
    from answerable.services.federation.stored_login import LoggedIn

# Issuers from the command line, which no configuration pins.
_ALGS = ("ES256", "RS256")
_MAX_TTL = 24 * 3600


@click.command(cls=Verb, short_help="Sign in, so that agents may act for you.")
@click.option("--config", metavar="FILE", default="", help="The answerable.yaml.")
@click.option(
    "--issuer",
    metavar="URL",
    default="",
    help="Where to sign in: a name or iss of the configuration, or without one a URL.",
)
@click.option(
    "--client-id",
    metavar="ID",
    default="",
    help="Our client id there; by default the issuer's audience in the configuration.",
)
@click.option("--device", is_flag=True, help="With a browser on another machine.")
@click.option("--status", is_flag=True, help="Show who is signed in, and until when.")
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

    The token service accepts it for the person that an agent acts for. It is kept until
    it expires, never renewed and never shown. An agent cannot sign anyone in.
    """
    from answerable.cli.output import answer
    from answerable.services.federation import stored_login as kept

    only_a_person(settings)
    folder = kept.login_folder(os.environ, home())
    if not status:
        kept.keep(folder, _signed_in(_pinned(config, issuer, client_id), device))
    answer(kept.status(folder, int(time.time())), settings)


@click.command(cls=Verb, short_help="Sign out: remove the ID token.")
def logout() -> None:
    """Remove the ID token that login kept. Tokens made with it live on until they end."""
    from answerable.services.federation import stored_login as kept

    was_there = kept.forget(kept.login_folder(os.environ, home()))
    click.echo("signed out" if was_there else "nobody was signed in", err=True)


def _signed_in(pinned: "PinnedIssuer", device: bool) -> "LoggedIn":
    """Sign in; print instructions for the person on standard error."""
    from answerable.presentation.text import safe
    from answerable.server.login.sign_in_environment import ways_of
    from answerable.services.federation.sign_in import sign_in

    def tell(line: str) -> None:
        click.echo(safe(line), err=True)

    return sign_in(ways_of(pinned.ca, tell), pinned, device=device)


def _pinned(config: str, issuer: str, client_id: str) -> "PinnedIssuer":
    """Find the issuer to sign in at.

    Raises:
        UsageError: The configuration has no, several or another issuer; or none is
            named.
    """
    if not config:
        return _named(issuer, client_id)
    from answerable.connectors.config.fetch import read_file
    from answerable.connectors.config.parse.config_faults import ConfigError
    from answerable.services.federation.sign_in import is_for_people

    reading = read_file(config)
    if reading.config is None or reading.faults:
        raise ConfigError(config, reading.faults)
    people = [each for each in reading.config.issuers if is_for_people(each)]
    named = [each for each in people if issuer in ("", each.pin.iss, each.pin.name)]
    if len(named) != 1:
        raise UsageError(
            f"{config} has {len(named)} such issuers that people sign in at "
            "(expected one)",
            "--issuer NAME, one of: " + ", ".join(each.pin.name for each in people)
            if people
            else "give an issuer `person: CLAIM` and `tokens: [id-token]`",
        )
    (found,) = named
    if client_id not in ("", found.audience):
        raise UsageError(
            "--client-id is not the issuer's audience in the configuration",
            "an id_token for another client would be refused; leave the option out",
        )
    return found


def _named(issuer: str, client_id: str) -> "PinnedIssuer":
    """Build the issuer from the command line; the token service pins its own."""
    from answerable.federation.token_verification import check_issuer
    from answerable.model.claims import Issuer, TokenType
    from answerable.model.config import PinnedIssuer

    if not issuer or not client_id:
        raise UsageError(
            "nothing says where to sign in",
            "--config FILE, or --issuer URL with --client-id ID",
        )
    name = urlsplit(issuer).netloc or issuer
    pin = Issuer(name, issuer, _ALGS, (TokenType.ID_TOKEN,), _MAX_TTL)
    check_issuer(pin)
    return PinnedIssuer(
        pin,
        client_id,
        "discovery",
        bearer=False,
        person="email",
        private=True,  # a person's own machine may reach private addresses
    )
