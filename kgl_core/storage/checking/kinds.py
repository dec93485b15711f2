"""The kinds of findings: what a check can find wrong with a store, what it means and what to do about it.

A fault is something that kgl itself never leaves behind: a record does not agree with its journal or with what is
derived from it, or the database is damaged. A note is about something that was right when it was written, but that
today's rules would refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs


@attrs.frozen
class Kind:
    """A kind of finding: a stable ``code``, what was found (in the plural), what it means, and what to do about it."""

    code: str
    what: str
    meaning: str
    advice: str
    is_mendable: bool = False
    is_note: bool = False


_RESTORE: Final = "restore a backup, or save what is whole with `kgl export` and import it into a new database"
_KINDS: Final = (
    Kind(
        "wrong_revision",
        "revisions of the schema that are not this kgl's",
        "the tables are not those that this kgl knows",
        "run `kgl migrate`",
    ),
    Kind(
        "missing_table",
        "tables or columns that are missing, and the indexes that are",
        "what was in them is lost, kgl can't work without them, and nothing else was looked at",
        "restore a backup; no migration makes them again",
    ),
    Kind(
        "foreign_object",
        "triggers or views in kgl's schema",
        "kgl makes none: a trigger may alter or refuse what kgl writes, and a view may be in a migration's way",
        "find out who made them, and drop them",
    ),
    Kind("damaged_file", "damages of the database file", "SQLite cannot read all of its own file", _RESTORE),
    Kind(
        "broken_constraint",
        "tables with rows that break a constraint",
        "they hold what kgl never writes, and an update of such a row may be refused",
        "`kgl check --repair` puts back what a record's last change says; otherwise " + _RESTORE,
    ),
    Kind(
        "unreadable_table",
        "tables that cannot be read to their end",
        "whatever reads such a table to its end fails, and so did this check",
        _RESTORE,
    ),
    Kind(
        "missing_index",
        "indexes that are missing",
        "lists become slow, and where the index is unique, two records may come to hold what only one may",
        "`kgl check --repair` builds them; where that fails, mend what is not unique first",
        is_mendable=True,
    ),
    Kind(
        "damaged_index",
        "indexes that are damaged or were never finished",
        "queries miss rows, or are slow",
        "`kgl check --repair` builds them anew; where that fails, mend what is not unique first",
        is_mendable=True,
    ),
    Kind(
        "missing_constraint",
        "constraints that are missing or were never validated",
        "the database no longer refuses what must not be",
        "`kgl check --repair` adds them; where that fails, mend the rows that break them first",
        is_mendable=True,
    ),
    Kind(
        "sequence_behind",
        "sequences that are behind the numbers in use",
        "the next changes would take numbers that are taken, and fail",
        "`kgl check --repair` moves them on",
        is_mendable=True,
    ),
    Kind(
        "not_unique",
        "values that must be unique and are not",
        "nobody can tell which of the records is meant",
        "delete or change all but one of the records",
    ),
    Kind(
        "missing_end",
        "relationships whose end does not exist",
        "they lead nowhere",
        "`kgl check --repair` puts an entity back that the journal still knows; otherwise " + _RESTORE,
    ),
    Kind(
        "broken_reference",
        "rows that refer to a row that does not exist",
        "whatever follows the reference fails",
        _RESTORE,
    ),
    Kind(
        "active_with_deleted_end",
        "active relationships with a deleted end",
        "they are listed, and lead to an entity that nobody can get",
        "`kgl check --repair` deletes them, as the deletion of their end would have",
        is_mendable=True,
    ),
    Kind(
        "wrong_deleted_with",
        "relationships said to be deleted with an entity that is not their end, or although they are active",
        "restoring an entity would bring back the wrong relationships",
        "`kgl check --repair` forgets with which entity they were deleted",
        is_mendable=True,
    ),
    Kind(
        "half_deleted",
        "records with the time of a deletion but nobody who deleted them, or the other way around",
        "readers cannot tell who deleted them",
        "`kgl check --repair` names itself as who deleted what is deleted, and nobody where nothing is",
        is_mendable=True,
    ),
    Kind(
        "stale_sort_name",
        "entities whose sort_name is not what their name makes",
        "lists by name show them in the wrong place",
        "`kgl check --repair` makes it anew",
        is_mendable=True,
    ),
    Kind(
        "stale_names",
        "entities that the index of names has otherwise than they are",
        "search does not find them by all of their names, or by names that they do not have",
        "`kgl check --repair` indexes them anew",
        is_mendable=True,
    ),
    Kind(
        "stray_name",
        "entities that the index of names has, and that do not exist",
        "searches look at them in vain",
        "`kgl check --repair` takes them out of the index",
        is_mendable=True,
    ),
    Kind(
        "stale_period",
        "relationships whose period is kept otherwise than their dates make it",
        "lists and counts with valid_at miss them, or hold them wrongly",
        "`kgl check --repair` makes it anew",
        is_mendable=True,
    ),
    Kind(
        "stale_evidence",
        "facts that show something else than the assertions about them make",
        "their confidence, their source or their fields are not what is said of them",
        "`kgl check --repair` lets them show what is asserted",
        is_mendable=True,
    ),
    Kind(
        "unreadable_record",
        "records that cannot be read",
        "whatever reads them fails, lists too",
        "`kgl check --repair` puts back what the record's last change says; where that is damaged too, " + _RESTORE,
        is_mendable=True,
    ),
    Kind(
        "broken_record",
        "records that hold what no record can",
        "they were damaged outside kgl; readers are given what is wrong",
        "`kgl check --repair` puts back what the record's last change says; where that is damaged too, " + _RESTORE,
        is_mendable=True,
    ),
    Kind(
        "lost_record",
        "records that have changes in the journal but do not exist",
        "kgl never removes a record, so it was lost",
        "`kgl check --repair` puts them back as their last change says; where that fails, another record holds their "
        "key or their place",
        is_mendable=True,
    ),
    Kind(
        "unreadable_change",
        "changes that cannot be read",
        "whoever follows the feed of changes is stopped there",
        _RESTORE,
    ),
    Kind(
        "misplaced_change",
        "changes with a number that kgl never gives",
        "whoever follows the feed of changes never sees them, or nothing after them",
        _RESTORE,
    ),
    Kind(
        "wrong_action",
        "changes whose action does not fit what came before",
        "whoever follows the feed of changes is told something else than what happened",
        _RESTORE,
    ),
    Kind(
        "missing_last_change",
        "records whose last change is not in the journal",
        "whoever follows the feed of changes does not know what the record is now",
        "`kgl check --repair` writes a change that says what the record is",
        is_mendable=True,
    ),
    Kind(
        "missing_changes",
        "records with earlier changes missing from the journal",
        "the journal was cut at its beginning, in its middle or at its end; what these versions were is lost",
        _RESTORE,
    ),
    Kind(
        "changes_out_of_order",
        "records whose versions are not in order in the journal, or twice",
        "whoever follows the feed of changes may end with an old version",
        _RESTORE,
    ),
    Kind(
        "record_differs",
        "records that are not what their last change says",
        "they were changed outside kgl; whoever follows the feed of changes knows something else",
        "`kgl check --repair` makes what the record is now a new version, with its change",
        is_mendable=True,
    ),
    Kind(
        "endless_row",
        "refresh tokens or revocations that end years from now, or at no time at all",
        "they are kept for ever, or what reads them fails",
        "set expires_at to a time that fits, or delete the row",
    ),
    Kind(
        "orphaned_token",
        "refresh tokens without a user",
        "they are of no use to anybody",
        "`kgl check --repair` deletes them",
        is_mendable=True,
    ),
    Kind(
        "unusable_answer",
        "kept answers of a length or with an end that kgl never gives them",
        "a request that is sent twice may not be answered alike",
        "`kgl check --repair` deletes them",
        is_mendable=True,
    ),
    Kind(
        "unusable_counter",
        "counters of attempts below zero, or that end later than any limit",
        "somebody may be kept from logging in",
        "`kgl check --repair` deletes them",
        is_mendable=True,
    ),
    Kind(
        "refused_today",
        "records that today's rules would refuse or keep in another form",
        "they were right when they were written, and stay as they are; an update of them may be refused",
        "change them when you next edit them",
        is_note=True,
    ),
)
KINDS: Final[Mapping[str, Kind]] = {kind.code: kind for kind in _KINDS}
"""Every kind by its code, in the order in which they are reported and mended."""

STALE: Final[Mapping[str, str]] = {
    "sort_name": "stale_sort_name",
    "valid_begin_at": "stale_period",
    "valid_end_at": "stale_period",
}
"""The code of a finding by the name of what is derived, for all that nouns derive."""
