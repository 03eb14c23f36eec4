"""Map Linux home paths to macOS and Windows.

The tables use Linux paths; a row here maps all paths with its prefix. A scanned home
may be a copy from any system, so all layouts are searched.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PathMapping:
    """Mapping of a path, or of every path below a folder.

    Attributes:
        linux: Path or folder (with `/` at its end) under a home on Linux.
        macos: Path on macOS; empty if equal.
        windows: Path on Windows, with `AppData/Roaming` for `%APPDATA%` and
            `AppData/Local` for `%LOCALAPPDATA%`; empty if equal.
        source: Documentation page.
    """

    linux: str
    macos: str
    windows: str
    source: str


_SUPPORT, _ROAMING = "Library/Application Support", "AppData/Roaming"

PATH_MAPPINGS: tuple[PathMapping, ...] = tuple(
    PathMapping(*row)
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


def to_macos_path(path: str) -> str:
    """Convert a Linux home path to macOS."""
    return _replace_known_prefix(
        path, [(row.linux, row.macos) for row in PATH_MAPPINGS]
    )


def to_windows_path(path: str) -> str:
    """Convert a Linux home path to Windows, with slashes."""
    return _replace_known_prefix(
        path, [(row.linux, row.windows) for row in PATH_MAPPINGS]
    )


def paths_on_all_systems(path: str) -> tuple[str, ...]:
    """Return a home path for each system, Linux first."""
    return tuple(dict.fromkeys((path, to_macos_path(path), to_windows_path(path))))


def _replace_known_prefix(path: str, rows: list[tuple[str, str]]) -> str:
    """Replace the first prefix of a path that the table maps to another system."""
    for linux, other in rows:
        if other and (path == linux or (linux[-1] == "/" and path.startswith(linux))):
            return other + path[len(linux) :]
    return path
