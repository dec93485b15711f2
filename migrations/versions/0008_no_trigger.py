"""changes announced by their writers, without a trigger

Whoever writes announces its changes itself from here on. Writers of a kgl that does not know this revision announce
nothing, and a reader of the feed could miss what they write beside others: stop them first.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# As migration 0002 made it.
ANNOUNCE_CHANGES = """
CREATE FUNCTION backend_entities.announce_changes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    taken bigint;
BEGIN
    IF coalesce(current_setting('kgl.changes_announced', true), '') = '' THEN
        SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO taken FROM backend_entities.changes_sequence_seq;
        PERFORM pg_advisory_xact_lock_shared(-1 - taken);
        PERFORM set_config('kgl.changes_announced', 'yes', true);
    END IF;
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    op.execute("DROP TRIGGER announce_changes ON backend_entities.changes")
    op.execute("DROP FUNCTION backend_entities.announce_changes()")


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    op.execute(ANNOUNCE_CHANGES)
    op.execute(
        "CREATE TRIGGER announce_changes BEFORE INSERT ON backend_entities.changes"
        " FOR EACH STATEMENT EXECUTE FUNCTION backend_entities.announce_changes()"
    )
