"""List the built-in tools of each agent client, with rules and documentation page.

They never cross MCP. A shell runs any program of the host, so it acts with the ambient
credentials of the account and with the variables of the agent's own environment. A
file or fetch tool calls no service with them; it can read them (credential files, the
instance metadata service), and an agent can use them elsewhere.

A rule is the client's own setting. An agent of the same account can edit it, so it
never removes a tool: it is shown with the tool.
"""

from answerable.connectors.formats.client_tools import (
    ClientTools,
    ShellLimitSetting,
    ToolRuleEffect,
    ToolRuleList,
    UnattendedMode,
)

_DENY, _ONLY, _ALLOW = ToolRuleEffect.DENY, ToolRuleEffect.ONLY, ToolRuleEffect.ALLOW


def _make_rule_lists(
    *rows: tuple[ToolRuleEffect, str] | tuple[ToolRuleEffect, str, str],
) -> tuple[ToolRuleList, ...]:
    """Build rule lists from rows of effect, `/`-separated keys and a tool."""
    return tuple(
        ToolRuleList(tuple(row[1].split("/")), row[0], "".join(row[2:])) for row in rows
    )


def _make_shell_restriction(
    keys: str, *values: str, text: str, unless_setting: tuple[str, str] | None = None
) -> ShellLimitSetting:
    """Build a setting that restricts shell commands."""
    path = tuple(keys.split("/"))
    unless = (
        ((tuple(unless_setting[0].split("/")), unless_setting[1]),)
        if unless_setting
        else ()
    )
    return ShellLimitSetting(path, frozenset(values), text, unless)


def _make_unattended_mode(keys: str, values: str, tools: str) -> UnattendedMode:
    """Build a mode in which listed tools run without approval."""
    path = tuple(keys.split("/"))
    return UnattendedMode(path, frozenset(values.split()), tuple(tools.split()))


_REFUSED, _SANDBOX, _NO_NETWORK = "refuses commands", "a sandbox", "no network"
_SANDBOXES = ("true", "docker", "podman", "sandbox-exec")
_CODEX_FULL = ("default_permissions", ":danger-full-access")
_OPEN_NETWORK = ("sandbox_workspace_write/network_access", "true")

CLIENT_TOOLS: tuple[ClientTools, ...] = (
    ClientTools(
        client="claude-code",
        # Rules and their order: https://code.claude.com/docs/en/settings
        page="https://code.claude.com/docs/en/tools-reference",
        commands=("Bash",),
        files=("Read", "Edit", "Write"),
        fetch=("WebFetch",),
        # Headless, it runs what is allowed on its command line and asks for nothing.
        rules=_make_rule_lists(
            (_DENY, "permissions/deny"),
            (_ALLOW, "permissions/allow"),
            (_ONLY, "--allowedTools"),
        ),
        limits=(
            _make_shell_restriction(
                "permissions/defaultMode", "plan", "dontask", text=_REFUSED
            ),
            _make_shell_restriction("sandbox/enabled", "true", text=_SANDBOX),
        ),
        environment=(("env",),),
        # A rule for Edit is one for every tool that edits files
        # (https://code.claude.com/docs/en/permissions).
        aliases=(("Edit", "Write"),),
        modes=(
            _make_unattended_mode(
                "permissions/defaultMode", "acceptedits", "Edit Write"
            ),
        ),
    ),
    ClientTools(
        client="codex",
        # With neither setting, commands run in a sandbox without network.
        page="https://developers.openai.com/codex/concepts/sandboxing",
        commands=("shell",),
        files=("apply_patch",),
        fetch=("web_search",),
        limits=(
            _make_shell_restriction("sandbox_mode", "read-only", text=_NO_NETWORK),
            _make_shell_restriction(
                "sandbox_mode",
                "workspace-write",
                text=_NO_NETWORK,
                unless_setting=_OPEN_NETWORK,
            ),
            _make_shell_restriction(
                "sandbox_mode", "", text=_NO_NETWORK, unless_setting=_CODEX_FULL
            ),
        ),
        environment=(("shell_environment_policy", "set"),),
    ),
    ClientTools(
        client="cursor",
        # Patterns: https://cursor.com/docs/cli/reference/permissions
        page="https://cursor.com/docs/reference/sandbox",
        commands=("Shell",),
        files=("Read", "Write"),
        fetch=("WebFetch",),
        rules=_make_rule_lists(
            (_DENY, "permissions/deny"), (_ALLOW, "permissions/allow")
        ),
        limits=(
            _make_shell_restriction(
                "type",
                "workspace_readwrite",
                "workspace_readonly",
                text=_SANDBOX,
                unless_setting=("networkPolicy/default", "allow"),
            ),
            _make_shell_restriction("networkPolicy/default", "deny", text=_NO_NETWORK),
        ),
    ),
    ClientTools(
        client="gemini-cli",
        page="https://geminicli.com/docs/reference/configuration",
        commands=("run_shell_command",),
        files=("read_file", "write_file", "replace"),
        fetch=("web_fetch",),
        rules=_make_rule_lists(
            (_DENY, "tools/exclude"),
            (_DENY, "excludeTools"),
            (_ONLY, "tools/core"),
            (_ONLY, "coreTools"),
            (_ALLOW, "tools/allowed"),
            (_ALLOW, "allowedTools"),
        ),
        limits=(
            _make_shell_restriction(
                "general/defaultApprovalMode", "plan", text=_REFUSED
            ),
            _make_shell_restriction("tools/sandbox", *_SANDBOXES, text=_SANDBOX),
            _make_shell_restriction("sandbox", *_SANDBOXES, text=_SANDBOX),
        ),
        aliases=(("ShellTool", "run_shell_command"),),
        modes=(
            _make_unattended_mode(
                "general/defaultApprovalMode", "auto_edit", "write_file replace"
            ),
            _make_unattended_mode(
                "tools/approvalMode", "auto_edit", "write_file replace"
            ),
        ),
    ),
    ClientTools(
        client="vscode",
        page="https://code.visualstudio.com/docs/agents/run/approvals",
        commands=("runInTerminal",),
        files=("readFile", "editFiles"),
        fetch=("fetch",),
        rules=_make_rule_lists(
            (_ALLOW, "chat.tools.terminal.autoApprove", "runInTerminal")
        ),
        limits=(
            _make_shell_restriction("chat.agent.enabled", "false", text=_REFUSED),
            _make_shell_restriction(
                "chat.agent.sandbox.enabled", "true", "on", text=_SANDBOX
            ),
        ),
        environment=(
            ("terminal.integrated.env.linux",),
            ("terminal.integrated.env.osx",),
            ("terminal.integrated.env.windows",),
            ("containerEnv",),
            ("remoteEnv",),
        ),
    ),
    ClientTools(
        client="windsurf",
        # A denied command is one that asks, so it narrows nothing.
        page="https://docs.windsurf.com/windsurf/terminal",
        commands=("run_command",),
        files=("view_file", "write_to_file"),
        fetch=("read_url_content",),
        rules=_make_rule_lists(
            (_ALLOW, "windsurf.cascadeCommandsAllowList", "run_command")
        ),
    ),
    ClientTools(
        client="cline",
        # What it approves by itself stands in no file of settings.
        page="https://docs.cline.bot/tools-reference/all-cline-tools",
        commands=("run_commands",),
        files=("read_files", "editor", "apply_patch"),
        fetch=("fetch_web_content",),
    ),
    ClientTools(
        client="goose",
        # The shell is in the built-in extension `developer`.
        page="https://block.github.io/goose/docs/guides/goose-permissions/",
        commands=("developer__shell",),
        files=("developer__text_editor",),
        limits=(
            _make_shell_restriction("GOOSE_MODE", "chat", text=_REFUSED),
            _make_shell_restriction(
                "extensions/developer/enabled", "false", text=_REFUSED
            ),
        ),
    ),
    ClientTools(
        client="opencode",
        page="https://opencode.ai/docs/permissions",
        commands=("bash",),
        files=("read", "edit", "write"),
        fetch=("webfetch",),
        rules=_make_rule_lists(
            (_DENY, "permission"), (_DENY, "tools"), (_ALLOW, "permission")
        ),
        limits=(_make_shell_restriction("permission", "deny", text=_REFUSED),),
        aliases=(("edit", "write"),),
        states=("permission",),
    ),
    ClientTools(
        client="copilot",
        # Its tools are allowed and denied on the command line.
        page=(
            "https://docs.github.com/en/copilot/how-tos/copilot-cli/"
            "set-up-copilot-cli/configure-copilot-cli"
        ),
        commands=("shell",),
        files=("write",),
    ),
    ClientTools(
        client="zed",
        page="https://zed.dev/docs/ai/tools",
        commands=("terminal",),
        files=("read_file", "edit_file"),
        fetch=("fetch",),
        limits=(
            _make_shell_restriction(
                "agent/tool_permissions/tools/terminal/default", "deny", text=_REFUSED
            ),
        ),
        environment=(("terminal", "env"),),
    ),
    ClientTools(
        client="amazon-q",
        page="https://aws.github.io/amazon-q-developer-cli/built-in-tools.html",
        commands=("execute_bash", "use_aws"),
        files=("fs_read", "fs_write"),
        rules=_make_rule_lists(
            (_DENY, "toolsSettings/execute_bash/deniedCommands", "execute_bash"),
            (_DENY, "toolsSettings/use_aws/deniedServices", "use_aws"),
            (_ALLOW, "toolsSettings/execute_bash/allowedCommands", "execute_bash"),
        ),
        limits=(
            _make_shell_restriction(
                "toolsSettings/execute_bash/denyByDefault", "true", text=_REFUSED
            ),
        ),
    ),
    ClientTools(
        client="qwen",
        page="https://qwenlm.github.io/qwen-code-docs/en/users/configuration/settings",
        commands=("run_shell_command",),
        files=("read_file", "write_file", "edit"),
        fetch=("web_fetch",),
        rules=_make_rule_lists(
            (_DENY, "tools/exclude"),
            (_ONLY, "tools/core"),
            (_ALLOW, "tools/allowed"),
        ),
        limits=(
            _make_shell_restriction("tools/approvalMode", "plan", text=_REFUSED),
            _make_shell_restriction("tools/sandbox", *_SANDBOXES, text=_SANDBOX),
        ),
        modes=(
            _make_unattended_mode(
                "tools/approvalMode", "auto-edit auto_edit", "write_file edit"
            ),
        ),
    ),
    ClientTools(
        client="openclaw",
        page="https://docs.openclaw.ai/tools",
        commands=("exec",),
        files=("read", "write", "edit"),
        fetch=("web_fetch",),
        rules=_make_rule_lists((_DENY, "tools/deny"), (_ONLY, "tools/allow")),
        limits=(
            _make_shell_restriction(
                "tools/exec/security", "deny", "allowlist", text=_REFUSED
            ),
            _make_shell_restriction(
                "tools/exec/mode", "deny", "allowlist", text=_REFUSED
            ),
        ),
    ),
    ClientTools(
        client="amp",
        page="https://ampcode.com/manual",
        commands=("Bash",),
        files=("Read", "create_file", "edit_file"),
        fetch=("read_web_page",),
        rules=_make_rule_lists((_DENY, "amp.tools.disable")),
        # A name after `builtin:` is that of the built-in tool alone, as
        # https://ampcode.com/manual#configuration says of amp.tools.disable.
        aliases=(
            ("builtin:Bash", "Bash"),
            ("builtin:Read", "Read"),
            ("builtin:create_file", "create_file"),
            ("builtin:edit_file", "edit_file"),
            ("builtin:read_web_page", "read_web_page"),
        ),
    ),
    ClientTools(
        client="aider",
        # `--yes-always` does not run the commands that the model suggests
        # (https://github.com/Aider-AI/aider/issues/3903).
        page="https://aider.chat/docs/usage/commands.html",
        commands=("run",),
        files=("add",),
        fetch=("web",),
    ),
)

TOOLS_BY_CLIENT: dict[str, ClientTools] = {each.client: each for each in CLIENT_TOOLS}

# Commands that act through an identity of the host, or run any program: where one of
# them needs no approval, the shell acts unattended.
CREDENTIAL_USING_COMMANDS = frozenset(
    str.split(
        "aws aws-vault az azd gcloud gsutil bq kubectl helm terraform tofu pulumi gh glab "
        "docker podman vault op ssh curl wget python python3 node npx uvx deno bun sh "
        "bash zsh env sudo"
    )
)
