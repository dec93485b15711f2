"""Entities that nothing supports any more: they stay for relationships, and go with the last of these."""

from typing import Any

import pytest

from kgl_core import ChangeAction, EndsDeleted, KnowledgeGraph
from kgl_core.graph.entities import ENTITY
from tests.contract.evidence.documents import active, document, keyed, require_sound
from tests.contract.storage.test_loading import log

KNOWS = {"source_entity_key": "ada", "relationship_type": "knows", "target_entity_key": "bo"}
RETIRED, RESTORED, DELETED = ChangeAction.RETIRED, ChangeAction.RESTORED, ChangeAction.DELETED


@pytest.fixture
def joined(kg: KnowledgeGraph) -> dict[str, Any]:
    """Two people whom nothing supports, and who are there for what joins them; all by name."""
    kg.extract("names", "x", document(keyed("ada"), keyed("bo")))
    kg.extract("joins", "x", {"relationships": [KNOWS]})
    kg.withdraw("names", "x")
    return active(kg)


def test_they_go_with_the_last_relationship_and_come_back_with_it(kg: KnowledgeGraph, joined: dict[str, Any]) -> None:
    """Which somebody deletes and restores; the journal has all of it, and new evidence brings them back as well."""
    before = len(log(kg))
    kg.relationships.delete(joined["knows"].id)
    assert active(kg) == {}
    require_sound(kg)
    kg.relationships.restore(joined["knows"].id)
    assert active(kg).keys() == joined.keys()
    assert [change.action for change in log(kg)[before:]] == [DELETED, RETIRED, RETIRED, RESTORED, RESTORED, RESTORED]
    kg.relationships.delete(joined["knows"].id)
    kg.reinstate("names", "x")
    assert active(kg).keys() == {"ada", "bo"}


def test_they_stay_while_another_relationship_a_source_or_a_pin_keeps_them(
    kg: KnowledgeGraph, joined: dict[str, Any]
) -> None:
    """Each by itself."""
    kg.assertions.pin(ENTITY, joined["ada"].id, ["/is_active"])
    other = kg.relationships.create(joined["bo"].id, "likes", joined["ada"].id)
    kg.relationships.delete(joined["knows"].id)
    assert active(kg).keys() == {"ada", "bo", "likes"}
    kg.relationships.delete(other.id)
    assert active(kg).keys() == {"ada"}


def test_they_go_with_an_entity_that_takes_the_relationship_along(kg: KnowledgeGraph, joined: dict[str, Any]) -> None:
    """And come back with it, unless the relationship has lost its support too."""
    ada = joined["ada"].id
    kg.entities.delete(ada)
    assert active(kg) == {}
    assert kg.entities.restore(ada).relationships == (joined["knows"].id,)
    assert active(kg).keys() == joined.keys()
    kg.entities.delete(ada)
    kg.withdraw("joins", "x")
    assert kg.entities.restore(ada).left_deleted == (joined["knows"].id,)
    assert active(kg).keys() == {"ada"}


def test_a_key_that_was_taken_meanwhile_keeps_them_retired(kg: KnowledgeGraph, joined: dict[str, Any]) -> None:
    """The relationship can't be restored then, nor with its other end."""
    kg.entities.delete(joined["ada"].id)
    kg.entities.create(type="person", name="Another", key="bo")
    assert kg.entities.restore(joined["ada"].id).left_deleted == (joined["knows"].id,)
    with pytest.raises(EndsDeleted):
        kg.relationships.restore(joined["knows"].id)
