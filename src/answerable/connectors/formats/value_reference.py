"""Parse references in values: `${VAR}`, `${input:id}`, `{file:...}`, `op://...`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from answerable.model.credential import CredentialClass

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_CLEAN_NAME = re.compile(r"[A-Za-z0-9_.:/~@-]{1,128}")
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
# References that have no `$` before the brace.
_BARE_BRACES = ("{env:", "{file:", "{answerable:")
_SECRET_SCHEMES = frozenset(
    str.split("input inputs command keychain keyring secret op vault answerable")
)
# Paths and other settings a client puts in; never credentials.
_CLIENT_SETTINGS = frozenset(
    str.split(
        "workspaceFolder workspaceFolderBasename workspaceRoot userHome extensionPath "
        "extensionInstallFolder pathSeparator / cwd file fileDirname workspacePath HOME "
        "home PWD CLAUDE_PLUGIN_ROOT CLAUDE_PLUGIN_DATA CLAUDE_PROJECT_DIR "
        "containerWorkspaceFolder localWorkspaceFolder USER TMPDIR __dirname "
        "DOCUMENTS DESKTOP DOWNLOADS"
    )
)


@dataclass(frozen=True, slots=True)
class ValueReference:
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
class ValuePieces:
    """Value split into references and rest.

    Attributes:
        references: References in order.
        rest: The value with each reference replaced by a blank; kept out of the repr.
        dynamic: True if the value contains any reference, also plain ones.
    """

    references: tuple[ValueReference, ...]
    rest: str
    dynamic: bool

    def __repr__(self) -> str:
        return f"Pieces({self.references!r})"


def is_variable_name(text: str) -> bool:
    """Return whether a text is a valid name of an environment variable."""
    return _NAME.fullmatch(text) is not None and text == text.upper()


def split_references(value: str) -> ValuePieces:
    """Find the references in a value; linear in its length."""
    bare = value.strip()
    whole = _parse_whole_reference(bare)
    if whole is not None:
        return ValuePieces((whole,), "", True)
    found: list[ValueReference] = []
    rest: list[str] = []
    queue = [(bare, 0)]
    dynamic = False
    while queue:
        text, depth = queue.pop()
        at = 0
        for start, stop, inner in islice(_iter_braced_parts(text), _REFERENCES_LIMIT):
            dynamic = True
            rest += (text[at:start], " ")
            at = stop
            reference = _parse_braced_reference(inner)
            if reference is None:
                continue
            if "${" in reference.default and depth < _NESTING_LIMIT:
                queue.append((reference.default, depth + 1))
                reference = ValueReference(reference.cls, reference.name, "")
            found.append(reference)
        if depth == 0:
            rest.append(text[at:])
        elif text[at:].strip() and at == 0:
            found.append(ValueReference(CredentialClass.ENV_REF, "", text))
    return ValuePieces(tuple(found), "".join(rest), dynamic)


def _parse_whole_reference(value: str) -> ValueReference | None:
    """Parse a value that is one whole reference, other than `${...}`."""
    if value[:1] == "$" and _NAME.fullmatch(value[1:]):
        return _build_variable_reference(value[1:])
    if len(value) > 2 and value[0] == value[-1] == "%" and _NAME.fullmatch(value[1:-1]):
        return _build_variable_reference(value[1:-1])
    if value.startswith(_KEYCHAINS):
        return ValueReference(CredentialClass.KEYCHAIN, _keep_clean_name(value), "")
    if (value.startswith("$(") and value.endswith(")")) or (
        len(value) > 2 and value[0] == value[-1] == "`"
    ):
        return ValueReference(CredentialClass.KEYCHAIN, "", "")
    return None


def _build_variable_reference(name: str) -> ValueReference | None:
    """Return a reference to a variable; None for a client's own setting."""
    return (
        None
        if name in _CLIENT_SETTINGS
        else ValueReference(CredentialClass.ENV_REF, name, "")
    )


def _iter_braced_parts(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, stop and inside of each `${{...}}`, `${...}`, `{env:...}`."""
    at = 0
    while (brace := text.find("{", at)) >= 0:
        dollar = brace > at and text[brace - 1] == "$"
        if not dollar and not text.startswith(_BARE_BRACES, brace):
            at = brace + 1
            continue
        stop = _find_closing_brace(text, brace)
        if stop < 0:
            return
        inner = text[brace + 1 : stop - 1]
        if inner[:1] == "{" and inner[-1:] == "}":
            inner = inner[1:-1]
        yield brace - dollar, stop, inner.strip()
        at = stop


def _find_closing_brace(text: str, brace: int) -> int:
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


def _parse_braced_reference(content: str) -> ValueReference | None:
    """Parse the text between braces to a reference, or None."""
    if content in _CLIENT_SETTINGS:
        return None
    scheme, colon, rest = content.partition(":")
    if colon and not rest.startswith(("-", "=", "?", "+")):
        return _parse_scheme_reference(scheme, rest)
    if content.startswith(("secrets.", "env.", "vars.")):
        name = content.partition(".")[2]
        return ValueReference(CredentialClass.ENV_REF, _keep_clean_name(name), "")
    if content.startswith("inputs."):
        return ValueReference(CredentialClass.KEYCHAIN, _keep_clean_name(content), "")
    name, default = _split_default(content)
    if name in _CLIENT_SETTINGS:
        return None
    return ValueReference(CredentialClass.ENV_REF, _keep_clean_name(name), default)


def _parse_scheme_reference(scheme: str, rest: str) -> ValueReference | None:
    """Parse a `SCHEME:REST` reference, e.g. `env:NAME` or `file:PATH`."""
    if scheme in ("env", "localEnv", "containerEnv"):
        name, default = _split_default(rest)
        if scheme != "env" and ":" in name:  # devcontainer: ${localEnv:X:default}
            name, _, default = name.partition(":")
        return ValueReference(CredentialClass.ENV_REF, _keep_clean_name(name), default)
    if scheme == "file":
        return ValueReference(CredentialClass.FILE_REF, _keep_clean_name(rest), "")
    if scheme in _SECRET_SCHEMES:
        return ValueReference(CredentialClass.KEYCHAIN, _keep_clean_name(rest), "")
    if scheme == "config" or scheme in _CLIENT_SETTINGS:
        return None
    return ValueReference(CredentialClass.KEYCHAIN, _keep_clean_name(scheme), "")


def _split_default(content: str) -> tuple[str, str]:
    """Split `NAME:-default` into the name and the default value."""
    for mark in (":-", ":=", "-", "="):
        name, found, default = content.partition(mark)
        if found and _NAME.fullmatch(name):
            return name, default
    return content, ""


def _keep_clean_name(name: str) -> str:
    """Keep a name only if it is well-formed; anything else could be a value."""
    name = name.strip()
    return name if _CLEAN_NAME.fullmatch(name) else ""
