"""`sts rules`, `sts test`, `sts explain`: dry run of trust rules."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from answerable.cli.output import answer
from answerable.cli.settings import Settings, Verb, config_places, pass_settings
from answerable.connectors.named_file import open_named, read_named
from answerable.model.errors import EnvironmentRefused, UsageError

if TYPE_CHECKING:
    from answerable.connectors.config.parse.config_file import Reading
    from answerable.federation.jwk_set import KeySet
    from answerable.model.config import PinnedIssuer
    from answerable.services.federation.trust_rules import Known

_STDIN = "-"
_MOST = 1 << 20  # bytes of input

_config = click.option(
    "--config", metavar="FILE", required=True, help="The answerable.yaml."
)


@click.command(cls=Verb, short_help="List trust rules with their faults.")
@_config
@pass_settings
def rules(settings: Settings, config: str) -> None:
    """List the trust rules of a configuration, with every fault of each.

    If there is a store, agents that it does not know and agents without an attested
    owner are faults, too. Exit code 1 if there is any.
    """
    from answerable.services.federation.trust_rules import show_rules

    reading = _read(config)
    answer(show_rules(reading, _known(settings, reading)), settings)


@click.command(cls=Verb, short_help="Match claims against trust rules.")
@_config
@click.option(
    "--claims",
    metavar="FILE",
    required=True,
    help="A JSON object: claims, or facts of an attestation; - for standard input.",
)
@click.option(
    "--expect",
    metavar="RULE",
    default="",
    help="Exit 1 unless only this rule matches; none for no rule.",
)
@pass_settings
def test(settings: Settings, config: str, claims: str, expect: str) -> None:
    """Match claims against every rule: which matches, and why the others do not.

    Claims are those of a token of an issuer, with `iss`; with `attestor`, they are what
    the kernel or a launcher states about a local process.
    """
    from answerable.services.federation.trust_rules import try_rules

    answer(try_rules(_read(config), _input(claims, "claims"), expect), settings)


@click.command(cls=Verb, short_help="Explain a token, and the rule it matches.")
@click.argument("token")
@_config
@pass_settings
def explain(settings: Settings, token: str, config: str) -> None:
    """Explain TOKEN without trusting it; - reads it from standard input (safer).

    Shows its claims, whether it verifies with keys in a local file, which rule would
    match, and why the others do not. No connection is opened, and neither the token nor
    its signature is shown.
    """
    import time

    from answerable.usecases.federation.explain_token import explain_token

    given = _input(token, "token") if token == _STDIN else token.encode()
    text = given.decode("utf-8", "replace").strip()
    reading = _read(config)
    answer(explain_token(text, reading, _keys, int(time.time())), settings)


def _read(config: str) -> "Reading":
    """Read a configuration; faulty rules are part of the answer.

    Raises:
        ConfigError: More than the policy and the rules has faults.
    """
    from answerable.connectors.config.fetch import read_file
    from answerable.connectors.config.parse.config_faults import ConfigError

    reading = read_file(config)
    if not reading.lacks_policy_alone:
        raise ConfigError(config, reading.faults)
    return reading


def _known(settings: Settings, reading: "Reading") -> "Known":
    """Read the known agents and owners from the store, if there is one."""
    import time

    from answerable.model.ids import AgentId
    from answerable.services.federation.trust_rules import Known
    from answerable.services.inventory import snapshots
    from answerable.services.statements.attested_owners import AttestedOwners
    from answerable.store.store import Store

    named, usual = config_places(settings)
    configured = reading.config.store if reading.config else ""
    root = named or (Path(configured) if configured else usual)
    if root is None or not root.is_dir():
        return Known()
    now = time.time_ns()
    with Store.open(root, now=now) as store:
        agents = frozenset(map(AgentId, snapshots.load(store).agents))
        owners = AttestedOwners(store).now(now)
    return Known(agents, {agent: owner.person for agent, owner in owners.items()})


def _keys(issuer: "PinnedIssuer") -> "KeySet | None":
    """Read the keys of an issuer from a file; no connection is opened."""
    from answerable.federation.errors import KeySetRefused
    from answerable.federation.jwk_set import read_key_set

    if not issuer.keys.startswith("/"):
        return None
    try:
        data = read_named(issuer.keys, _MOST)
        return read_key_set(data, issuer.pin.algs)
    except (OSError, KeySetRefused):
        return None


def _input(place: str, what: str) -> bytes:
    """Read a file, or standard input.

    Raises:
        UsageError: The file is missing, or too large.
        EnvironmentRefused: It cannot be read.
    """
    try:
        if place == _STDIN:
            data = sys.stdin.buffer.read(_MOST + 1)
        else:
            with open_named(place) as file:
                data = file.read(_MOST + 1)
    except FileNotFoundError:
        raise UsageError(f"no such file (got {place!r}, expected {what})") from None
    except OSError as error:
        raise EnvironmentRefused(f"{place}: cannot be read: {error.strerror}") from None
    if len(data) > _MOST:
        raise UsageError(f"too large (expected {what} of at most {_MOST >> 20} MiB)")
    return data
