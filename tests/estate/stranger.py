"""A stranger's home with ten clients, in the layout of each operating system.

The paths are written out here as each client documents them, not taken from the
product's own table of layouts.
"""

import json
from pathlib import Path

ACCOUNT = "222233334444"
SYSTEMS = ("linux", "macos", "windows")
ROLE = (
    f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-central-1/"
    "AWSReservedSSO_AdministratorAccess_0123456789abcdef"
)
SERVICE_ACCOUNT = "etl@corp-data.iam.gserviceaccount.com"
_APPLE, _ROAMING = "Library/Application Support", "AppData/Roaming"
_CLINE = "User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"

# What lies elsewhere on macOS and Windows: Linux, macOS, Windows.
PATHS: dict[str, tuple[str, str, str]] = {
    "claude-desktop": (
        ".config/Claude/claude_desktop_config.json",
        f"{_APPLE}/Claude/claude_desktop_config.json",
        f"{_ROAMING}/Claude/claude_desktop_config.json",
    ),
    "vscode": (
        ".config/Code/User/mcp.json",
        f"{_APPLE}/Code/User/mcp.json",
        f"{_ROAMING}/Code/User/mcp.json",
    ),
    "cline": (
        f".config/Code/{_CLINE}",
        f"{_APPLE}/Code/{_CLINE}",
        f"{_ROAMING}/Code/{_CLINE}",
    ),
    "goose": (
        ".config/goose/config.yaml",
        ".config/goose/config.yaml",
        f"{_ROAMING}/Block/goose/config/config.yaml",
    ),
    "zed": (
        ".config/zed/settings.json",
        ".config/zed/settings.json",
        f"{_ROAMING}/Zed/settings.json",
    ),
    "jetbrains": (
        ".config/JetBrains/IntelliJIdea2026.1/mcp.json",
        f"{_APPLE}/JetBrains/IntelliJIdea2026.1/mcp.json",
        f"{_ROAMING}/JetBrains/IntelliJIdea2026.1/mcp.json",
    ),
    "gh": (
        ".config/gh/hosts.yml",
        ".config/gh/hosts.yml",
        f"{_ROAMING}/GitHub CLI/hosts.yml",
    ),
    "gcloud": (
        ".config/gcloud/configurations/config_default",
        ".config/gcloud/configurations/config_default",
        f"{_ROAMING}/gcloud/configurations/config_default",
    ),
    "terraform": (
        ".terraform.d/credentials.tfrc.json",
        ".terraform.d/credentials.tfrc.json",
        f"{_ROAMING}/terraform.d/credentials.tfrc.json",
    ),
    "pgpass": (".pgpass", ".pgpass", f"{_ROAMING}/postgresql/pgpass.conf"),
    "netrc": (".netrc", ".netrc", "_netrc"),
}
# How an entry on each system names the same key file.
KEY_FILE = {
    "linux": "/home/dana/keys/etl.json",
    "macos": "/Users/dana/keys/etl.json",
    "windows": r"C:\Users\dana\keys\etl.json",
}


def write_home(root: Path, system: str) -> Path:
    """Write the home in the layout of a system and return it."""
    home = root / system / "dana"
    for name, content in _files(system).items():
        path = home / place(name, system)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return home


def place(name: str, system: str) -> str:
    """Return where a file lies on a system, by its name or its path."""
    return PATHS[name][SYSTEMS.index(system)] if name in PATHS else name


def linux_place(path: str, system: str) -> str:
    """Return where a file of a system's home would lie on Linux."""
    for paths in PATHS.values():
        if path.partition("#")[0] == paths[SYSTEMS.index(system)]:
            return paths[0] + path[len(paths[SYSTEMS.index(system)]) :]
    return path


def _files(system: str) -> dict[str, object]:
    return {**_clients(system), **_logins()}


def _clients(system: str) -> dict[str, object]:
    local = {"command": "files-server", "args": ["/srv"]}
    return {
        "claude-desktop": {"mcpServers": {"files": local}},
        ".claude.json": {
            "oauthAccount": {"emailAddress": "dana@corp.example"},
            "mcpServers": {
                "tickets": {
                    "command": "tickets-server",
                    "env": {"TICKETS_TOKEN": "CANARYtickets0123456789"},
                }
            },
        },
        ".claude/settings.json": {"permissions": {"defaultMode": "bypassPermissions"}},
        ".cursor/mcp.json": {
            "mcpServers": {"linear": {"url": "https://mcp.linear.app/sse"}}
        },
        "vscode": {
            "servers": {
                "bigquery": {
                    "command": "bigquery-server",
                    "env": {"GOOGLE_APPLICATION_CREDENTIALS": KEY_FILE[system]},
                }
            }
        },
        "cline": {"mcpServers": {"notes": {**local, "autoApprove": ["read"]}}},
        ".codex/config.toml": (
            'approval_policy = "on-request"\n'
            '[model_providers.corp]\nenv_key = "CORP_API_KEY"\n'
            '[mcp_servers.deploy]\ncommand = "aws-deploy"\n'
            'args = ["--profile", "ci"]\n'
        ),
        ".gemini/settings.json": {
            "mcpServers": {
                "cluster": {"command": "kube-mcp", "args": ["--context", "dev"]}
            }
        },
        "goose": "GOOSE_MODE: approve\nextensions:\n  wiki:\n    type: stdio\n"
        "    cmd: wiki-server\n    envs: {WIKI_PASSWORD: CANARYwiki01}\n    enabled: true\n",
        "zed": {"context_servers": {"pg": {"command": "pg-server"}}},
        "jetbrains": {"mcpServers": {"ide": {"command": "ide-server"}}},
    }


def _logins() -> dict[str, object]:
    contexts = [("prod", "dana-prod"), ("dev", "dana-dev")]
    return {
        ".aws/config": "[default]\nsso_session = corp\n"
        f"sso_account_id = {ACCOUNT}\nsso_role_name = AdministratorAccess\n"
        "[sso-session corp]\nsso_start_url = https://corp.awsapps.example/start\n",
        ".aws/credentials": "[ci]\naws_access_key_id = AKIA6EQNFXABYWZ6AAVW\n"
        "aws_secret_access_key = CANARYsecret\n",
        ".kube/config": json.dumps(
            {
                "current-context": "prod",
                "contexts": [
                    {"name": name, "context": {"cluster": name, "user": user}}
                    for name, user in contexts
                ],
                "users": [
                    {"name": user, "user": {"token": f"CANARY{user}0123"}}
                    for _, user in contexts
                ],
            }
        ),
        "keys/etl.json": {
            "type": "service_account",
            "project_id": "corp-data",
            "client_email": SERVICE_ACCOUNT,
            "private_key": "-----BEGIN PRIVATE KEY-----\nCANARYkey\n",
        },
        "gh": "github.com:\n    user: dana-dev\n    oauth_token: gho_CANARY0123456789\n",
        "gcloud": "[core]\naccount = dana@corp.example\n",
        "terraform": {
            "credentials": {"app.terraform.io": {"token": "CANARYterraform.0123456"}}
        },
        "pgpass": "db.corp.example:5432:shop:dana:CANARYpostgres01\n",
        "netrc": "machine api.corp.example login dana password CANARYnetrc012\n",
        ".pypirc": "[pypi]\nusername = __token__\npassword = pypi-CANARY0123456789\n",
        ".gitconfig": "[user]\nname = Dana Example\nemail = dana@corp.example\n",
    }


def write_account(path: Path) -> Path:
    """Write an account dump that holds the role of the permission set."""
    anybody = {"Version": "2012-10-17", "Statement": []}
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    role = {
        "Path": ROLE.partition("role")[2].rpartition("/")[0] + "/",
        "RoleName": ROLE.rpartition("/")[2],
        "RoleId": "AROA6EQNFXABYWZ6AAVW",
        "Arn": ROLE,
        "CreateDate": "2026-01-10T09:00:00Z",
        "AssumeRolePolicyDocument": anybody,
        "InstanceProfileList": [],
        "RolePolicyList": [
            {
                "PolicyName": "admin",
                "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
            }
        ],
        "AttachedManagedPolicies": [],
        "Tags": [],
    }
    path.write_text(
        json.dumps(
            {
                "RoleDetailList": [role],
                "UserDetailList": [],
                "GroupDetailList": [],
                "Policies": [],
            }
        )
    )
    return path
