"""Table of GitHub Apps that are AI agents, by slug.

Source: the page https://github.com/apps/SLUG of each, read in November 2026 or earlier;
docs/github.md says how to report one that is missing.
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
    "qodo-merge-pro": "pr-agent",
    "sweep-ai": "sweep",
}
