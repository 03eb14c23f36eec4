"""List container images that run an AI agent, with the documentation of the agent.

A workload with such an image is an agent. The list is not complete: a workload with
another image may run one, too.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AgentImage:
    """Image of an agent.

    Attributes:
        repository: End of the image's name, without registry, tag and digest.
        agent: Kind of the agent.
        source: Documentation of the agent; it may name other images, too.
    """

    repository: str
    agent: str
    source: str


AGENT_IMAGES: tuple[AgentImage, ...] = (
    AgentImage(
        "kagent-dev/kagent/app",
        "kagent",
        "https://kagent.dev/docs/kagent/resources/helm",
    ),
    AgentImage(
        "openhands/agent-server",
        "openhands",
        "https://docs.openhands.dev/sdk/guides/agent-server/docker-sandbox",
    ),
    AgentImage(
        "openhands/openhands",
        "openhands",
        "https://docs.openhands.dev/openhands/usage/run-openhands/local-setup",
    ),
    AgentImage(
        "all-hands-ai/openhands",
        "openhands",
        "https://docs.openhands.dev/openhands/usage/run-openhands/local-setup",
    ),
    AgentImage(
        "robustadev/holmes",
        "holmesgpt",
        "https://holmesgpt.dev/installation/kubernetes-installation/",
    ),
    AgentImage(
        "k8sgpt-ai/k8sgpt",
        "k8sgpt",
        "https://github.com/k8sgpt-ai/k8sgpt-operator",
    ),
    AgentImage(
        "block/goose",
        "goose",
        "https://block.github.io/goose/docs/tutorials/goose-in-docker",
    ),
)


def find_agent_image(image: str) -> AgentImage | None:
    """Find the agent that an image runs; None for any other image."""
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        name = head
    parts = name.split("/")
    return next(
        (
            each
            for each in AGENT_IMAGES
            if parts[-len(wanted := each.repository.split("/")) :] == wanted
        ),
        None,
    )
