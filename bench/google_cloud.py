"""Scan of a Google Cloud organization, and questions: `python -m bench --only platforms`.

Each figure is one run of the command line. The organization has 5,000 projects in
folders, ten bindings for each project, and 20,000 groups in chains of six.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from bench.command_run import answerable_command
from bench.figures import BenchFigure, at_most

PROJECTS, GROUPS, DEPTH, FOLDERS = 5_000, 20_000, 6, 100
_ROUNDS = 3
_QUICK_SHARE = 50
_ORGANIZATION = "108842160023"
_MANAGER = "//cloudresourcemanager.googleapis.com"
_PROJECT_ROLES = (
    "roles/viewer",
    "roles/editor",
    "roles/storage.objectViewer",
    "roles/iam.serviceAccountUser",
    "roles/iam.serviceAccountTokenCreator",
    "roles/run.developer",
    "roles/bigquery.dataViewer",
    "roles/logging.viewer",
)


def measure_google_cloud(
    folder: Path, command: str, *, quick: bool
) -> Iterator[BenchFigure]:
    """Measure the scan and two questions, and the growth from a tenth of the size."""
    command = f"{command} --only platforms"
    share = _QUICK_SHARE if quick else 1
    times = {}
    for part in (10 * share, share):
        estate, store = folder / f"google-{part}", folder / f"google-store-{part}"
        write_organization(estate, PROJECTS // part, GROUPS // part)
        run = answerable_command("--store", str(store), "scan", f"gcp:{estate}")
        times[part] = run.cpu
    size = f"{PROJECTS // share * 10:,} bindings of Google Cloud"
    scan = f"scan, {size}"
    yield BenchFigure(scan, "s", (run.cpu,), command, at_most(60, "<= 60 s"))
    goal = at_most(1536, "<= 1.5 GiB")
    yield BenchFigure(f"{scan}: peak memory", "MiB", (run.peak,), command, goal)
    if not quick:
        growth = times[share] / times[10 * share]
        goal = at_most(11, "<= 11x")
        yield BenchFigure(f"{scan}: 10 times the size", "x", (growth,), command, goal)
    yield from _measure_questions(store, size, command)


def _measure_questions(store: Path, size: str, command: str) -> Iterator[BenchFigure]:
    """Measure `who-can` and `reach`: the first question of a scan, and later ones."""
    bucket = "gs://data-p7/report.csv"
    who = ("who-can", "storage.objects.get", bucket)
    reach = ("reach", "sa0@p7.iam.gserviceaccount.com")
    for argv, limit in ((who, 0.5), (reach, 2.0)):
        taken = [
            answerable_command("--store", str(store), *argv).cpu
            for _ in range(_ROUNDS + 1)
        ]
        what = f"{argv[0]}, {size}: processor"
        yield BenchFigure(f"{what}, first", "s", tuple(taken[:1]), command)
        goal = at_most(limit, f"<= {limit:g} s")
        yield BenchFigure(what, "s", tuple(taken[1:]), command, goal)


def write_organization(folder: Path, projects: int, groups: int) -> None:
    """Write the answers of gcloud about an organization."""
    folder.mkdir(parents=True)
    _write_lines(folder / "iam-policies.jsonl", _list_policies(projects, groups))
    _write_lines(folder / "groups.jsonl", _list_groups(groups))
    _write_lines(folder / "service-accounts.jsonl", _list_accounts(projects))
    organization = {"name": f"organizations/{_ORGANIZATION}", "displayName": "a.com"}
    _write_lines(folder / "organization.jsonl", iter([organization]))
    for kind in ("deny-policies", "access-boundaries", "custom-roles", "pools"):
        (folder / f"{kind}.json").write_text("[]")


def _write_lines(path: Path, rows: Iterator[dict[str, object]]) -> None:
    """Write rows as JSON lines."""
    with path.open("w") as file:
        file.writelines(f"{json.dumps(row)}\n" for row in rows)


def _list_policies(projects: int, groups: int) -> Iterator[dict[str, object]]:
    """Yield policies of the organization, its folders, projects and buckets."""
    above = {"organization": f"organizations/{_ORGANIZATION}"}
    admins = _build_policy(
        ("roles/resourcemanager.organizationAdmin", "user:ana@a.com")
    )
    name = f"{_MANAGER}/organizations/{_ORGANIZATION}"
    yield {"resource": name, "policy": admins, **above}
    folders = max(1, projects * FOLDERS // PROJECTS)
    for number in range(folders):
        policy = _build_policy(("roles/viewer", f"group:g{number * DEPTH}@a.com"))
        yield {"resource": f"{_MANAGER}/folders/{number}", "policy": policy, **above}
    for number in range(projects):
        place = {
            "project": f"projects/{1_000_000 + number}",
            "folders": [f"folders/{number % folders}"],
            **above,
        }
        rows = [
            (role, *_list_members(number, each, groups))
            for each, role in enumerate(_PROJECT_ROLES)
        ]
        name = f"{_MANAGER}/projects/p{number}"
        yield {"resource": name, "policy": _build_policy(*rows), **place}
        reader = f"serviceAccount:sa0@p{number}.iam.gserviceaccount.com"
        rows = [
            ("roles/storage.objectViewer", reader, f"user:u{number % 4_000}@a.com"),
            ("roles/storage.admin", f"group:g{number % groups}@a.com"),
        ]
        name = f"//storage.googleapis.com/data-p{number}"
        yield {"resource": name, "policy": _build_policy(*rows), **place}


def _list_members(project: int, place: int, groups: int) -> tuple[str, str]:
    """Return the members of one binding of a project."""
    group = f"group:g{(project * 7 + place * 6) % groups}@a.com"
    if place == len(_PROJECT_ROLES) // 2:  # tokens: of the project's own accounts
        return group, f"serviceAccount:sa1@p{project}.iam.gserviceaccount.com"
    return group, f"user:u{(project * 3 + place) % 4_000}@a.com"


def _build_policy(*rows: tuple[str, ...]) -> dict[str, object]:
    """Build an allow policy of rows: a role, then its members."""
    return {"bindings": [{"role": row[0], "members": list(row[1:])} for row in rows]}


def _list_groups(groups: int) -> Iterator[dict[str, object]]:
    """Yield groups: each has two people, and the next one of its chain of six."""
    for number in range(groups):
        keys = [f"u{number % 4_000}@a.com", f"u{(number * 13 + 5) % 4_000}@a.com"]
        members = [{"preferredMemberKey": {"id": key}, "type": "USER"} for key in keys]
        if (number + 1) % DEPTH and number + 1 < groups:
            key = {"id": f"g{number + 1}@a.com"}
            members.append({"preferredMemberKey": key, "type": "GROUP"})
        yield {"group": f"g{number}@a.com", "members": members}


def _list_accounts(projects: int) -> Iterator[dict[str, object]]:
    """Yield two service accounts for each project."""
    for number in range(2 * projects):
        email = f"sa{number % 2}@p{number // 2}.iam.gserviceaccount.com"
        name = f"projects/p{number // 2}/serviceAccounts/{email}"
        yield {"name": name, "email": email, "projectId": f"p{number // 2}"}
