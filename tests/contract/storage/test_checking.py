"""`kg.check`: damage done on purpose is found and named; what can be derived is mended, and then all is clean."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import attrs
import pytest

from kgl_adapters import connect
from kgl_adapters.memory.store import MemoryStore
from kgl_core import SYSTEM, ChangeAction, CheckReport, KnowledgeGraph, PermissionDenied
from kgl_core.access.oauth_clients import CLIENT
from kgl_core.access.users import USER
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.nouns import GRAPH_NOUNS
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.kernel.store_errors import UnreadableRow
from kgl_core.kernel.units_of_work import Store
from kgl_core.storage.checking.kinds import KINDS, STALE
from tests.conftest import close_clean
from tests.contract.damage import POSTGRES, SQLITE, Raw, Sample, fill, raw
from tests.contract.samples import NOON, SECOND, created, entity, graph_on, relationship, user

BOTH: Final = (SQLITE, POSTGRES)


@attrs.frozen
class Damage:
    """What is done to the sample, the kinds of fault that must then be told, and those that no repair takes away."""

    do: Callable[[Raw, Sample], object]
    found: frozenset[str]
    left: frozenset[str] = frozenset()
    stores: tuple[str, ...] = BOTH


def sql(*statements: str, found: str, left: str = "", stores: tuple[str, ...] = BOTH) -> Damage:
    """Damage by statements, in which the ids of the sample's records stand for their names."""

    def do(on: Raw, sample: Sample) -> None:
        on.run(
            *statements,
            nothing=b"",
            **{name: record.id for name, record in attrs.asdict(sample, recurse=False).items()},
        )

    return Damage(do, frozenset(found.split()), frozenset(left.split()), stores)


def hide_index(on: Raw, _: Sample) -> None:
    """Write a row while SQLite does not know of an index, so that the index lacks it."""
    [(definition,)] = on.rows("SELECT sql FROM sqlite_master WHERE name = 'ix_entities_type'")
    [(page,)] = on.rows("SELECT rootpage FROM sqlite_master WHERE name = 'ix_entities_type'")
    write, keep = "PRAGMA writable_schema=ON", "PRAGMA writable_schema=OFF"
    on.run(write, "DELETE FROM sqlite_master WHERE name = 'ix_entities_type'", keep)
    on.close()
    on.open()
    on.run("UPDATE entities SET type = type || 'x'", write)
    on.run(
        "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql)"
        f" VALUES ('index', 'ix_entities_type', 'entities', {page}, '{definition}')",
        keep,
    )
    on.close()
    on.open()


def overwrite_changes(on: Raw, _: Sample) -> None:
    """Write over the page where the table of changes begins."""
    [(page,)] = on.rows("SELECT rootpage FROM sqlite_master WHERE name = 'changes'")
    on.overwrite_file(page)


_VERSION: Final = {
    SQLITE: "json_extract(record, '$.version')",
    POSTGRES: "CAST(CAST(record AS jsonb) -> 'version' AS integer)",
}


def without_versions(*versions: int, of: str, found: str, left: str = "") -> Damage:
    """Take the changes of these versions of a record out of the journal."""

    def do(on: Raw, sample: Sample) -> None:
        version = _VERSION[SQLITE if on.is_sqlite else POSTGRES]
        listed = ", ".join(map(str, versions))
        on.run(f"DELETE FROM changes WHERE subject_id = {{id}} AND {version} IN ({listed})", id=getattr(sample, of).id)

    return Damage(do, frozenset(found.split()), frozenset(left.split()))


DAMAGES: Final[dict[str, Damage]] = {
    "an entity is lost, and the end of a relationship with it": sql(
        "DELETE FROM entities WHERE id = {note}", found="lost_record missing_end stray_name"
    ),
    "an entity is lost with its changes": sql(
        "DELETE FROM changes WHERE subject_id = {note}",
        "DELETE FROM entities WHERE id = {note}",
        found="missing_end stray_name",
        left="missing_end",
    ),
    "a relationship is lost": sql("DELETE FROM entity_relationships WHERE id = {edge}", found="lost_record"),
    "all records are lost": sql(
        "DELETE FROM entity_relationships", "DELETE FROM entities", found="lost_record stray_name"
    ),
    "an end is deleted outside kgl": sql(
        "UPDATE entities SET deleted_at = updated_at, deleted_by = 'system', version = version + 1 WHERE id = {note}",
        found="active_with_deleted_end missing_last_change stale_names",
    ),
    "a relationship of a deleted entity is active": sql(
        "UPDATE entity_relationships SET deleted_at = NULL, deleted_by = NULL, deleted_with = NULL"
        " WHERE id = {gone_edge}",
        found="active_with_deleted_end record_differs",
    ),
    "a relationship was deleted with a stranger": sql(
        "UPDATE entity_relationships SET deleted_with = {note} WHERE id = {gone_edge}",
        found="wrong_deleted_with record_differs",
    ),
    "an active relationship was deleted with its end": sql(
        "UPDATE entity_relationships SET deleted_with = {note} WHERE id = {edge}",
        found="wrong_deleted_with record_differs",
    ),
    "a record is deleted by nobody": sql(
        "UPDATE entity_relationships SET deleted_at = updated_at WHERE id = {edge}", found="half_deleted record_differs"
    ),
    "an active record was deleted by somebody": sql(
        "UPDATE entities SET deleted_by = 'user:x' WHERE id = {ada}", found="half_deleted record_differs"
    ),
    "a name is folded otherwise": sql(
        "UPDATE entities SET sort_name = 'zzz' WHERE id = {ada}", found="stale_sort_name"
    ),
    "all names are folded otherwise": sql("UPDATE entities SET sort_name = name", found="stale_sort_name"),
    "an entity is changed outside kgl": sql(
        "UPDATE entities SET name = 'Zoë' WHERE id = {ada}", found="record_differs stale_names stale_sort_name"
    ),
    "the index lacks an entity": sql(
        "DELETE FROM entity_names WHERE entity_id = {ada}", found="stale_names", stores=(POSTGRES,)
    ),
    "the index has another name": sql(
        "UPDATE entity_names SET words = 'bob' WHERE words = 'countess'", found="stale_names", stores=(POSTGRES,)
    ),
    "the index lacks everything": sql("DELETE FROM entity_names", found="stale_names", stores=(POSTGRES,)),
    "the index lacks an entity whose terms are there": sql(
        "DELETE FROM entity_names WHERE entity_id = {ada}", found="stale_names damaged_index", stores=(SQLITE,)
    ),
    "the index has another name than its terms": sql(
        "UPDATE entity_names SET words = 'bob' WHERE words = 'countess'",
        found="stale_names damaged_index",
        stores=(SQLITE,),
    ),
    "the index has an entity that there is not": sql(
        "UPDATE entity_names SET entity_id = {edge} WHERE entity_id = {note}", found="stale_names stray_name"
    ),
    "the index has other terms": sql("UPDATE entity_names SET terms = 'bob'", found="stale_names", stores=(POSTGRES,)),
    "the full-text table is gone": sql("DROP TABLE entity_name_terms", found="damaged_index", stores=(SQLITE,)),
    "the full-text table is empty": sql(
        "INSERT INTO entity_name_terms (entity_name_terms) VALUES ('delete-all')",
        found="damaged_index",
        stores=(SQLITE,),
    ),
    "the full-text table has other terms": sql(
        "INSERT INTO entity_name_terms (entity_name_terms) VALUES ('delete-all')",
        "INSERT INTO entity_name_terms (rowid, terms) SELECT id, 'bob' FROM entity_names",
        found="damaged_index",
        stores=(SQLITE,),
    ),
    "a relationship holds from another moment": sql(
        "UPDATE entity_relationships SET valid_begin_at = updated_at WHERE id = {edge}", found="stale_period"
    ),
    "a relationship holds for ever": sql(
        "UPDATE entity_relationships SET valid_end_at = NULL WHERE id = {edge}", found="stale_period"
    ),
    "a relationship without dates does not hold for ever": sql(
        "UPDATE entity_relationships SET valid_begin_at = updated_at, valid_end_at = updated_at WHERE id = {gone_edge}",
        found="stale_period",
    ),
    "a relationship holds from beyond all time": sql(
        "UPDATE entity_relationships SET valid_begin_at = -9223372036854775807 WHERE id = {edge}",
        found="stale_period",
        stores=(SQLITE,),
    ),
    "a relationship is said to have assertions": sql(
        "UPDATE entity_relationships SET has_assertions = '1' WHERE id = {edge}", found="record_differs stale_evidence"
    ),
    "a date is changed outside kgl": sql(
        "UPDATE entity_relationships SET valid_to = '2000' WHERE id = {edge}", found="record_differs stale_period"
    ),
    "a date is none": sql(
        "UPDATE entity_relationships SET valid_to = '1994-00' WHERE id = {edge}", found="broken_record"
    ),
    "a number in metadata becomes text": sql(
        """UPDATE entities SET metadata = '{{"born": "1815"}}' WHERE id = {ada}""", found="record_differs"
    ),
    "a number in metadata becomes another kind of number": sql(
        """UPDATE entities SET metadata = '{{"born": 1815.0}}' WHERE id = {ada}""", found="record_differs"
    ),
    "a relationship is changed outside kgl": sql(
        "UPDATE entity_relationships SET confidence = 0.25 WHERE id = {edge}", found="record_differs"
    ),
    "a record is older than its last change": sql(
        "UPDATE entities SET version = 1 WHERE id = {ada}", found="record_differs"
    ),
    "a record is newer than the journal by one": sql(
        "UPDATE entities SET version = 4, key = 'other' WHERE id = {ada}", found="missing_last_change stale_names"
    ),
    "a record is newer than the journal by more": sql(
        "UPDATE entities SET version = 6 WHERE id = {ada}",
        found="missing_last_change missing_changes",
        left="missing_changes",
    ),
    "the last change of a record is gone": without_versions(3, of="ada", found="missing_last_change"),
    "the first change of a record is gone": without_versions(
        1, of="ada", found="missing_changes", left="missing_changes"
    ),
    "a change in the middle is gone": without_versions(2, of="note", found="missing_changes", left="missing_changes"),
    "the only change of a record is gone": without_versions(
        1, 2, of="gone_edge", found="missing_last_change missing_changes", left="missing_changes"
    ),
    "the journal is cut at its head": sql(
        "DELETE FROM changes WHERE sequence < (SELECT max(sequence) FROM changes) - 4",
        found="missing_changes",
        left="missing_changes",
    ),
    "the journal is cut at its end": sql(
        "DELETE FROM changes WHERE sequence = (SELECT max(sequence) FROM changes)", found="missing_last_change"
    ),
    "the journal is gone": sql(
        "DELETE FROM changes", found="missing_last_change missing_changes", left="missing_changes"
    ),
    "a change stands twice": sql(
        "INSERT INTO changes (at, actor, action, subject, subject_id, record)"
        " SELECT at, actor, action, subject, subject_id, record FROM changes WHERE subject_id = {edge}",
        found="changes_out_of_order",
        left="changes_out_of_order",
    ),
    "changes are turned around": sql(
        "UPDATE changes SET sequence = -sequence WHERE subject_id = {ada}",
        found="changes_out_of_order misplaced_change",
        left="changes_out_of_order misplaced_change",
    ),
    "a change tells of another record": sql(
        "UPDATE changes SET subject_id = {note} WHERE subject_id = {ada}",
        found="missing_last_change missing_changes unreadable_change",
        left="missing_changes unreadable_change",
    ),
    "a change has an action that there is not": sql(
        "UPDATE changes SET action = 'exploded' WHERE subject_id = {ada}",
        found="unreadable_change",
        left="unreadable_change",
    ),
    "a change has a subject that there is not": sql(
        "UPDATE changes SET subject = 'planet' WHERE subject_id = {edge}",
        found="unreadable_change missing_last_change missing_changes",
        left="unreadable_change missing_changes",
    ),
    "a change is no record": sql(
        "UPDATE changes SET record = '[]' WHERE subject_id = {ada}", found="unreadable_change", left="unreadable_change"
    ),
    "a change is no JSON": sql(
        "UPDATE changes SET record = '{{' WHERE subject_id = {ada}",
        found="unreadable_change",
        left="unreadable_change",
        stores=(SQLITE,),
    ),
    "a record was made by nobody known": sql(
        "UPDATE entities SET created_by = 'robot:1' WHERE id = {ada}",
        found="unreadable_record",
    ),
    "a record is no JSON": sql(
        "UPDATE entity_relationships SET metadata = '{{' WHERE id = {edge}",
        found="unreadable_record",
        stores=(SQLITE,),
    ),
    "a record has an id that is none": sql(
        "UPDATE entity_relationships SET id = x'00' WHERE id = {edge}",
        found="unreadable_record lost_record",
        left="unreadable_record lost_record",  # its ends and type are taken by what can't be read
        stores=(SQLITE,),
    ),
    "a time is out of all range": sql(
        "UPDATE entities SET created_at = 9000000000000000000 WHERE id = {ada}",
        found="unreadable_record",
        stores=(SQLITE,),
    ),
    "a time is infinite": sql(
        "UPDATE entities SET created_at = 'infinity' WHERE id = {ada}",
        found="unreadable_table",
        left="unreadable_table",
        stores=(POSTGRES,),
    ),
    "an entity has lists and objects of another kind": sql(
        """UPDATE entities SET aliases = '{{"a":1}}', name = '', metadata = '[1]' WHERE id = {ada}""",
        found="unreadable_record",
    ),
    "an entity has no name": sql("UPDATE entities SET name = '' WHERE id = {ada}", found="broken_record"),
    "a relationship has no type": sql(
        "UPDATE entity_relationships SET relationship_type = '' WHERE id = {edge}", found="broken_record"
    ),
    "a version is zero": sql("UPDATE entities SET version = 0 WHERE id = {ada}", found="broken_record"),
    "a version is negative": sql(
        "UPDATE entity_relationships SET version = -5 WHERE id = {edge}", found="broken_record"
    ),
    "a version is absurd": sql("UPDATE entities SET version = 2147483647 WHERE id = {ada}", found="broken_record"),
    "a version is the highest number": sql(
        "UPDATE entities SET version = 9223372036854775807 WHERE id = {ada}", found="broken_record", stores=(SQLITE,)
    ),
    "a record was made by another": sql(
        "UPDATE entities SET created_by = 'user:xx' WHERE id = {ada}", found="broken_record"
    ),
    "a record was made by no one": sql(
        "UPDATE entities SET created_by = 'user:' WHERE id = {ada}", found="broken_record"
    ),
    "neither a record nor its last change is whole": sql(
        "UPDATE entities SET name = '' WHERE id = {ada}",
        "UPDATE changes SET record = replace(CAST(record AS text), '\"Ada Lovelace\"', '\"\"')"
        " WHERE subject_id = {ada}",
        found="broken_record",
        left="broken_record",
        stores=(SQLITE,),
    ),
    "a user has a role that there is not": sql(
        "UPDATE users SET role = 'king'",
        found="unreadable_record broken_constraint",
        left="unreadable_record broken_constraint",
        stores=(SQLITE,),
    ),
    "a user is gone": sql("DELETE FROM users", found="orphaned_token"),
    "an answer is kept for ever": sql(
        "UPDATE kept_answers SET expires_at = expires_at + expires_at", found="unusable_answer", stores=(SQLITE,)
    ),
    "an answer ends beyond all time": sql(
        "INSERT INTO kept_answers VALUES (x'01', x'02', x'03', 1, 9223372036854775807)",
        found="unusable_answer",
        stores=(SQLITE,),
    ),
    "a counter ends beyond all time": sql(
        "UPDATE throttle_counters SET expires_at = -9223372036854775807", found="unusable_counter", stores=(SQLITE,)
    ),
    "a name is not UTF-8": sql(
        "UPDATE entities SET name = CAST(x'ff41' AS TEXT) WHERE id = {ada}",
        found="unreadable_record",
        stores=(SQLITE,),
    ),
    "an answer is kept for a year": sql(
        "UPDATE kept_answers SET expires_at = expires_at + interval '1 year'",
        found="unusable_answer",
        stores=(POSTGRES,),
    ),
    "an answer has no fingerprint": sql("UPDATE kept_answers SET fingerprint = {nothing}", found="unusable_answer"),
    "a counter counts less than nothing": sql('UPDATE throttle_counters SET "count" = -1', found="unusable_counter"),
    "a counter never ends": sql(
        "UPDATE throttle_counters SET expires_at = 9000000000000000", found="unusable_counter", stores=(SQLITE,)
    ),
    "an index is gone": sql("DROP INDEX ix_entities_type", "DROP INDEX uq_users_email", found="missing_index"),
    "two hold one key": sql(
        "DROP INDEX uq_entities_key",
        "UPDATE entities SET key = 'a' WHERE id = {note}",
        found="missing_index not_unique record_differs stale_names",
        left="missing_index not_unique",
    ),
    "two relationships are one": sql(
        "DROP INDEX uq_entity_relationships_triple",
        "UPDATE entity_relationships SET target_entity_id = {note}, relationship_type = 'wrote', key = 'first',"
        " deleted_at = NULL,"
        " deleted_by = NULL, deleted_with = NULL WHERE id = {gone_edge}",
        found="missing_index not_unique record_differs",
        left="missing_index not_unique",
    ),
    "an index was never finished": sql(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = CAST('ix_entities_type' AS regclass)",
        found="damaged_index",
        stores=(POSTGRES,),
    ),
    "an index lacks a row": Damage(
        hide_index, frozenset({"damaged_index", "record_differs", "stale_names"}), stores=(SQLITE,)
    ),
    "a page of the file is overwritten": Damage(
        overwrite_changes,
        frozenset({"damaged_file", "unreadable_table"}),
        frozenset({"damaged_file", "unreadable_table"}),
        stores=(SQLITE,),
    ),
    "constraints are gone": sql(
        "ALTER TABLE entity_relationships DROP CONSTRAINT fk_entity_relationships_target_entity_id",
        "ALTER TABLE entities DROP CONSTRAINT ck_entities_confidence",
        found="missing_constraint",
        stores=(POSTGRES,),
    ),
    "a constraint is gone, and a row breaks it": sql(
        "ALTER TABLE entities DROP CONSTRAINT ck_entities_confidence",
        "UPDATE entities SET confidence = 2 WHERE id = {ada}",
        found="missing_constraint broken_record",
        stores=(POSTGRES,),
    ),
    "a check is broken": sql(
        "UPDATE entities SET confidence = 2 WHERE id = {ada}",
        found="broken_constraint broken_record",
        stores=(SQLITE,),
    ),
    "the sequence is behind": sql(
        "SELECT setval('changes_sequence_seq', 3)", found="sequence_behind", stores=(POSTGRES,)
    ),
    "a change has a negative number": sql(
        "UPDATE changes SET sequence = -4 WHERE sequence = (SELECT min(sequence) FROM changes)",
        found="misplaced_change",
        left="misplaced_change",
    ),
    "a change has the number zero": sql(
        "UPDATE changes SET sequence = 0 WHERE sequence = (SELECT min(sequence) FROM changes)",
        found="misplaced_change",
        left="misplaced_change",
    ),
    "a change has the highest number": sql(
        "UPDATE changes SET sequence = 9223372036854775807 WHERE sequence = (SELECT max(sequence) FROM changes)",
        found="misplaced_change",
        left="misplaced_change",
    ),
    "a creation is told as a deletion": sql(
        "UPDATE changes SET action = 'deleted' WHERE sequence = (SELECT min(sequence) FROM changes)",
        found="wrong_action",
        left="wrong_action",
    ),
    "a deletion is told as a creation": sql(
        "UPDATE changes SET action = 'created' WHERE action = 'deleted'", found="wrong_action", left="wrong_action"
    ),
    "there is a view": sql("CREATE VIEW strange AS SELECT 1 AS one", found="foreign_object", left="foreign_object"),
    "there is a trigger": sql(
        "CREATE TRIGGER strange AFTER DELETE ON entities BEGIN SELECT 1; END",
        found="foreign_object",
        left="foreign_object",
        stores=(SQLITE,),
    ),
    "there is a trigger of the server's": sql(
        "CREATE TRIGGER strange BEFORE UPDATE ON entities FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        found="foreign_object",
        left="foreign_object",
        stores=(POSTGRES,),
    ),
    "a client has scopes that there are not": sql(
        "INSERT INTO oauth_clients VALUES (x'00112233445566778899aabbccddeeff', 'c', zeroblob(32), 'bogus', 'system',"
        " 1, 1, NULL, 1)",
        found="unreadable_record",
        left="unreadable_record",
        stores=(SQLITE,),
    ),
    "a client has no secret": sql(
        "INSERT INTO oauth_clients VALUES (x'00112233445566778899aabbccddeeff', 'c', x'', 'graph:read', 'system', 1,"
        " 1, NULL, 1)",
        found="unreadable_record",
        left="unreadable_record",
        stores=(SQLITE,),
    ),
    "a user has no hash of a password": sql(
        "UPDATE users SET password_hash = 'xx'", found="unreadable_record", left="unreadable_record"
    ),
    "a user is neither active nor disabled": sql(
        "UPDATE users SET is_active = 7", found="unreadable_record", left="unreadable_record", stores=(SQLITE,)
    ),
    "a refresh token never ends": sql(
        "UPDATE refresh_tokens SET expires_at = 9223372036854775807",
        found="endless_row",
        left="endless_row",
        stores=(SQLITE,),
    ),
    "a revocation never ends": sql(
        "INSERT INTO revocations VALUES (x'00112233445566778899aabbccddeeff', 'user:x', 9000000000000000)",
        found="endless_row",
        left="endless_row",
        stores=(SQLITE,),
    ),
    "metadata has a name twice": sql(
        """UPDATE entities SET metadata = '{{"born":1815,"born":1815}}' WHERE id = {ada}""", found="unreadable_record"
    ),
    "a table is gone": sql(
        "ALTER TABLE kept_answers RENAME TO kept_answers_gone", found="missing_table", left="missing_table"
    ),
    "a table is gone with its index": sql(
        "DROP TABLE kept_answers",
        found="missing_table",
        left="missing_table",
        stores=(SQLITE,),
    ),
    "the journal's table is gone": sql(
        "DROP TABLE changes", found="missing_table", left="missing_table", stores=(SQLITE,)
    ),
    "a column is gone": sql(
        "ALTER TABLE users RENAME COLUMN first_name TO forename", found="missing_table", left="missing_table"
    ),
    "the revision is another": sql(
        "UPDATE alembic_version SET version_num = '0001'", found="wrong_revision", left="wrong_revision"
    ),
}


@pytest.fixture
def url(request: pytest.FixtureRequest, empty_url: Callable[[str], str]) -> str:
    """The URL of an empty database that the test has for itself, and whose schema it may damage."""
    found: str = empty_url(SQLITE) if request.param == SQLITE else request.getfixturevalue("own_postgres_url")
    return found


def codes(report: CheckReport) -> set[str]:
    """The codes of the faults."""
    return {problem.kind.code for problem in report.faults}


@pytest.mark.parametrize(
    ("url", "name"),
    [(store, name) for name, damage in DAMAGES.items() for store in damage.stores],
    indirect=["url"],
)
def test_damage_is_found_named_and_mended(url: str, name: str) -> None:
    """Nothing but what was done is told, with examples; a repair mends what it can, and tells what is left."""
    damage = DAMAGES[name]
    with connect(url) as kg:
        sample = fill(kg)
    with raw(url) as on:
        damage.do(on, sample)
    with connect(url) if "revision" not in name else _opened(url) as kg:
        report = kg.check()
        assert codes(report) == damage.found
        for problem in report.faults:
            assert problem.count >= len(problem.examples) > 0
        mended = kg.check(repair=True)
        assert codes(mended) == damage.left
        assert bool(mended.mended) == bool(damage.found - damage.left)
        assert codes(kg.check()) == damage.left
        close_clean(kg._context.store)


def _opened(url: str) -> KnowledgeGraph:
    """A graph on a database whose revision `connect` would refuse."""
    from kgl_adapters.sql.engine.engines import make_engine, parse_url
    from kgl_adapters.sql.units_of_work import SqlStore

    return graph_on(SqlStore(make_engine(parse_url(url))))


def test_every_kind_is_tried() -> None:
    """There is damage for every kind of fault, save a reference that the present schema does not have."""
    tried = {code for damage in DAMAGES.values() for code in damage.found}
    assert tried == {code for code, kind in KINDS.items() if not kind.is_note} - {"broken_reference"}


def test_all_that_is_derived_has_a_kind() -> None:
    """So that a check can say of each noun's that it is not what the record makes."""
    assert set(STALE) == {name for noun in (*GRAPH_NOUNS, USER, CLIENT) for name in noun.derived}
    assert set(STALE.values()) <= KINDS.keys()


OF_NAMES = {name: damage for name, damage in DAMAGES.items() if name.startswith(("the index", "the full-text"))}


@pytest.mark.parametrize(
    ("url", "name"),
    [(store, name) for name, damage in OF_NAMES.items() for store in damage.stores],
    indirect=["url"],
)
def test_the_index_of_names_is_made_anew(url: str, name: str) -> None:
    """Rebuilding it mends whatever may be wrong with it."""
    with connect(url) as kg:
        sample = fill(kg)
        with raw(url) as on:
            OF_NAMES[name].do(on, sample)
        kg.rebuild_index()
        assert kg.check().is_clean


@pytest.mark.parametrize("url", BOTH, indirect=True)
def test_nothing_is_found_by_a_name_that_it_lost(url: str) -> None:
    """While the index of names is out of date, as an older kgl leaves it: no error, and no entity that is deleted."""
    with connect(url) as kg:
        for name in ("Elm", "Elm", "Ash"):
            kg.entities.create(type="tree", name=name, aliases=["The Tree", "the tree!"])
        elm, other, ash = kg.entities.list(sort="created_at").items
        with raw(url) as on:
            on.run("UPDATE entities SET name = 'Fir', aliases = '[\"Pine\"]' WHERE id = {id}", id=elm.id)
            on.run("UPDATE entities SET deleted_at = updated_at, deleted_by = 'user:x' WHERE id = {id}", id=ash.id)
        for name in ("elm", "the tree"):
            [linked] = kg.search.link([name])
            assert [match.entity.id for match in linked.matches] == [other.id]
            assert [each.entity.id for each in kg.search(name).items] == [other.id]
            assert [each.entity.id for each in kg.search.suggest(name)] == [other.id]


@pytest.mark.parametrize("url", BOTH, indirect=True)
@pytest.mark.parametrize("lost", [{0}, {1}, {0, 1}])
def test_pages_go_on_past_a_name_that_was_lost(url: str, lost: set[int]) -> None:
    """While the index of names is out of date: whatever stands last on a page."""
    with connect(url) as kg:
        trees = [kg.entities.create(type="tree", name="Elm tree", confidence=(9 - n) / 10) for n in range(4)]
        with raw(url) as on:
            for n in lost:
                on.run("UPDATE entities SET name = 'Fir' WHERE id = {id}", id=trees[n].id)
        found, cursor = [], None
        while True:
            page = kg.search("elm", limit=2, cursor=cursor)
            found += [each.entity.id for each in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == [tree.id for n, tree in enumerate(trees) if n not in lost]


@pytest.mark.parametrize("url", BOTH, indirect=True)
def test_a_damaged_row_that_is_found_by_name(url: str) -> None:
    """Is an error that says so, wherever it is read."""
    with connect(url) as kg:
        for _ in range(2):
            oak = kg.entities.create(type="tree", name="Oak", aliases=["Quercus"])
        with raw(url) as on:
            on.run("UPDATE entities SET aliases = '{{}}' WHERE id = {id}", id=oak.id)
        for ask in (kg.search, kg.search.suggest, lambda q: kg.search.link([q])):
            with pytest.raises(UnreadableRow):
                ask("oak")


@pytest.mark.parametrize("url", BOTH, indirect=True)
def test_a_repair_is_told_in_the_feed(url: str) -> None:
    """A relationship with a deleted end is deleted as its end's deletion would have, by the one who repairs."""
    with connect(url) as kg:
        sample = fill(kg)
        cursor = None
        while (page := kg.changes(after=cursor)).items:
            cursor = page.next_cursor
        with raw(url) as on:
            on.run(
                "UPDATE entities SET deleted_at = updated_at, deleted_by = 'user:x', version = 4 WHERE id = {note}",
                note=sample.note.id,
            )
        mended = {"missing_last_change": 1, "active_with_deleted_end": 1, "stale_names": 1}
        assert kg.check(repair=True).mended == mended
        first, second = kg.changes(after=cursor).items
        assert (first.action, first.actor, first.record.id, first.record.version) == (
            ChangeAction.DELETED,
            SYSTEM,
            sample.note.id,
            4,
        )
        edge = kg.relationships.get(sample.edge.id, include_deleted=True)
        assert (second.action, second.record) == (ChangeAction.DELETED, edge)
        assert (edge.version, edge.deleted_with, edge.deleted_by) == (3, sample.note.id, SYSTEM)
        kg.entities.restore(sample.note.id)
        assert kg.relationships.get(sample.edge.id).is_active
        assert kg.check().is_clean


@pytest.mark.parametrize("url", BOTH, indirect=True)
@pytest.mark.parametrize("change", ["name = ''", "version = -5", "metadata = '[1]'", "created_by = ''"])
def test_what_no_record_can_hold_is_put_back_and_not_spread(url: str, change: str) -> None:
    """The record is what the journal says again, and the feed hears nothing."""
    with connect(url) as kg:
        sample = fill(kg)
        told = kg.stats().changes
        with raw(url) as on:
            on.run(f"UPDATE entities SET {change} WHERE id = {{ada}}", ada=sample.ada.id)
        assert kg.check(repair=True).is_clean
        assert kg.entities.get(sample.ada.id) == sample.ada
        assert kg.stats().changes == told


def test_a_store_that_kgl_wrote_is_clean(kg: KnowledgeGraph) -> None:
    """And all of it was looked at."""
    fill(kg)
    report = kg.check()
    assert report.faults == report.notes == ()
    assert report.looked_at == {
        **{noun.plural: 0 for noun in GRAPH_NOUNS},
        "entities": 3,
        "relationships": 2,
        "changes": 12,
        "runs": 0,
        "sources": 0,
        "extractors": 0,
        "extractions": 0,
        "assertions": 0,
        "users": 1,
        "clients": 0,
        "refresh_tokens": 1,
        "answers": 1,
        "counters": 1,
    }
    assert kg.check(repair=True) == report


def test_what_today_s_rules_would_refuse_is_a_note(store: Store) -> None:
    """It was right when it was written: it is told, it is no fault, and no repair touches it."""
    blank, shouting = entity("\u3000"), user("ADA@example.org")
    other = entity("ok")
    odd = relationship(blank, other, source="")
    with store.begin() as uow:
        uow.entities.add([blank, other])
        uow.relationships.add([odd])
        uow.changes.append([created(blank), created(other), created(odd)])
        uow.users.add([shouting])
        uow.commit()
    report = graph_on(store).check(repair=True)
    assert report.is_clean
    assert report.mended == {}
    [note] = report.notes
    assert (note.kind.code, note.count) == ("refused_today", 3)
    assert f"entity {blank.id}, /name: " in note.examples[0]


def test_damage_in_memory_is_found_too() -> None:
    """The same code looks at the dictionaries."""
    store = MemoryStore()
    kg = graph_on(store)
    sample = fill(kg)
    tables: Any = store._tables
    entities = tables.of(ENTITY).rows
    del entities[sample.note.id]
    entities[sample.ada.id] = attrs.evolve(sample.ada, name="Changed")
    tables.of(RELATIONSHIP).rows[sample.gone_edge.id] = attrs.evolve(
        sample.gone_edge, deleted_at=None, deleted_by=None, deleted_with=None
    )
    tables.of(USER).rows.clear()
    assert codes(kg.check()) == {
        "lost_record",
        "missing_end",
        "record_differs",
        "active_with_deleted_end",
        "orphaned_token",
    }
    report = kg.check(repair=True)
    assert report.is_clean
    assert sum(report.mended.values()) == 4


def test_attempts_that_succeeded_leave_no_fault(store: Store) -> None:
    """A counter is back at nothing then, until it expires."""
    kg = graph_on(store)
    with store.begin() as uow:
        uow.counters.increment(bytes(32), NOON, NOON + SECOND)
        uow.counters.decrement([bytes(32)])
        uow.commit()
    assert kg.check().is_clean


def test_only_who_operates_may_check(store: Store) -> None:
    """A check shows what everybody has written, and a repair writes."""
    kg = graph_on(store)
    person = kg.users.create(email="ada@example.org", password="a few unrelated words")
    admin = kg.users.create(email="root@example.org", password="a few unrelated words", role="admin")
    for repair in (False, True):
        with pytest.raises(PermissionDenied):
            kg.acting_as(person).check(repair=repair)
        assert kg.acting_as(admin).check(repair=repair).is_clean


def test_repairs_at_the_same_time_do_no_harm(concurrent_store: Store, store_url: str) -> None:
    """Each looks again before it mends, so that nothing is mended twice."""
    kg = graph_on(concurrent_store)
    sample = fill(kg)
    with raw(store_url) as on:
        on.run("UPDATE entities SET version = version + 1, sort_name = 'x'", "DELETE FROM entity_relationships")
    with ThreadPoolExecutor(4) as pool:
        reports = [each.result() for each in [pool.submit(kg.check, repair=True) for _ in range(4)]]
    assert kg.check().is_clean
    mended = Counter[str]()
    for report in reports:
        mended.update(report.mended)
    assert mended == {"stale_sort_name": 3, "missing_last_change": 3, "lost_record": 2}
    assert kg.relationships.get(sample.edge.id) == sample.edge


def test_more_than_one_look_keeps_is_mended_all_the_same(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look keeps a bounded number of what it finds; a repair looks again until nothing is left."""
    kg = graph_on(store)
    kg.load([{"kind": "entity", "key": f"k{number}", "type": "t", "name": "N"} for number in range(25)])
    if store_url == "memory://":
        rows: Any = store._tables.of(ENTITY).rows  # type: ignore[attr-defined]
        rows.update({id: attrs.evolve(each, name="other") for id, each in rows.items()})
    else:
        with raw(store_url) as on:
            on.run("UPDATE entities SET name = 'other', sort_name = 'other'")
    monkeypatch.setattr("kgl_core.storage.checking.check.KEPT_MAX", 10)
    monkeypatch.setattr("kgl_core.storage.checking.repairing.BATCH", 4)
    indexed = {} if store_url == "memory://" else {"stale_names": 25}
    assert kg.check(repair=True).mended == {"record_differs": 25, **indexed}
    assert kg.check().is_clean
