"""List programs with command-line options that take a secret.

Sources: the manual pages of the programs (sshpass(1), mysql(1), redis-cli(1), ...).
"""

import re

from answerable.connectors.formats.docker_run import ENGINES
from answerable.connectors.formats.secrets_in_text import looks_generated

# Program: its options, each also joined to its value (`-pV`) where that is allowed.
_PASSWORD_OPTIONS: dict[str, tuple[str, ...]] = {
    "sshpass": ("-p",),
    "mysql": ("-p",),
    "mysqldump": ("-p",),
    "mysqladmin": ("-p",),
    "mariadb": ("-p",),
    "redis-cli": ("-a",),
    "valkey-cli": ("-a",),
    "mongo": ("-p",),
    "mongosh": ("-p",),
    "mongodump": ("-p",),
    "sqlcmd": ("-P",),
    "bcp": ("-P",),
    "cypher-shell": ("-p",),
    "ldapsearch": ("-w",),
    "ldapmodify": ("-w",),
    "mosquitto_pub": ("-P",),
    "mosquitto_sub": ("-P",),
    "rabbitmqadmin": ("-p",),
    "plink": ("-pw",),
    "pscp": ("-pw",),
    "putty": ("-pw",),
    "keytool": ("-storepass", "-keypass"),
    "unzip": ("-P",),
    "zip": ("-P",),
    "7z": ("-p",),
    "ipmitool": ("-P",),
    "snmpwalk": ("-A", "-X", "-c"),
    "snmpget": ("-A", "-X", "-c"),
    "influx": ("-t",),
    "az": ("-p",),
    "oc": ("-p",),
    "skopeo": ("-p",),
    "buildah": ("-p",),
    "helm": ("-p",),
}
_JOINED_OPTIONS = frozenset(
    str.split("sshpass mysql mysqldump mysqladmin mariadb 7z sqlcmd bcp ldapsearch")
)
# `docker login -p V`; every other command of an engine uses `-p` for a port.
_LOGIN_COMMANDS = frozenset((*ENGINES, "helm", "skopeo", "buildah", "az", "oc"))
# Programs that run another one as an AWS profile: the word that stands before the
# profile, empty where it is the first; and the options that take a value.
# https://github.com/99designs/aws-vault/blob/master/USAGE.md
# https://docs.commonfate.io/granted/usage/assuming-roles
_VAULT_OPTIONS = frozenset(
    str.split(
        "-d --duration -t --mfa-token --region --backend --prompt --keychain --assume-role-ttl "
        "--session-ttl -b"
    )
)
_GRANTED_OPTIONS = frozenset(
    str.split("-e --exec -r --region -s --service -d --duration --reason")
)
_WRAPPERS = {
    "aws-vault": ("exec", _VAULT_OPTIONS),
    "aws-okta": ("exec", _VAULT_OPTIONS),
    "assume": ("", _GRANTED_OPTIONS),
    "assumego": ("", _GRANTED_OPTIONS),
}
# Of a program that is not known here, an option of one of these letters takes a secret
# where its value looks like one.
_COMMON_OPTIONS = frozenset(("-t", "-k", "-p", "-P", "-w", "-a"))
_TEXT = re.compile(r"[\\/]")


def find_known_program_name(word: str) -> str:
    """Return the name of a program known to this table or as a container engine."""
    name = _TEXT.split(word)[-1].lower().removesuffix(".exe")
    return name if name in _PASSWORD_OPTIONS or name in ENGINES else ""


def takes_password(program: str, option: str, *, login: bool) -> bool:
    """Return whether an option of a known program takes a secret.

    Args:
        program: As `find_known_program_name` returns it.
        option: Option with its dash.
        login: Whether the word `login` precedes it.
    """
    if program in _LOGIN_COMMANDS:
        return login and option == "-p"
    return option in _PASSWORD_OPTIONS.get(program, ())


def find_joined_option(program: str, word: str) -> str:
    """Return the option of a word with a joined value (`-pV`), or empty."""
    if program not in _JOINED_OPTIONS:
        return ""
    options = (
        option for option in _PASSWORD_OPTIONS[program] if word.startswith(option)
    )
    return next((option for option in options if len(word) > len(option)), "")


def may_take_password(program: str, option: str, value: str) -> bool:
    """Return whether an option of an unknown program seems to take a secret."""
    return not program and option in _COMMON_OPTIONS and looks_generated(value)


class ProfileWrapperReader:
    """Reader of the profile in `aws-vault exec PROFILE -- CMD`, word by word."""

    def __init__(self) -> None:
        self._expected: str | None = None  # the word before the profile
        self._options: frozenset[str] = frozenset()

    def read_word(self, word: str, option: str = "") -> bool:
        """Read the next word; True if it is the profile.

        Args:
            word: The next word.
            option: The preceding option, empty for none.
        """
        if self._expected is not None and option in self._options:
            return False
        expected, self._expected = self._expected, None
        program = _TEXT.split(word)[-1].lower().removesuffix(".exe")
        if program in _WRAPPERS:
            self._expected, self._options = _WRAPPERS[program]
        elif expected:
            self._expected = "" if word == expected else expected
        return expected == ""
