"""Table of GitHub Apps that are AI agents, by slug.

A slug is the last part of the app's page, https://github.com/apps/SLUG. The list is not
complete. Its slugs were compared with links to these pages in public repositories on
2026-11-29, but for `amazon-q-developer`, `copilot-pull-request-reviewer`, `cursor` and
`gemini-code-assist`.
"""

# Slug of the app, and the kind of agent that it runs.
AGENT_APPS = {
    "amazon-q-developer": "amazon-q",
    "chatgpt-codex-connector": "codex",
    "claude": "claude-code",
    "coderabbitai": "coderabbit",
    "copilot-pull-request-reviewer": "copilot",
    "copilot-swe-agent": "copilot",
    "cursor": "cursor",
    "devin-ai-integration": "devin",
    "ellipsis-dev": "ellipsis",
    "factory-droid": "factory",
    "gemini-code-assist": "gemini-code-assist",
    "google-labs-jules": "jules",
    "greptile-apps": "greptile",
    "openhands-ai": "openhands",
    "qodo-merge": "pr-agent",
    "qodo-merge-pro": "pr-agent",
    "sweep-ai": "sweep",
}
