"""Build a sample home directory: agent clients, a subagent, an AWS profile."""

import json

from answerable.cli.sample.account import DATA_READER, REPORT_KEY
from answerable.cli.sample.fake_access_keys import make_fake_secret


def _build_reporter_agent() -> str:
    """Build a subagent file that brings a server of its own, with a plaintext key."""
    return f"""\
---
name: reporter
tools: mcp__warehouse__query, Read
mcpServers:
  warehouse:
    command: uvx
    args: [warehouse-mcp]
    env:
      AWS_ACCESS_KEY_ID: {REPORT_KEY}
      AWS_SECRET_ACCESS_KEY: {make_fake_secret("report-bot")}
      AWS_REGION: eu-west-1
---
Writes the weekly report.
"""


def build_home_files() -> dict[str, str]:
    """Build the files of the sample home: relative path -> content."""
    tickets = {
        "type": "http",
        "url": "https://tickets.corp.example/mcp",
        "headers": {"Authorization": "Bearer ${TICKETS_TOKEN}"},
    }
    github = {
        "command": "docker",
        "args": ["run", "-i", "--rm", "-e", "GITHUB_TOKEN", "github-mcp"],
        "env": {"GITHUB_TOKEN": "ghp_" + make_fake_secret("github", 36)},
    }
    search = {"url": "https://search.corp.example/mcp?key=${input:search_key}"}
    return {
        ".claude.json": json.dumps({"mcpServers": {"tickets": tickets}}, indent=2),
        ".claude/agents/reporter.md": _build_reporter_agent(),
        ".claude/settings.json": json.dumps(
            {"permissions": {"defaultMode": "acceptEdits", "allow": ["Bash(ls:*)"]}}
        ),
        ".cursor/mcp.json": json.dumps({"mcpServers": {"github": github}}, indent=2),
        ".config/Code/User/mcp.json": (
            "{\n"
            "  // keys are asked for once and kept by the editor\n"
            '  "inputs": [{"id": "search_key", "type": "promptString", '
            '"password": true}],\n'
            f'  "servers": {{"search": {json.dumps(search)}}},\n'
            "}\n"
        ),
        ".aws/config": (
            "[profile reader]\n"
            f"role_arn = {DATA_READER}\n"
            "source_profile = default\n"
            "region = eu-west-1\n"
        ),
        ".gitconfig": "[user]\n\tname = Ana (sample)\n\temail = ana@corp.example\n",
    }
