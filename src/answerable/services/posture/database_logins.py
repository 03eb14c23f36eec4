"""Logins that replace the password of a PostgreSQL role, by the host of its server.

Sources: Amazon RDS User Guide, "IAM database authentication for MariaDB, MySQL, and
PostgreSQL"; Cloud SQL for PostgreSQL, "IAM authentication"; Azure Database for PostgreSQL,
"Microsoft Entra authentication"; PostgreSQL documentation, "Certificate Authentication".
"""

from collections.abc import Sequence
from dataclasses import dataclass

from answerable.model.postgres_ids import PREFIX, quote_sql_identifier


@dataclass(frozen=True, slots=True)
class DatabaseLogin:
    """Login of a role without a password.

    Attributes:
        name: As a plan shows it.
        step: What an administrator of the database does first.
        command: With this command; empty for none.
    """

    name: str
    step: str
    command: str = ""


_CERTIFICATE = DatabaseLogin(
    "client certificate of the workload (pg_hba.conf: cert)",
    "Issue a short-lived certificate with the role as its common name, and require it: "
    "hostssl DATABASE ROLE ADDRESS cert",
)
# By the end of the host of a managed server.
_MANAGED: Sequence[tuple[tuple[str, ...], DatabaseLogin]] = (
    (
        (".rds.amazonaws.com", ".rds.amazonaws.com.cn"),
        DatabaseLogin(
            "IAM database authentication of Amazon RDS",
            "Enable IAM authentication of the server, allow the workload's role "
            "rds-db:connect, and grant rds_iam to the database role",
            "GRANT rds_iam TO ROLE",
        ),
    ),
    (
        (".postgres.database.azure.com", ".postgres.database.chinacloudapi.cn"),
        DatabaseLogin(
            "Microsoft Entra authentication of Azure Database for PostgreSQL",
            "Create a role for the managed identity of the workload, with the "
            "permissions of the old role",
            "SELECT * FROM pgaadauth_create_principal('IDENTITY', false, false)",
        ),
    ),
    (
        (".sql.goog",),
        DatabaseLogin(
            "IAM database authentication of Cloud SQL",
            "Set cloudsql.iam_authentication, add the service account as a user, and "
            "grant it the permissions of the old role",
            "gcloud sql users create ACCOUNT --instance INSTANCE "
            "--type cloud_iam_service_account",
        ),
    ),
)


def describe_database_login(identity: str) -> DatabaseLogin | None:
    """Describe the login that replaces a role's password; None for another identity."""
    if not identity.startswith(PREFIX):
        return None
    host = identity.removeprefix(PREFIX).partition("/")[0].partition(":")[0]
    role = identity.rpartition("/role/")[2]
    found = next((login for ends, login in _MANAGED if host.endswith(ends)), None)
    found = found or _CERTIFICATE
    name = quote_sql_identifier(role)
    command = found.command
    if command.endswith("TO ROLE"):
        command = f"{command.removesuffix('ROLE')}{name}"
    return DatabaseLogin(found.name, found.step, command)
