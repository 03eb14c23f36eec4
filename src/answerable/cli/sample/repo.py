"""Build a sample repository: a workflow agent, an MCP server, code owners."""

import json

from answerable.cli.sample.account import CI_DEPLOY

WORKFLOW = f"""\
name: agent
on:
  issue_comment:
    types: [created]
permissions:
  contents: write
  id-token: write
jobs:
  agent:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
      - uses: aws-actions/configure-aws-credentials@v5
        with:
          role-to-assume: {CI_DEPLOY}
          aws-region: eu-west-1
      - uses: anthropics/claude-code-action@v1
        with:
          anthropic_api_key: ${{{{ secrets.ANTHROPIC_API_KEY }}}}
"""


def build_repo_files() -> dict[str, str]:
    """Build the files of the sample repository: relative path -> content."""
    docs = {"type": "http", "url": "https://docs.corp.example/mcp"}
    origin = "https://github.com/example-corp/agents.git"
    return {
        ".git/config": f'[remote "origin"]\n\turl = {origin}\n',
        ".github/workflows/agent.yml": WORKFLOW,
        ".mcp.json": json.dumps({"mcpServers": {"docs": docs}}, indent=2),
        "CODEOWNERS": "*         @example-corp/platform\n.github/  ana@corp.example\n",
    }
