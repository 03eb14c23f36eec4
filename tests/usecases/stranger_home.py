"""A stranger's home: ten clients, each with servers and secrets in its own format."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
PYTHON = sys.executable
# One secret a server, none of which may stay in a client's file.
CANARIES = tuple(f"sk-canary-{n:02d}-Zq8WxT5vRk2LmN7pYh3J" for n in range(16))
C = CANARIES
RUN = f'"{PYTHON}", "-m", "tests.usecases.digest_server"'
ARGS = '["-m", "tests.usecases.digest_server"]'

FILES: dict[str, str] = {
    ".claude.json": f"""{{
  "numStartups": 7,
  "mcpServers": {{
    "tracker": {{"type": "stdio", "command": "{PYTHON}", "args": {ARGS}, "env": {{"TRACKER_TOKEN": "{C[0]}", "LEVEL": "2"}}}}
  }},
  "projects": {{
    "/srv/shop": {{
      "allowedTools": [],
      "mcpServers": {{
        "orders": {{
          "command": "{PYTHON}",
          "args": ["-m", "tests.usecases.digest_server", "--api-key", "{C[1]}"],
          "env": {{}}
        }}
      }}
    }}
  }},
  "mcpNote": "é ☃"
}}
""",
    ".claude/settings.json": '{\n  "permissions": {\n    "allow": ["Read"]\n  }\n}\n',
    ".config/Claude/claude_desktop_config.json": f"""{{
    "globalShortcut": "",
    "mcpServers": {{
        "tracker": {{
            "command": "{PYTHON}",
            "args": [
                "-m",
                "tests.usecases.digest_server"
            ],
            "env": {{
                "TRACKER_TOKEN": "{C[2]}"
            }}
        }}
    }}
}}""",
    ".cursor/mcp.json": f"""{{"mcpServers":{{"search":{{"url":"http://127.0.0.1:9/mcp","headers":{{"Authorization":"Bearer {C[3]}"}}}},"notes":{{"command":"{PYTHON}","args":{ARGS}}}}}}}\n""",
    ".config/Code/User/mcp.json": f"""{{
\t// Servers of my editor.
\t"servers": {{
\t\t"docs": {{
\t\t\t"type": "stdio", /* local */
\t\t\t"command": "{PYTHON}",
\t\t\t"args": {ARGS},
\t\t\t"env": {{
\t\t\t\t"DOCS_API_KEY": "{C[4]}",
\t\t\t\t"DOCS_PASSWORD": "{C[5]}", // the other one
\t\t\t}},
\t\t}},
\t\t"cloud": {{ "type": "http", "url": "https://mcp.example.com/v1" }},
\t}},
\t"inputs": [],
}}
""",
    ".codex/config.toml": f"""model = "o9"  # mine

[mcp_servers.build]
command = '{PYTHON}'   # the interpreter
args = [
  "-m",
  "tests.usecases.digest_server", # ours
]
env = {{ "BUILD_TOKEN" = "{C[6]}" }}

[mcp_servers."two words"]
command = "{PYTHON}"
args = {ARGS}
startup_timeout_sec = 20

[mcp_servers."two words".env]
API_KEY = "{C[7]}"

[tui]
theme = "dark"
""",
    ".gemini/settings.json": f"""{{
  "mcpServers": {{
    "maps": {{
      "httpUrl": "http://localhost:9/mcp",
      "headers": {{ "X-Api-Key": "{C[8]}" }},
      "timeout": 5000
    }}
  }}
}}
""",
    ".codeium/windsurf/mcp_config.json": f"""{{
  "mcpServers": {{
    "db": {{
      "command": "{PYTHON}",
      "args": ["-m", "tests.usecases.digest_server", "postgresql://shop:{C[9]}@127.0.0.1/shop"],
      "disabled": true
    }}
  }}
}}
""",
    ".config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json": f"""{{
  "mcpServers": {{
    "mail": {{
      "autoApprove": [],
      "command": "{PYTHON}",
      "args": {ARGS},
      "env": {{"AWS_ACCESS_KEY_ID": "AKIAQ3EGRZ7TLXCANARY", "AWS_SECRET_ACCESS_KEY": "{C[10]}"}}
    }}
  }}
}}
""",
    ".config/goose/config.yaml": f"""GOOSE_PROVIDER: openai   # chosen by hand
extensions:
  developer:
    bundled: true
    enabled: true
    name: developer
    type: builtin
  files:
    args:
    - -m
    - tests.usecases.digest_server
    cmd: {PYTHON}
    enabled: true
    envs:
      FILES_TOKEN: {C[11]}
    name: files
    timeout: 300
    type: stdio
  # a remote one
  web:
    enabled: true
    headers:
      Authorization: Bearer {C[12]}
    name: web
    type: streamable_http
    uri: http://127.0.0.1:9/mcp
""",
    ".config/opencode/opencode.jsonc": f"""{{
  "$schema": "https://opencode.ai/config.json",
  "mcp": {{
    "issues": {{
      "type": "local",
      "command": [{RUN}],
      "environment": {{ "ISSUES_TOKEN": "{C[13]}" }}, // theirs
    }},
    "wiki": {{
      "type": "remote",
      "url": "http://127.0.0.1:9/mcp",
      "headers": {{ "Authorization": "Bearer {C[14]}" }},
    }},
  }},
}}
""",
}


def write_home(home: Path) -> dict[Path, bytes]:
    """Write the home, and return its files."""
    made: dict[Path, bytes] = {}
    for name, text in FILES.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        made[path] = path.read_bytes()
    return made
