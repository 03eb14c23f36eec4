"""Classify values as credentials by the name of their variable, header or field."""

import re
from enum import StrEnum

_WORD_LIMIT = 200

# A name that holds one of these words holds a credential ...
_CREDENTIAL_WORDS = frozenset(
    str.split(
        "token tokens tok key keys apikey apitoken secret secrets password passwd passphrase "
        "pass pwd pat auth authorization credential credentials creds dsn bearer jwt "
        "cookie webhook connstr signature accesskey secretkey privatekey authtoken "
        "accesstoken clientsecret"
    )
)
# ... unless its last word says that it is a setting about one.
_SETTING_ENDINGS = frozenset(
    str.split(
        "type types name names url uri endpoint host hostname port issuer audience mode "
        "method methods enabled disabled enable disable ttl expiry expires expiration "
        "limit max min length size count id ids scope scopes provider prefix suffix "
        "header headers region version algorithm algorithms alg budget domain server "
        "helper source strategy required optional format env var variable timeout "
        "interval rotation policy level email user username account realm dir folder "
        "usage encoding space spaces store backend binding bindings agent sock"
    )
)
_SETTING_WORDS = frozenset(
    str.split(
        "max min num public primary partition sort foreign hot count limit budget "
        "author keyboard"
    )
)
_FILE_ENDINGS = frozenset(str.split("file path filename filepath keyfile certfile"))
_FILE_NAMES = frozenset(
    (
        "google application credentials",
        "kubeconfig",
        "netrc",
        "docker config",
        "cloudsdk config",
        "npm config userconfig",
        "aws config file",
        "credentials file",
        "key file",
        "keyfile",
    )
)
_DSN_NAMES = (
    "connection string",
    "connectionstring",
    "conn str",
    "database url",
    "database uri",
    "db url",
    "db uri",
    "postgres url",
    "postgres uri",
    "postgresql url",
    "mysql url",
    "mongo url",
    "mongodb uri",
    "mongo uri",
    "mongodb url",
    "redis url",
    "amqp url",
    "dsn",
)
# A field whose name says that its value is the name of a variable: `env_key`,
# `envKey`, `bearer_token_env_var`, `api_key_env`.
_VARIABLE_NAMES = frozenset(("env key", "env var", "environment variable"))
_VARIABLE_ENDINGS = (" env", " env var", " env key", " env name", " env variable")
_PROFILES = frozenset(("aws profile", "aws default profile"))
_CREDENTIAL_SUFFIXES = (
    "password",
    "passwd",
    "apikey",
    "secret",
    "token",
    "passphrase",
    "sshpass",
)
_PATIENT = frozenset(str.split("password passwd passphrase pass pwd"))

_SPLIT = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


class ValueMeaning(StrEnum):
    """Meaning of a value by its name."""

    CREDENTIAL = "credential"
    PASSWORD = "password"  # noqa: S105 - the word, not one
    DSN = "dsn"
    FILE = "file"
    PROFILE = "profile"
    SOCKET = "socket"
    VARIABLE = "variable"
    NOTHING = "nothing"


def split_words(name: str) -> tuple[str, ...]:
    """Split `apiKey`, `X-API-Key` and `API_KEY` into lower-case words."""
    return tuple(word.lower() for word in _SPLIT.findall(name[:_WORD_LIMIT]))


def classify_value_by_name(name: str) -> ValueMeaning:
    """Classify a value as credential, file or other, by its name."""
    words = split_words(name)
    joined = " ".join(words)
    if joined in _PROFILES:
        return ValueMeaning.PROFILE
    if joined == "ssh auth sock":
        return ValueMeaning.SOCKET
    if joined in _VARIABLE_NAMES or joined.endswith(_VARIABLE_ENDINGS):
        return ValueMeaning.VARIABLE
    if not words or _SETTING_WORDS & set(words):
        return ValueMeaning.NOTHING
    if joined.endswith(_DSN_NAMES):
        return ValueMeaning.DSN
    return _classify_words(words, joined)


def _classify_words(words: tuple[str, ...], name: str) -> ValueMeaning:
    """Classify a value by the lower-case words of its name."""
    named = any(
        word in _CREDENTIAL_WORDS or word.endswith(_CREDENTIAL_SUFFIXES)
        for word in words
    )
    if name in _FILE_NAMES or (words[-1] in _FILE_ENDINGS and named):
        return ValueMeaning.FILE
    if name.endswith("access key id"):
        return ValueMeaning.CREDENTIAL
    if not named and not name.endswith(("api key", "conn str")):
        return ValueMeaning.NOTHING
    if "webhook" in words and words[-1] in ("url", "uri", "webhook"):
        return ValueMeaning.CREDENTIAL
    if words[-1] in _SETTING_ENDINGS:
        return ValueMeaning.NOTHING
    patient = words[-1] in _PATIENT or words[-1].endswith("password")
    return ValueMeaning.PASSWORD if patient else ValueMeaning.CREDENTIAL


def credential_kind_of_name(name: str) -> str:
    """Return the kind of a credential (e.g. `api-key`) by its name."""
    words = split_words(name)
    joined = " ".join(words)
    for kind, wanted in _KINDS:
        if any(f" {want} " in f" {joined} " for want in wanted):
            return kind
    if words and words[-1].endswith("password"):
        return "password"
    return "bearer-token" if "token" in joined or "auth" in joined else "api-key"


_KINDS = (
    ("aws-access-key", ("aws access key id", "aws secret access key")),
    ("aws-session", ("aws session token",)),
    ("aws-config", ("aws config file", "aws shared credentials file")),
    ("kubeconfig", ("kubeconfig",)),
    ("gcloud-adc", ("google application credentials", "cloudsdk config")),
    ("netrc", ("netrc",)),
    ("docker-auth", ("docker config",)),
    ("dsn", _DSN_NAMES),
    ("password", tuple(_PATIENT)),
    ("oauth-token", ("refresh token", "oauth token", "oauth")),
    ("client-secret", ("client secret", "clientsecret")),
    ("private-key", ("private key", "privatekey", "ssh key", "pem", "key file")),
    (
        "github-token",
        (
            "github token",
            "gh token",
            "github pat",
            "github personal access token",
            "github mcp pat",
        ),
    ),
    ("npm-token", ("npm token", "npm auth token")),
    ("api-key", ("api key", "apikey", "key", "secret", "secretkey", "accesskey")),
    ("bearer-token", ("token", "pat", "jwt", "bearer", "auth", "authorization")),
)
