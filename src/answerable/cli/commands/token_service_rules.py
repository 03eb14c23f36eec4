"""`token-service rules`, `test` and `explain`: check trust rules without a server."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from answerable.cli.output import print_and_exit
from answerable.cli.settings import (
    AppCommand,
    Settings,
    find_named_and_default_store,
    pass_settings,
)
from answerable.connectors.regular_file import open_named_file, read_named_file
from answerable.model.errors import EnvironmentFailure, UsageError

if TYPE_CHECKING:
    from answerable.connectors.config.parse.config_file import ConfigReading
    from answerable.federation.jwk_set import IssuerKeySet
    from answerable.model.config import IssuerConfig
    from answerable.services.federation.trust_rule_dry_run import KnownAgents

_STDIN = "-"
_MAX_BYTES = 1 << 20  # bytes of input

_config_option = click.option(
    "--config",
    metavar="FILE",
    required=True,
    help="Configuration file (answerable.yaml).",
)


@click.command(cls=AppCommand, short_help="List trust rules with their errors.")
@_config_option
@pass_settings
def rules(settings: Settings, config: str) -> None:
    """List the trust rules of a configuration, with all errors of each.

    If there is a store, agents that it does not contain and agents without an attested
    owner are also errors. The exit code is 1 if there is an error.
    """
    from answerable.usecases.federation.check_trust_rules import show_trust_rules

    reading = read_valid_config(config)
    print_and_exit(
        show_trust_rules(reading, _read_known_agents(settings, reading)), settings
    )


@click.command(cls=AppCommand, short_help="Match claims against trust rules.")
@_config_option
@click.option(
    "--claims",
    metavar="FILE",
    required=True,
    help="File with a JSON object of claims or attested facts; - for standard input.",
)
@click.option(
    "--expect",
    metavar="RULE",
    default="",
    help="Id of the only rule that must match, or none; exit 1 otherwise.",
)
@pass_settings
def test(settings: Settings, config: str, claims: str, expect: str) -> None:
    """Match claims against every rule, with the reason for each mismatch.

    With `iss`, the claims are those of an issuer's token; with `attestor`, they are
    facts that the kernel or a launcher attests about a local process.
    """
    from answerable.usecases.federation.check_trust_rules import match_claims_to_rules

    print_and_exit(
        match_claims_to_rules(
            read_valid_config(config), _read_file_or_stdin(claims, "claims"), expect
        ),
        settings,
    )


@click.command(cls=AppCommand, short_help="Explain a token and the matching rule.")
@click.argument("token")
@_config_option
@pass_settings
def explain(settings: Settings, token: str, config: str) -> None:
    """Explain TOKEN without trusting it; - reads it from standard input (safer).

    Shows the claims of the token, whether the token verifies with keys in a local file,
    which rule would match, and why the other rules do not. No connection is opened, and
    neither the token nor its signature is shown.
    """
    import time

    from answerable.usecases.federation.explain_token import explain_token

    given = _read_file_or_stdin(token, "token") if token == _STDIN else token.encode()
    text = given.decode("utf-8", "replace").strip()
    reading = read_valid_config(config)
    print_and_exit(
        explain_token(text, reading, _read_issuer_keys, int(time.time())), settings
    )


def read_valid_config(config: str) -> "ConfigReading":
    """Read a configuration; faulty rules are part of the answer.

    Raises:
        ConfigError: More than the policy and the rules has faults.
    """
    from answerable.connectors.config.fetch import read_config_file
    from answerable.connectors.config.parse.config_faults import ConfigError

    reading = read_config_file(config)
    if not reading.is_valid_except_policy:
        raise ConfigError(config, reading.faults)
    return reading


def _read_known_agents(settings: Settings, reading: "ConfigReading") -> "KnownAgents":
    """Read the known agents and owners from the store, if there is one."""
    import time

    from answerable.model.ids import AgentId
    from answerable.services.federation.trust_rule_dry_run import KnownAgents
    from answerable.services.inventory import snapshots
    from answerable.services.statements.attested_owners import AttestedOwnerReader
    from answerable.store.store import EvidenceStore

    named, usual = find_named_and_default_store(settings)
    configured = reading.config.store if reading.config else ""
    root = named or (Path(configured) if configured else usual)
    if root is None or not root.is_dir():
        return KnownAgents()
    now = time.time_ns()
    with EvidenceStore.open(root, now=now) as store:
        agents = frozenset(map(AgentId, snapshots.load_inventory(store).agents))
        owners = AttestedOwnerReader(store).owners_by_agent(now)
    return KnownAgents(agents, {agent: owner.person for agent, owner in owners.items()})


def _read_issuer_keys(issuer: "IssuerConfig") -> "IssuerKeySet | None":
    """Read the keys of an issuer from a file; no connection is opened."""
    from answerable.federation.jwk_set import parse_key_set
    from answerable.federation.token_errors import KeySetRejected

    if not issuer.keys.startswith("/"):
        return None
    try:
        data = read_named_file(issuer.keys, _MAX_BYTES)
        return parse_key_set(data, issuer.pin.algs)
    except (OSError, KeySetRejected):
        return None


def _read_file_or_stdin(path: str, expected: str) -> bytes:
    """Read a file, or standard input for `-`, up to a size limit.

    Raises:
        UsageError: The file is missing, or too large.
        EnvironmentFailure: It cannot be read.
    """
    try:
        if path == _STDIN:
            data = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with open_named_file(path) as file:
                data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(
            f"the file does not exist (got {path!r}, expected {expected})",
            "name an existing file, or - for standard input",
        ) from None
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot read {path} ({error.strerror})",
            "check the permissions of the file",
        ) from None
    if len(data) > _MAX_BYTES:
        raise UsageError(
            f"the file is too large (expected {expected} of at most "
            f"{_MAX_BYTES >> 20} MiB)"
        )
    return data
