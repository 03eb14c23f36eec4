"""Read and write entries of the operating system's keyring (extra `keyring`).

Only a real keyring counts: the Keychain of macOS, the Secret Service or KWallet of a
Linux desktop, the Credential Locker of Windows. `keyring` has other backends, which fail
always or write plain text (keyring.readthedocs.io).
"""

from typing import TYPE_CHECKING

from answerable.model.errors import EnvironmentFailure

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

PREFIX = "keyring:"  # before the name of an entry, where a file is expected as well
_SERVICE = "answerable"
_PROBE = "probe"
_REAL_BACKENDS = (
    "keyring.backends.macOS",
    "keyring.backends.SecretService",
    "keyring.backends.libsecret",
    "keyring.backends.kwallet",
    "keyring.backends.Windows",
)


def has_keyring() -> bool:
    """Return whether a real keyring answers."""
    try:
        import keyring

        backend = keyring.get_keyring()
        if not is_real_backend(backend):
            return False
        backend.get_password(_SERVICE, _PROBE)
    except Exception:  # noqa: BLE001 - a backend raises errors of its own kinds
        return False
    return True


def is_real_backend(backend: "KeyringBackend") -> bool:
    """Return whether a backend is a keyring of the operating system."""
    return type(backend).__module__.startswith(_REAL_BACKENDS)


def read_entry(name: str) -> bytes | None:
    """Read an entry by its name with prefix; None where there is none.

    Raises:
        EnvironmentFailure: The keyring does not answer.
    """
    value = _call_keyring("read", name)
    return None if value is None else value.encode()


def write_entry(name: str, value: bytes) -> None:
    """Write an entry.

    Raises:
        EnvironmentFailure: The keyring does not answer.
    """
    _call_keyring("write", name, value.decode())


def delete_entry(name: str) -> None:
    """Delete an entry.

    Raises:
        EnvironmentFailure: The keyring does not answer.
    """
    _call_keyring("delete", name)


def _call_keyring(act: str, name: str, value: str = "") -> str | None:
    """Ask the keyring; its errors are not shown, since they may hold the value."""
    entry = name.removeprefix(PREFIX)
    try:
        import keyring

        if act == "write":
            keyring.set_password(_SERVICE, entry, value)
        elif act == "delete":
            keyring.delete_password(_SERVICE, entry)
        else:
            return keyring.get_password(_SERVICE, entry)
    except ImportError:
        hint = "pip install 'answerable[keyring]'"
        raise EnvironmentFailure("the keyring package is missing", hint) from None
    except Exception as error:  # noqa: BLE001 - a backend raises errors of its own kinds
        kind = type(error).__name__
        raise EnvironmentFailure(
            f"the keyring does not {act} an entry ({kind})", "unlock it, then try again"
        ) from None
    return None
