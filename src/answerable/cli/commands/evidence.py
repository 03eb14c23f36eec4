"""`evidence`: verify the log, prove a record, export both."""

import errno
import shlex
from dataclasses import replace

import click

from answerable.cli.output import print_and_exit
from answerable.cli.output_file import write_output_file
from answerable.cli.progress import progress_bar
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, AppGroup, Settings, pass_settings
from answerable.connectors.user_path import expand_user_path
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError

# limit for a bundle, which holds whole records
_MAX_FILE_BYTES = 1 << 30
# Commands that create the file of each option.
_FILE_HINTS = {
    "BUNDLE": "make a bundle: answerable evidence bundle ID --out FILE",
    "--checkpoint": "export a checkpoint: answerable evidence checkpoint --export FILE",
    "--key": "use the file keys/log.pub of the store",
}


@click.group(cls=AppGroup, short_help="Verify the log; prove and export records.")
def evidence() -> None:
    """Verify the log, and export records with proofs that others can check."""


@evidence.command(cls=AppCommand, short_help="Check every record, or a bundle offline.")
@click.argument("bundle", required=False, metavar="[BUNDLE]")
@click.option(
    "--key",
    default="",
    metavar="PUB",
    help="Public key of the log: a file or the key text.",
)
@click.option(
    "--checkpoint",
    default="",
    metavar="FILE",
    help="Exported checkpoint that the log must contain.",
)
@click.option(
    "--tiles",
    default="",
    metavar="DIR",
    help="Folder or URL with the tiles of the log, instead of a store.",
)
@click.option(
    "--incremental",
    is_flag=True,
    help="Verify only data that was added since the last successful verification.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="Only N segments, chosen at random.",
)
@pass_settings
def verify(
    settings: Settings,
    bundle: str | None,
    key: str,
    checkpoint: str,
    tiles: str,
    incremental: bool,
    sample: int | None,
) -> None:
    """Verify the store, or a BUNDLE without a store, and name each failed check.

    BUNDLE may also be a consistency proof. With --tiles, verify the tiles of a log, or
    that they contain the records of a BUNDLE.

    With --checkpoint, also check that the log still contains the records that the
    checkpoint covers. Only this detects a history rewritten by the holder of the
    store's key.
    """
    from answerable.usecases.evidence import verify_and_prove as flow

    if (incremental or sample) and (bundle or tiles or (incremental and sample)):
        raise UsageError(
            "--incremental and --sample cannot be combined with a bundle or with each "
            "other",
            "verify everything: answerable evidence verify",
        )
    signed = read_file(checkpoint, "--checkpoint") if checkpoint else None
    text = _read_public_key(key)
    mode = "incremental" if incremental else "sample" if sample else "full"
    if document := _verify_log_proof(bundle, tiles, signed, text):
        print_and_exit(document, settings)
    with progress_bar(settings) as progress:
        if bundle:
            document = flow.verify_evidence(
                read_file(bundle, "BUNDLE"),
                checkpoint=signed,
                key=text,
                progress=progress,
            )
        else:
            with open_session(settings) as session:
                document = flow.verify_evidence(
                    session.store,
                    checkpoint=signed,
                    key=text,
                    progress=progress,
                    mode=mode,
                    sample=sample or 0,
                    now=session.now,
                )
    print_and_exit(document, settings)


def _verify_log_proof(
    name: str | None, tiles: str, checkpoint: bytes | None, key: str
) -> Document | None:
    """Verify tiles, a bundle in tiles, or a consistency proof; None for others."""
    from answerable.connectors.tile_server import is_tile_url
    from answerable.evidence.consistency_proof import is_consistency_proof
    from answerable.usecases.evidence import log_proofs

    data = read_file(name, "BUNDLE") if name else b""
    is_proof = is_consistency_proof(data)
    if not tiles and not is_proof:
        return None
    if not key or (is_proof and checkpoint is None):
        missing = "--checkpoint" if key else "--key"
        raise UsageError(
            f"{missing} is missing: tiles and proofs are verified without a store",
            _FILE_HINTS[missing],
        )
    if is_proof:
        return log_proofs.verify_proof_file(data, checkpoint or b"", key)
    place = tiles if is_tile_url(tiles) else expand_user_path(tiles)
    if data:
        return log_proofs.verify_bundle_in_tiles(data, place, key)
    return log_proofs.verify_tiles(place, key, checkpoint)


@evidence.command(cls=AppCommand, short_help="Prove that a record is in the log.")
@click.argument("event_id", metavar="ID")
@pass_settings
def prove(settings: Settings, event_id: str) -> None:
    """Show the record ID and the proof that it is in the log."""
    from answerable.usecases.evidence import verify_and_prove as flow

    with open_session(settings) as session:
        document = flow.prove_record(session.store, event_id)
    print_and_exit(document, settings)


@evidence.command(
    cls=AppCommand, short_help="Show or export the signed head of the log."
)
@click.option(
    "--export",
    default="",
    metavar="FILE",
    help="Also write the head to FILE, git:FOLDER or s3://BUCKET/KEY.",
)
@pass_settings
def checkpoint(settings: Settings, export: str) -> None:
    """Show the signed head of the log.

    A checkpoint on the same machine can be replaced together with the log. Export the
    checkpoint to a place that this machine cannot overwrite. An earlier checkpoint at
    that place is replaced only if the log still contains all entries of that
    checkpoint.
    """
    from answerable.usecases.evidence import verify_and_prove as flow

    with open_session(settings) as session:
        if export:
            from answerable.usecases.evidence.export_checkpoint import export_checkpoint

            export_checkpoint(session.store, export, now=session.now)
        document = flow.show_checkpoint(session.store)
    print_and_exit(document, settings)


@evidence.command(cls=AppCommand, short_help="Write the log as static tiles.")
@click.option(
    "--to", "folder", required=True, metavar="DIR", help="Folder of the tiles."
)
@pass_settings
def tiles(settings: Settings, folder: str) -> None:
    """Write the log to DIR in the layout of C2SP tlog-tiles.

    Any static web server can serve DIR. A later run adds only new files, and refuses to
    replace tiles that the log does not extend.
    """
    from answerable.usecases.evidence.log_proofs import write_tiles

    with open_session(settings) as session:
        document = write_tiles(session.store, expand_user_path(folder))
    print_and_exit(document, settings)


@evidence.command(
    cls=AppCommand, short_help="Prove that the log extends an older checkpoint."
)
@click.argument("old", metavar="OLD")
@click.argument("new", required=False, default="", metavar="[NEW]")
@click.option("--out", required=True, metavar="FILE", help="Output file of the proof.")
@pass_settings
def consistency(settings: Settings, old: str, new: str, out: str) -> None:
    """Prove that checkpoint NEW extends checkpoint OLD, both of this log.

    NEW is the present checkpoint by default. `answerable evidence verify FILE
    --checkpoint OLD --key PUB` verifies the proof on any machine, without a store.
    """
    from answerable.usecases.evidence.log_proofs import prove_consistency

    first = read_file(old, "--checkpoint")
    second = read_file(new, "--checkpoint") if new else b""
    with open_session(settings) as session:
        proof, document = prove_consistency(session.store, first, second)
    write_output_file(out, proof.decode())
    print_and_exit(document, settings)


@evidence.command(cls=AppCommand, short_help="Record a restore from an older copy.")
@click.option(
    "--checkpoint",
    default="",
    metavar="FILE",
    help="Exported checkpoint that is newer than the restored copy.",
)
@click.option(
    "--reason",
    required=True,
    metavar="TEXT",
    help="Reason for the restore; stored in the log.",
)
@pass_settings
def restored(settings: Settings, checkpoint: str, reason: str) -> None:
    """Record in the log that this store was restored from an older copy.

    `verify` then reports the restore instead of a truncated or rewritten history.
    Incomplete journals of the copy are sealed at their last valid entry. Lost records
    are not recovered, and this entry cannot be revoked. An agent may not do this.
    """
    from answerable.cli.signing import require_human
    from answerable.usecases.evidence.record_restore import record_store_restore as flow

    require_human(settings)
    signed = read_file(checkpoint, "--checkpoint") if checkpoint else None
    with open_session(settings) as session:
        lines = flow(session.store, checkpoint=signed, reason=reason, now=session.now)
    for line in lines:
        click.echo(line)


@evidence.command(cls=AppCommand, short_help="Erase the events of a person.")
@click.option("--person", required=True, metavar="P", help="Person to erase.")
@click.option(
    "--also",
    multiple=True,
    metavar="NAME",
    help="Another name of this person in logs; may be repeated.",
)
@click.option(
    "--reason",
    default="",
    metavar="TEXT",
    help="Reason without the name; kept in the log. Not needed with --dry-run.",
)
@click.option("--dry-run", is_flag=True, help="List the changes without making them.")
@pass_settings
def erase(
    settings: Settings, person: str, also: tuple[str, ...], reason: str, dry_run: bool
) -> None:
    """Erase every event and object that mentions a person.

    Run this command with --dry-run first. The salted leaf hashes remain, so every other
    proof stays valid. Events under a legal hold are kept. The exit code is 1 if a file
    of the store still mentions the person. An agent may not do this.
    """
    from answerable.cli.signing import require_human
    from answerable.usecases.evidence.erase_person import erase_person as flow

    require_human(settings)
    with open_session(settings) as session:
        document = flow(
            session.store,
            (person, *also),
            reason.strip(),
            now=session.now,
            dry_run=dry_run,
        )
    print_and_exit(document, settings)


@evidence.command(
    cls=AppCommand, short_help="Write records with their proofs to one file."
)
@click.argument("event_ids", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--out",
    default="",
    metavar="FILE",
    help="File to write the bundle to; standard output by default.",
)
@pass_settings
def bundle(settings: Settings, event_ids: tuple[str, ...], out: str) -> None:
    """Write records, their proofs and the checkpoint to one file for an auditor.

    `answerable evidence verify FILE --key PUB` checks it on any machine, without a
    store. Without --out, the bundle is written to standard output.
    """
    from answerable.presentation.command_hints import format_command
    from answerable.usecases.evidence import verify_and_prove as flow

    with open_session(settings) as session:
        document = flow.build_bundle(session.store, event_ids)
    item = document.items[0]
    content = str(item["bundle"])
    if out:
        write_output_file(out, content)
        check = format_command("evidence", "verify", out, "--key", str(item["key"]))
        document = replace(document, next=check)
    elif settings.output == "table":
        # For a pipe or a redirection: only the file, byte for byte.
        click.echo(content, nl=False)
        return
    print_and_exit(document, settings, view="kept")


def read_file(name: str, option: str) -> bytes:
    """Read a file named on the command line.

    Raises:
        UsageError: It is missing, not a file, or too large.
    """
    path = expand_user_path(name)
    if path.is_dir():
        store = (
            "verify a store with: answerable evidence verify --store "
            f"{shlex.quote(name)}"
        )
        raise UsageError(
            f"{option} requires a file, not a folder (got {name!r})",
            store
            if option == "BUNDLE"
            else f"name a file in the folder: {option} FILE",
        )
    if not path.is_file():
        fault = "not a regular file" if path.exists() else "no such file"
        raise UsageError(f"{fault} for {option} (got {name!r})", _FILE_HINTS[option])
    if path.stat().st_size > _MAX_FILE_BYTES:
        raise UsageError(
            f"file for {option} is larger than 1 GiB (got {name!r})",
            _FILE_HINTS[option],
        )
    return path.read_bytes()


def _read_public_key(key: str) -> str:
    """Return a public key given as text or as the name of a file."""
    if not key:
        return ""
    if _is_file_name(key):
        return read_file(key, "--key").decode("utf-8", "replace").strip()
    if key.count("+") < 2:
        # The text is not shown: it may be a secret key, pasted by mistake.
        raise UsageError(
            "--key is neither a file nor a public key (expected NAME+HASH+BASE64)",
            _FILE_HINTS["--key"],
        )
    return key


def _is_file_name(key: str) -> bool:
    """Return whether a text names a file; a pasted key may be too long for one."""
    try:
        return expand_user_path(key).exists()
    except UsageError:
        return False
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return False
