"""The command `carnet`. Exit code 0: done, 1: refused or failed, 2: usage or settings."""

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from carnet.lazy_commands import CommandTable, LazyGroup
from xds.errors import RegistryError, Rejected
from xds.failure import Failure, WrongSettings

if TYPE_CHECKING:
    from sqlalchemy.exc import SQLAlchemyError

REFUSED, USAGE = 1, 2
COMMANDS: CommandTable = {
    "audit": ("carnet.audit_commands:audit", "Who did what: the audit trail of this server."),
    "backup": (
        "carnet.backup_commands:backup_command",
        "Back up the database and every document it refers to into an empty folder, while the server runs.",
    ),
    "cda": ("carnet.cda_commands:cda", "CDA documents: check them, see their metadata, read them."),
    "db": ("carnet.database_commands:db", "The database."),
    "demo": (
        "carnet.server_commands:demo",
        "Start a server on loopback, push three signed reports over mutual TLS, find and read them through both doors.",
    ),
    "directory": (
        "carnet.directory_commands:directory",
        "Professionals, structures and software that callers are compared with.",
    ),
    "dmp": (
        "carnet.dmp_commands:dmp",
        "Ask a server about the record of a person, as software does: existence, authorisation, changes.",
    ),
    "documents": ("carnet.storage_commands:documents", "Stored documents."),
    "export": (
        "carnet.media_commands:export",
        "Write a patient's record to a ZIP file that anybody can read and any XDM importer can take in.",
    ),
    "find": ("carnet.document_commands:find", "Find the documents of a patient."),
    "fsck": (
        "carnet.storage_commands:fsck",
        "Check that every document has its octets, every entry its document, and every blob a document.",
    ),
    "gc": (
        "carnet.storage_commands:gc",
        "Delete blobs that no document refers to, and what was received but never kept.",
    ),
    "get": ("carnet.document_commands:get", "Retrieve a document by its uniqueId [ITI-43], byte for byte."),
    "import": (
        "carnet.media_commands:import_",
        "Import an IHE XDM medium (a ZIP file or a folder), or a folder of CDA documents.",
    ),
    "jobs": ("carnet.job_commands:jobs", "Dated work on records and subscriptions, which a server does by itself."),
    "notices": (
        "carnet.notice_commands:notices",
        "Notices to persons and their médecin traitant: waiting, sent, or dead.",
    ),
    "on-demand": ("carnet.on_demand_commands:on_demand", "On-demand documents, made when they are retrieved."),
    "patient": ("carnet.patient_commands:patient", "Patient identifiers known to the registry."),
    "pki": ("carnet.pki_commands:pki", "A test IGC shaped as the French health PKI."),
    "policy": (
        "carnet.policy_commands:policy",
        "Who may see and do what in the domain dmp: one decision explained, the tables, what changes with new ones.",
    ),
    "push": (
        "carnet.document_commands:push",
        "Push CDA reports as one submission by Provide and Register [ITI-41]; metadata comes from their headers.",
    ),
    "recipient": (
        "carnet.recipient_commands:recipient",
        "Submissions received at /xds/recipient that name no patient.",
    ),
    "record": (
        "carnet.record_commands:record",
        "The shared record of a person (DMP): its life, and what its holder decides.",
    ),
    "restore": (
        "carnet.backup_commands:restore_command",
        "Bring a backup back into an empty database and the documents' store, then check it with `carnet fsck`.",
    ),
    "serve": ("carnet.server_commands:serve", "Run the server."),
    "stats": (
        "carnet.statistics_commands:stats",
        "Creations, oppositions, feeders, readers and documents in a period; creations are cumulated.",
    ),
    "subscriptions": (
        "carnet.subscription_commands:subscriptions",
        "Subscriptions to documents (DSUB, DSUBm), and what could not be told.",
    ),
    "token": (
        "carnet.token_commands:token",
        "Tokens (JWT) for the FHIR door: an issuer for tests, its tokens, and what a server thinks of one.",
    ),
    "vihf": ("carnet.vihf_commands:vihf", "Assertions of the DMP (VIHF 2.0, 3.0, 4.0)."),
}


def main() -> NoReturn:
    """Entry point: known failures end in one sentence, never in a stack trace."""
    try:
        code = commands(standalone_mode=False)
    except click.ClickException as problem:
        problem.show()
        sys.exit(USAGE)
    except WrongSettings as problem:
        _fail(str(problem), USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Failure as problem:
        _fail(str(problem), REFUSED)
    except Rejected as rejected:
        _print_errors(rejected.errors)
        sys.exit(REFUSED)
    except OSError as problem:
        _fail(f"{problem.filename}: {problem.strerror}" if problem.filename else str(problem), REFUSED)
    except _sqlalchemy_error() as problem:
        _fail(f"the database cannot be used: {_first_line(problem)}", REFUSED)
    # click hands over the code of an Exit instead of raising it
    sys.exit(code if isinstance(code, int) else 0)


def _sqlalchemy_error() -> type["SQLAlchemyError"]:
    """Asked for once something failed that is none of the above: most commands end without SQLAlchemy."""
    from sqlalchemy.exc import SQLAlchemyError

    return SQLAlchemyError


def _first_line(problem: "SQLAlchemyError") -> str:
    """What the database or its driver says; never the statement or its parameters."""
    return str(getattr(problem, "orig", None) or problem).partition("\n")[0]


def _fail(sentence: str, code: int) -> NoReturn:
    click.echo(f"carnet: {sentence}", err=True)
    sys.exit(code)


def _print_errors(errors: tuple[RegistryError, ...]) -> None:
    for error in errors:
        click.echo(f"carnet: {error.code}: {error.context}", err=True)


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="carnet")
def commands() -> None:
    """Carnet: IHE XDS.b registry and repository with an MHD/FHIR facade.

    \b
    carnet serve --security open
    carnet patient add 258063523804186
    carnet push examples/reports/*.xml
    carnet find 258063523804186
    """
