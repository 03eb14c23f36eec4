"""Write the sample data: home, repository, AWS accounts, GitHub, a cluster, Google, a log."""

from dataclasses import dataclass
from pathlib import Path

from answerable.cli.sample import (
    account,
    audit_log,
    cluster,
    google_project,
    home,
    organization,
    platform_account,
    repo,
)

_LABEL = (
    "This folder is a sample written by `answerable demo`; nothing in it is real.\n"
)


@dataclass(frozen=True, slots=True)
class SampleData:
    """Paths of the written sample data."""

    home: Path
    repo: Path
    account: Path
    platform_account: Path
    keys: Path
    organization: Path
    cluster: Path
    google: Path
    trail: Path


def write_sample(root: Path, now_ns: int) -> SampleData:
    """Write the sample data of every platform, and a log, below `root`.

    Args:
        root: Folder to fill; created if missing.
        now_ns: UTC nanoseconds; the log ends shortly before.
    """
    estate = SampleData(
        home=root / "home" / "ana",
        repo=root / "repo",
        account=root / "aws" / "account.json",
        platform_account=root / "aws" / "platform.json",
        keys=root / "aws" / "keys.json",
        organization=root / "github",
        cluster=root / "cluster",
        google=root / "google",
        trail=root / "trail",
    )
    texts = {estate.home / name: text for name, text in home.build_home_files().items()}
    texts |= {
        estate.repo / name: text for name, text in repo.build_repo_files().items()
    }
    texts[estate.account] = account.build_authorization_details()
    texts[estate.platform_account] = platform_account.build_platform_account()
    texts[estate.keys] = account.build_access_keys()
    texts |= {
        estate.organization / name: text
        for name, text in organization.build_organization_answers().items()
    }
    texts[estate.cluster / "objects.json"] = cluster.build_cluster_objects()
    texts[estate.cluster / "eks.json"] = cluster.build_eks_answers()
    texts |= {
        estate.google / name: text
        for name, text in google_project.build_project_answers().items()
    }
    # Outside the log folder, as every file there is read as a log.
    for folder in (root, estate.home, estate.repo, estate.account.parent):
        texts[folder / "SAMPLE.txt"] = _LABEL
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    estate.trail.mkdir(parents=True, exist_ok=True)
    for name, content in audit_log.build_log_files(now_ns).items():
        (estate.trail / name).write_bytes(content)
    return estate
