"""List the settings to display for each agent client, and the unattended values."""

from dataclasses import dataclass

from answerable.connectors.formats.agent_clients import KeyPath


@dataclass(frozen=True, slots=True)
class ClientSetting:
    """Setting to display.

    Attributes:
        client: Agent kind.
        keys: Path of the setting.
        name: Name of the fact.
        unattended: Values that skip approvals; empty text if the absent setting does
            so.
        disabled_by: Setting that forbids these values with the text `disable`.
        only_with: Pairs (keys, value) of which one must be stated for these values.
    """

    client: str
    keys: KeyPath
    name: str
    unattended: frozenset[str] = frozenset()
    disabled_by: KeyPath = ()
    only_with: tuple[tuple[KeyPath, str], ...] = ()


_NO_BYPASS: KeyPath = ("permissions", "disableBypassPermissionsMode")

SETTINGS: tuple[ClientSetting, ...] = tuple(
    ClientSetting(client, keys, name, frozenset(unattended), *disabled_by)
    for client, keys, name, unattended, *disabled_by in (
        (
            "claude-code",
            ("permissions", "defaultMode"),
            "permission-mode",
            ("bypassPermissions", "auto"),
            _NO_BYPASS,
        ),
        ("claude-code", ("model",), "model", ()),
        ("claude-code", ("enableAllProjectMcpServers",), "trusts-project-servers", ()),
        ("codex", ("approval_policy",), "approval-policy", ("never",)),
        # Outside a sandbox, only `untrusted` asks first
        # (https://developers.openai.com/codex/agent-approvals-security).
        (
            "codex",
            ("approval_policy",),
            "approval-policy",
            ("", "on-request", "on-failure"),
            (),
            (
                (("sandbox_mode",), "danger-full-access"),
                (("default_permissions",), ":danger-full-access"),
            ),
        ),
        ("codex", ("sandbox_mode",), "sandbox-mode", ()),
        ("codex", ("model",), "model", ()),
        ("gemini-cli", ("general", "defaultApprovalMode"), "approval-mode", ("yolo",)),
        ("gemini-cli", ("tools", "approvalMode"), "approval-mode", ("yolo",)),
        ("gemini-cli", ("autoAccept",), "auto-accept", ()),
        ("gemini-cli", ("model", "name"), "model", ()),
        ("vscode", ("chat.tools.autoApprove",), "auto-approve", ("true",)),
        ("vscode", ("chat.tools.global.autoApprove",), "auto-approve", ("true",)),
        ("cursor", ("approvalMode",), "approval-mode", ("unrestricted",)),
        ("goose", ("GOOSE_MODE",), "mode", ("auto", "")),
        ("goose", ("GOOSE_PROVIDER",), "provider", ()),
        ("goose", ("GOOSE_MODEL",), "model", ()),
        ("opencode", ("permission",), "permission", ("allow", "")),
        ("opencode", ("model",), "model", ()),
        ("zed", ("agent", "always_allow_tool_actions"), "auto-approve", ("true",)),
        ("zed", ("agent", "default_model", "model"), "model", ()),
        ("aider", ("yes-always",), "yes-always", ("true",)),
        ("aider", ("model",), "model", ()),
        ("amp", ("amp.dangerouslyAllowAll",), "allows-all", ("true",)),
        ("qwen", ("tools", "approvalMode"), "approval-mode", ("yolo",)),
        ("qwen", ("model", "name"), "model", ()),
        ("openclaw", ("tools", "exec", "ask"), "exec-ask", ("off",)),
        ("openclaw", ("tools", "exec", "security"), "exec-security", ()),
    )
)
