"""Name of the operating-system user that runs a command, for records of its acts."""

import os
import pwd


def get_login_name() -> str:
    """Return the login name of the user; it is not verified by an identity provider."""
    user = os.getuid()
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"uid {user}"
