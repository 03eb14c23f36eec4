"""Parser of references in values: `${VAR}`, `${input:id}`, `{file:...}`, `op://...`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from answerable.model.credential import CredentialClass

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_TIDY = re.compile(r"[A-Za-z0-9_.:/~@-]{1,128}")
_NESTING_LIMIT = 8
_REFERENCES_LIMIT = 100
_KEYCHAINS = (
    "op://",
    "keychain:",
    "keyring:",
    "vault:",
    "secret://",
    "secrets://",
    "bws://",
    "doppler://",
    "infisical://",
    "aws-sm:",
    "gcp-sm:",
    "arn:aws:secretsmanager:",
    "arn:aws:ssm:",
    "pass:",
    "se://",
)
_INPUTS = frozenset(
    ("input", "inputs", "command", "keychain", "keyring", "secret", "op", "vault")
)
# Paths and other settings a client puts in; never credentials.
_PLAIN = frozenset(
    str.split(
        "workspaceFolder workspaceFolderBasename workspaceRoot userHome extensionPath "
        "extensionInstallFolder pathSeparator / cwd file fileDirname workspacePath HOME "
        "home PWD CLAUDE_PLUGIN_ROOT CLAUDE_PLUGIN_DATA CLAUDE_PROJECT_DIR "
        "containerWorkspaceFolder localWorkspaceFolder USER TMPDIR __dirname "
        "DOCUMENTS DESKTOP DOWNLOADS"
    )
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Reference inside a value.

    Attributes:
        cls: Class of its target.
        name: Variable, input or file name; may be empty.
        default: Literal default (`${X:-default}`); kept out of the repr.
    """

    cls: CredentialClass
    name: str
    default: str

    def __repr__(self) -> str:
        return f"Reference({self.cls.value!r}, {self.name!r})"


@dataclass(frozen=True, slots=True)
class Pieces:
    """Value split into references and rest.

    Attributes:
        references: References in order.
        rest: The value with each reference replaced by a blank; kept out of the repr.
        dynamic: True if the value contains any reference, also plain ones.
    """

    references: tuple[Reference, ...]
    rest: str
    dynamic: bool

    def __repr__(self) -> str:
        return f"Pieces({self.references!r})"


def is_variable_name(text: str) -> bool:
    """Tell whether a text is a valid name of an environment variable."""
    return _NAME.fullmatch(text) is not None and text == text.upper()


def take_apart(value: str) -> Pieces:
    """Find the references in a value; linear in its length."""
    bare = value.strip()
    whole = _whole(bare)
    if whole is not None:
        return Pieces((whole,), "", True)
    found: list[Reference] = []
    rest: list[str] = []
    queue = [(bare, 0)]
    dynamic = False
    while queue:
        text, depth = queue.pop()
        at = 0
        for start, stop, inner in islice(_braced_parts(text), _REFERENCES_LIMIT):
            dynamic = True
            rest += (text[at:start], " ")
            at = stop
            reference = _braced(inner)
            if reference is None:
                continue
            if "${" in reference.default and depth < _NESTING_LIMIT:
                queue.append((reference.default, depth + 1))
                reference = Reference(reference.cls, reference.name, "")
            found.append(reference)
        if depth == 0:
            rest.append(text[at:])
        elif text[at:].strip() and at == 0:
            found.append(Reference(CredentialClass.ENV_REF, "", text))
    return Pieces(tuple(found), "".join(rest), dynamic)


def _whole(bare: str) -> Reference | None:
    """Parse a value that is one whole reference, other than `${...}`."""
    if bare[:1] == "$" and _NAME.fullmatch(bare[1:]):
        return _environment(bare[1:])
    if len(bare) > 2 and bare[0] == bare[-1] == "%" and _NAME.fullmatch(bare[1:-1]):
        return _environment(bare[1:-1])
    if bare.startswith(_KEYCHAINS):
        return Reference(CredentialClass.KEYCHAIN, _tidy(bare), "")
    if (bare.startswith("$(") and bare.endswith(")")) or (
        len(bare) > 2 and bare[0] == bare[-1] == "`"
    ):
        return Reference(CredentialClass.KEYCHAIN, "", "")
    return None


def _environment(name: str) -> Reference | None:
    return None if name in _PLAIN else Reference(CredentialClass.ENV_REF, name, "")


def _braced_parts(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, stop and inside of each `${{...}}`, `${...}`, `{env:...}`."""
    at = 0
    while (brace := text.find("{", at)) >= 0:
        dollar = brace > at and text[brace - 1] == "$"
        if not dollar and not text.startswith(("{env:", "{file:"), brace):
            at = brace + 1
            continue
        stop = _closing(text, brace)
        if stop < 0:
            return
        inner = text[brace + 1 : stop - 1]
        if inner[:1] == "{" and inner[-1:] == "}":
            inner = inner[1:-1]
        yield brace - dollar, stop, inner.strip()
        at = stop


def _closing(text: str, brace: int) -> int:
    """Return the index after the closing brace of the one at `brace`, or -1."""
    depth, at = 0, brace
    while at < len(text):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return -1


def _braced(inner: str) -> Reference | None:
    if inner in _PLAIN:
        return None
    scheme, colon, rest = inner.partition(":")
    if colon and not rest.startswith(("-", "=", "?", "+")):
        return _schemed(scheme, rest)
    if inner.startswith(("secrets.", "env.", "vars.")):
        name = inner.partition(".")[2]
        return Reference(CredentialClass.ENV_REF, _tidy(name), "")
    if inner.startswith("inputs."):
        return Reference(CredentialClass.KEYCHAIN, _tidy(inner), "")
    name, default = _split_default(inner)
    if name in _PLAIN:
        return None
    return Reference(CredentialClass.ENV_REF, _tidy(name), default)


def _schemed(scheme: str, rest: str) -> Reference | None:
    if scheme in ("env", "localEnv", "containerEnv"):
        name, default = _split_default(rest)
        if scheme != "env" and ":" in name:  # devcontainer: ${localEnv:X:default}
            name, _, default = name.partition(":")
        return Reference(CredentialClass.ENV_REF, _tidy(name), default)
    if scheme == "file":
        return Reference(CredentialClass.FILE_REF, _tidy(rest), "")
    if scheme in _INPUTS:
        return Reference(CredentialClass.KEYCHAIN, _tidy(rest), "")
    if scheme == "config" or scheme in _PLAIN:
        return None
    return Reference(CredentialClass.KEYCHAIN, _tidy(scheme), "")


def _split_default(inner: str) -> tuple[str, str]:
    for mark in (":-", ":=", "-", "="):
        name, found, default = inner.partition(mark)
        if found and _NAME.fullmatch(name):
            return name, default
    return inner, ""


def _tidy(name: str) -> str:
    """Keep a name only if it is well-formed; anything else could be a value."""
    name = name.strip()
    return name if _TIDY.fullmatch(name) else ""
