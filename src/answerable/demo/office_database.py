"""Create and fill the demo office's SQLite database: customers, invoices, letters.

OFFICE_KEY=... python -m answerable.demo.office_database make|receive|sent FILE ...
"""

import hashlib
import os
import sqlite3
import sys
from pathlib import Path

# Owner of each customer: persons of the sample, and team mailboxes.
CUSTOMERS = (
    ("C-101", "Example Bakery", "ana@corp.example"),
    ("C-102", "Example Freight", "ben@corp.example"),
    ("C-103", "Example Mills", "receivables-north@corp.example"),
    ("C-104", "Example Optics", "receivables-north@corp.example"),
    ("C-105", "Example Paper", "receivables-south@corp.example"),
    ("C-106", "Example Tools", "receivables-south@corp.example"),
)
_TABLES = """
CREATE TABLE keys (digest TEXT PRIMARY KEY);
CREATE TABLE customers (
  id TEXT PRIMARY KEY, name TEXT, account_owner TEXT, contact TEXT);
CREATE TABLE letters (id TEXT PRIMARY KEY, customer TEXT, text TEXT);
CREATE TABLE invoices (
  number TEXT PRIMARY KEY, customer TEXT, amount INTEGER, currency TEXT, letter TEXT,
  noted INTEGER DEFAULT 0, note TEXT DEFAULT '');
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY, recipient TEXT, subject TEXT, text TEXT);
"""


def hash_key(key: str) -> str:
    """Return the SHA-256 of a key, the form in which it is stored."""
    return hashlib.sha256(key.encode()).hexdigest()


def create_database(path: Path, key: str) -> None:
    """Create the database with six customers, each with an invoice and a letter.

    Args:
        path: File to create.
        key: Its holder may use the database.
    """
    base = sqlite3.connect(path)
    with base:
        base.executescript(_TABLES)
        base.execute("INSERT INTO keys VALUES (?)", (hash_key(key),))
        for number, (id, name, owner) in enumerate(CUSTOMERS, 1):
            contact = f"billing@{name.split()[1].lower()}.example"
            base.execute(
                "INSERT INTO customers VALUES (?, ?, ?, ?)", (id, name, owner, contact)
            )
            text = "Dear team, we will pay this week. Kind regards."
            _insert_invoice(base, number, id, "EUR", text)
    base.close()


def receive_letter(path: Path, key: str, text: str, currency: str) -> None:
    """Store a customer's letter with its invoice, so that it is processed next.

    Args:
        key: Key of the office.
        text: Text of the letter.
    """
    base = open_database(path, key)
    with base:
        (last,) = base.execute("SELECT count(*) FROM invoices").fetchone()
        _insert_invoice(
            base, last + 1, CUSTOMERS[last % len(CUSTOMERS)][0], currency, text
        )
    base.close()


def _insert_invoice(
    base: sqlite3.Connection, number: int, customer: str, currency: str, text: str
) -> None:
    """Insert an invoice and the letter that came with it."""
    base.execute(
        "INSERT INTO letters VALUES (?, ?, ?)", (f"L-{number}", customer, text)
    )
    base.execute(
        "INSERT INTO invoices (number, customer, amount, currency, letter)"
        " VALUES (?, ?, ?, ?, ?)",
        (f"2026-{number:04}", customer, 400 + 35 * number, currency, f"L-{number}"),
    )


def open_database(path: Path, key: str) -> sqlite3.Connection:
    """Open the database; refuse a key that is not the database's own.

    Raises:
        PermissionError: The key is wrong.
    """
    base = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=10)
    if not base.execute(
        "SELECT 1 FROM keys WHERE digest = ?", (hash_key(key),)
    ).fetchone():
        base.close()
        raise PermissionError("the office server does not accept this key")
    return base


def count_sent_mail(path: Path, key: str) -> list[tuple[str, int]]:
    """Count the mails in the outbox, by recipient."""
    base = open_database(path, key)
    rows = base.execute(
        "SELECT recipient, count(*) FROM outbox GROUP BY 1 ORDER BY 1"
    ).fetchall()
    base.close()
    return [(str(recipient), int(count)) for recipient, count in rows]


def main() -> None:
    """Create the database, store a letter or list the outbox (OFFICE_KEY)."""
    what, place, *rest = sys.argv[1:]
    key = os.environ.get("OFFICE_KEY", "")
    if what == "make":
        create_database(Path(place), key)
    elif what == "receive":
        receive_letter(Path(place), key, *rest)
    else:
        for recipient, count in count_sent_mail(Path(place), key):
            sys.stdout.write(f"{count:3} to {recipient}\n")


if __name__ == "__main__":
    main()
