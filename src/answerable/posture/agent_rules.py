"""Rules on agents, their owners and the configurations of their tools."""

from answerable.posture import rule_data as data
from answerable.posture.rule import FindingRule
from answerable.posture.rules import agents, credentials, ownership

AGENT_RULES: tuple[FindingRule, ...] = (
    FindingRule(
        id="unattended-shell-administrator",
        title="Unattended agent with a shell under an administrator",
        question=(
            "Which agents run shell commands without approval while the host is "
            "signed in as an administrator?"
        ),
        detail=(
            "A shell has the ambient identity of its host. Without approval, a single "
            "text that the model reads can make the agent act as the administrator. "
            "The agents of one client in one home are one finding. If the policies of "
            "a permission set were not collected, its name is used; the name can only "
            "raise the severity."
        ),
        platforms=("home", "repo"),
        owasp=("NHI5:2025", "NHI10:2025", "ASI03:2026"),
        requires=data.AGENT,
        severity="the agent alone x administrator x unattended, unbounded",
        repair=(
            "Let a person approve shell commands, or start the agent with its own "
            "identity, which is not an administrator."
        ),
        evaluate=agents.find_unattended_shells,
    ),
    FindingRule(
        id="hosted-server-secret",
        title="Hosted server with a literal token",
        question=(
            "Which hosted servers are called with a token that is written into the "
            "configuration?"
        ),
        detail=(
            "The token does not expire, the operator of the server receives it with "
            "each call, and every reader of the file can use it."
        ),
        platforms=("home", "repo"),
        owasp=("NHI2:2025", "NHI3:2025", "NHI7:2025"),
        requires=data.CONFIG,
        severity=(
            "outsider x reach of the token's identity x standing, unbounded, and "
            "unattended or in several places if it is"
        ),
        repair="Revoke the token, and let the client sign in with OAuth.",
        evaluate=credentials.find_hosted_server_secrets,
    ),
    FindingRule(
        id="outsider-triggered-agent",
        title="Agent that outsiders can start, with secrets or a write token",
        question=(
            "Which workflow agents can an outsider start, and do they hold secrets, a"
            " write token or a cloud identity?"
        ),
        detail=(
            "Events such as `issue_comment` and `pull_request_target` run the "
            "workflow of the default branch, with its token and secrets, on text of "
            "anyone. Keys of model providers do not count as secrets of the agent. "
            "`id-token: write` counts when a cloud identity is named."
        ),
        platforms=("repo",),
        owasp=("NHI4:2025", "NHI6:2025", "ASI03:2026"),
        requires=data.WORKFLOW,
        severity="outsider x reach of the job x unattended, unbounded",
        repair="Start the job only for members, and give its token only read permissions.",
        evaluate=agents.find_outsider_triggered_agents,
    ),
    FindingRule(
        id="scattered-credential",
        title="Static credential in several files",
        question="Which static credentials are in more than one file?",
        detail=(
            "A rotation of the key may miss one of its files. "
            "References to a variable or a secret store do not count."
        ),
        platforms=("home", "repo"),
        owasp=("NHI2:2025", "NHI7:2025"),
        requires=data.CONFIG,
        severity="insider x reach of its identity x standing, in several places",
        repair="Rotate the key, and keep it in one secret store.",
        evaluate=credentials.find_scattered_credentials,
    ),
    FindingRule(
        id="unowned-agent",
        title="Agent without an owner",
        question="Which agents have no owner?",
        detail=(
            "No evidence names a person or a team for the agent, so no person reviews "
            "its access or is responsible for its actions. Its reach counts as not "
            "known at least."
        ),
        platforms=("home", "repo", "aws", "kubernetes"),
        owasp=("NHI1:2025", "ASI10:2026"),
        requires=data.AGENT,
        severity="insider x administrator, or at least not known x unbounded",
        repair=("Record its owner: `answerable attest AGENT --owner PERSON`."),
        evaluate=ownership.find_unowned_agents,
    ),
    FindingRule(
        id="owner-left",
        title="Owner who has left",
        question=(
            "Which agents, identities and credentials belong to a person who has left?"
        ),
        detail=(
            "A leaver is a user whom a directory (`people:FILE`, IAM Identity Center) "
            "lists as disabled, suspended or deprovisioned. The repair names the "
            "manager or the sponsor, if the directory contains one. No person reviews "
            "access whose owner has left."
        ),
        platforms=("home", "repo", "aws"),
        owasp=("NHI1:2025",),
        requires=data.PEOPLE,
        severity="insider x reach of the subject x standing",
        repair="Record the manager or the deputy as owner, or remove the subject.",
        evaluate=ownership.find_owners_who_left,
    ),
    FindingRule(
        id="self-attested-owner",
        title="Owner named only by the agent's own text",
        question="For which agents does only self-reported evidence name an owner?",
        detail=(
            "Tags and files that the agent's identity may edit could have been "
            "written by the agent. This evidence is shown, but never trusted."
        ),
        platforms=("home", "repo", "aws", "kubernetes"),
        owasp=("NHI1:2025", "ASI10:2026"),
        requires=data.AGENT,
        severity="another failure x reach of the agent x unbounded",
        repair="Let the owner attest the agent with an enrolled owner key.",
        evaluate=ownership.find_self_attested_owners,
    ),
    FindingRule(
        id="uncertain-owner",
        title="Owner that is suggested, ambiguous or a team",
        question="Which agents have an owner that is not certain?",
        detail=(
            "The evidence is weak, names several persons equally, or names only a team."
        ),
        platforms=("home", "repo", "aws", "kubernetes"),
        owasp=("NHI1:2025",),
        requires=data.AGENT,
        severity="another failure x reach of the agent x unbounded",
        repair="Confirm or attest the owner.",
        evaluate=ownership.find_uncertain_owners,
    ),
    FindingRule(
        id="unattended-shell",
        title="Unattended agent with a shell",
        question="Which agents run shell commands without approval?",
        detail=(
            "This rule is for a host that is not signed in as an administrator. "
            "The rules `outsider-triggered-agent` and `agent-administrator` cover the "
            "agents of a workflow, whose host exists for one job."
        ),
        platforms=("home", "repo"),
        owasp=("NHI5:2025", "ASI03:2026"),
        requires=data.AGENT,
        severity=(
            "the agent alone x reach of the host's identities x unattended, unbounded"
        ),
        repair="Let a person approve shell commands.",
        evaluate=agents.find_unattended_shells,
    ),
    FindingRule(
        id="untrusted-input-to-effect",
        title="Untrusted input, data and an outbound effect in one agent",
        question="Which agents read outside text, reach data, and can send it out?",
        detail=(
            "A single text from outside can make such an agent send out the data that "
            "it can read. For an attended agent, a person must approve the call."
        ),
        platforms=("home", "repo"),
        owasp=("ASI03:2026", "NHI8:2025"),
        requires=data.AGENT,
        severity=(
            "the agent alone, or another failure if attended x reach of the agent x "
            "unattended, unbounded"
        ),
        repair=(
            "Split the agent in two: one agent reads outside text, the other one has "
            "the credentials."
        ),
        evaluate=agents.find_untrusted_input_to_effect,
    ),
    FindingRule(
        id="agent-administrator",
        title="Agent that acts as an administrator",
        question=(
            "Which agents act as an identity that is or can become an administrator?"
        ),
        detail=(
            "The rule evaluates all collected policies, over every path of role "
            "assumption and escalation. An identity whose permissions were not "
            "collected is not evaluated."
        ),
        platforms=("home", "repo", "aws", "kubernetes", "github", "postgres", "gcp"),
        owasp=("NHI5:2025", "ASI03:2026"),
        requires=data.PERMISSIONS,
        severity=(
            "the agent alone, or another failure if attended x administrator x "
            "unattended, unbounded"
        ),
        repair=(
            "Give the agent an identity with only the permissions that it uses: "
            "`answerable reach IDENTITY --used`."
        ),
        evaluate=agents.find_agent_administrators,
    ),
)
