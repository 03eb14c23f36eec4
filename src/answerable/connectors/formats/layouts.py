"""Folders of macOS and Windows for the files that Linux keeps below `~/.config`.

Every path of the tables is spelled as on Linux; a row here gives its analogues for all
paths that begin like it. A scanned home may be a copy from any system, so all layouts
are looked for.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """The analogues of a path, or of every path below a folder.

    Attributes:
        linux: Path or folder (with `/` at its end) under a home on Linux.
        macos: The same on macOS; empty where it is the same.
        windows: The same on Windows, `%APPDATA%` being `AppData/Roaming` and
            `%LOCALAPPDATA%` `AppData/Local`; empty where it is the same.
        source: Page that says so.
    """

    linux: str
    macos: str
    windows: str
    source: str


_SUPPORT, _ROAMING = "Library/Application Support", "AppData/Roaming"

LAYOUTS: tuple[Layout, ...] = tuple(
    Layout(*row)
    for row in (
        (
            ".config/Claude/",
            f"{_SUPPORT}/Claude/",
            f"{_ROAMING}/Claude/",
            "https://modelcontextprotocol.io/docs/develop/connect-local-servers",
        ),
        *(
            (
                f".config/{editor}/",
                f"{_SUPPORT}/{editor}/",
                f"{_ROAMING}/{editor}/",
                "https://code.visualstudio.com/docs/configure/settings",
            )
            for editor in ("Code", "Code - Insiders", "Cursor")
        ),
        (
            ".config/goose/",
            "",
            f"{_ROAMING}/Block/goose/config/",
            "https://block.github.io/goose/docs/guides/config-files",
        ),
        (
            ".config/zed/",
            "",
            f"{_ROAMING}/Zed/",
            "https://zed.dev/docs/configuring-zed",
        ),
        (
            ".config/JetBrains/",
            f"{_SUPPORT}/JetBrains/",
            f"{_ROAMING}/JetBrains/",
            "https://www.jetbrains.com/help/idea/directories-used-by-the-ide-to-store-"
            "settings-caches-plugins-and-logs.html",
        ),
        (
            ".config/github-copilot/",
            "",
            "AppData/Local/github-copilot/",
            "https://docs.github.com/en/copilot/how-tos/provide-context/use-mcp/"
            "extend-copilot-chat-with-mcp",
        ),
        (
            ".config/gcloud/",
            "",
            f"{_ROAMING}/gcloud/",
            "https://cloud.google.com/docs/authentication/"
            "application-default-credentials",
        ),
        (
            ".config/gh/",
            "",
            f"{_ROAMING}/GitHub CLI/",
            "https://cli.github.com/manual/gh_help_environment",
        ),
        (
            ".terraform.d/",
            "",
            f"{_ROAMING}/terraform.d/",
            "https://developer.hashicorp.com/terraform/cli/commands/login",
        ),
        (
            ".terraformrc",
            "",
            f"{_ROAMING}/terraform.rc",
            "https://developer.hashicorp.com/terraform/cli/config/config-file",
        ),
        (
            ".pgpass",
            "",
            f"{_ROAMING}/postgresql/pgpass.conf",
            "https://www.postgresql.org/docs/current/libpq-pgpass.html",
        ),
        (
            ".netrc",
            "",
            "_netrc",
            "https://www.gnu.org/software/inetutils/manual/inetutils.html",
        ),
    )
)


def macos_path(path: str) -> str:
    """Return the path on macOS of a path under a home on Linux."""
    return _moved(path, [(row.linux, row.macos) for row in LAYOUTS])


def windows_path(path: str) -> str:
    """Return the path on Windows of a path under a home on Linux, with slashes."""
    return _moved(path, [(row.linux, row.windows) for row in LAYOUTS])


def every_layout(path: str) -> tuple[str, ...]:
    """Return a path under a home as each system spells it, Linux first."""
    return tuple(dict.fromkeys((path, macos_path(path), windows_path(path))))


def _moved(path: str, rows: list[tuple[str, str]]) -> str:
    for linux, other in rows:
        if other and (path == linux or (linux[-1] == "/" and path.startswith(linux))):
            return other + path[len(linux) :]
    return path
