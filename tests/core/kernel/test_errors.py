"""The tree of errors: its codes are part of the API, its messages say what to do."""

import inspect
import pickle
from uuid import UUID

import pytest

import kgl_core
from kgl_core import EntityDraft, InvalidInput
from kgl_core.access import oauth_errors
from kgl_core.kernel import errors, store_errors
from kgl_core.kernel.checked_records import build
from kgl_core.kernel.errors import FAULTS_MAX, Fault, KglError

ID = UUID(int=1)
CODES = {
    "KglError": "error",
    "InvalidInput": "invalid_input",
    "InvalidCursor": "invalid_cursor",
    "HistoryLost": "history_lost",
    "PermissionDenied": "permission_denied",
    "InvalidCredentials": "invalid_credentials",
    "InvalidToken": "invalid_token",
    "OAuthError": "oauth_error",
    "IdempotencyKeyReused": "idempotency_key_reused",
    "RequestInFlight": "request_in_flight",
    "InvalidClient": "invalid_client",
    "InvalidScope": "invalid_scope",
    "InvalidGrant": "invalid_grant",
    "RegistrationClosed": "registration_closed",
    "TooManyAttempts": "too_many_attempts",
    "Overloaded": "overloaded",
    "NotFound": "not_found",
    "Deleted": "deleted",
    "Retired": "retired",
    "Conflict": "conflict",
    "AlreadyExists": "already_exists",
    "EndsDeleted": "ends_deleted",
    "StaleVersion": "stale_version",
    "TooManyRelationships": "too_many_relationships",
    "TransactionConflict": "transaction_conflict",
    "StoreError": "store_error",
    "InvalidUrl": "invalid_url",
    "StoreReplaced": "store_replaced",
    "StoreUnavailable": "store_unavailable",
    "CommitUnknown": "commit_unknown",
    "StoreBusy": "store_busy",
    "StatementTimeout": "statement_timeout",
    "StoreReadOnly": "store_read_only",
    "StoreFull": "store_full",
    "StoreClosed": "store_closed",
    "StoreFault": "store_fault",
    "UnreadableRow": "unreadable_row",
    "MigrationNeeded": "migration_needed",
    "SchemaTooNew": "schema_too_new",
}
MODULES = (errors, oauth_errors, store_errors)
TREE = {
    name: cls
    for module in MODULES
    for name, cls in vars(module).items()
    if inspect.isclass(cls) and issubclass(cls, KglError)
}


def test_codes_are_stable() -> None:
    """Callers compare them: a new error gets a new code, and none ever changes."""
    assert {name: cls.code for name, cls in TREE.items()} == CODES
    assert len(set(CODES.values())) == len(CODES)


def test_the_tree_is_public_and_drawn() -> None:
    """Every error can be imported from kgl_core and stands in the drawing of its module."""
    assert set(TREE) <= set(kgl_core.__all__)
    assert all(name in (inspect.getmodule(cls).__doc__ or "") for name, cls in TREE.items())


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidInput([Fault("/name", "blank", "give a name"), Fault("", "x", "y")]),
        errors.NotFound("entity", ID),
        errors.Deleted("entity", ID),
        *(errors.AlreadyExists("entity", field) for field in ("key", "triple", "email", "id", "hash")),
        errors.InvalidCredentials(),
        errors.InvalidToken("it has expired"),
        errors.RegistrationClosed(),
        errors.TooManyAttempts(60),
        errors.TooManyRelationships(ID, 5_000),
        errors.Overloaded("password hashing"),
        errors.HistoryLost("start again"),
        errors.EndsDeleted([ID]),
        errors.StaleVersion("entity", ID, 1, 2),
        store_errors.StoreBusy("a lock"),
        store_errors.StatementTimeout(),
        store_errors.CommitUnknown(),
        store_errors.StoreReplaced("/srv/lab.db"),
        store_errors.UnreadableRow("the row 1 of entities", "no JSON"),
        store_errors.MigrationNeeded("sqlite:///x", None),
        store_errors.SchemaTooNew("9"),
    ],
    ids=lambda error: f"{error.code}-{getattr(error, 'field', '')}",
)
def test_messages_are_one_line_for_people(error: KglError) -> None:
    """Without quotes of Python's own making."""
    assert str(error)
    assert "\n" not in str(error)
    assert "UUID(" not in str(error)
    assert "None" not in str(error)


def test_faults_are_told_in_order() -> None:
    """Each with its pointer; one of the record as a whole says so."""
    error = errors.InvalidInput([Fault("/name", "blank", "give a name"), Fault("", "x", "give y")])
    assert str(error) == "/name: give a name; record: give y"


def test_faults_can_be_stored() -> None:
    """They are plain values."""
    fault = Fault("/name", "blank", "give a name")
    assert pickle.loads(pickle.dumps(fault)) == fault


def test_faults_without_end_are_cut_and_say_so() -> None:
    """A hostile record costs neither time nor a message of megabytes."""
    with pytest.raises(InvalidInput) as refused:
        build(EntityDraft, {"type": "t", "name": "n", **{f"x{number}": 1 for number in range(50_000)}})
    faults = refused.value.faults
    assert (len(faults), faults[-1].code) == (FAULTS_MAX + 1, "more_faults")
    with pytest.raises(InvalidInput) as refused:
        build(EntityDraft, {"type": "t", "name": "n", "metadata": {"a": [float("nan")] * 50_000}})
    assert len(str(refused.value)) < 20_000
