"""Look around the demo graph through the library.

    python docs/demo/queries.py

Reads the database that DATABASE_URL names (by default sqlite:///kgl.db), after
`kgl migrate` and `kgl import docs/demo/demo.ndjson` have filled it.
"""

import sys

from kgl_adapters import connect
from kgl_core.kernel.errors import KglError

WHAT_NEXT = """
What next
  . .venv/bin/activate        puts kgl on your path
  kgl stats                   counts by type
  kgl export > copy.ndjson    the whole graph, as NDJSON
  python                      your own queries:
      >>> from kgl_adapters import connect
      >>> with connect() as kg:
      ...     print(kg.entities.get_by_key("redocred:Trane's Blues#1"))
"""


def explore() -> None:
    """Print what a few queries find."""
    with connect() as kg:
        stats = kg.stats()
        print(f"{stats.entities.active} entities, {stats.relationships.active} relationships")

        print("\nFive people, by name")
        for person in kg.entities.list(type="person", sort="name", limit=5).items:
            aliases = f" (also {', '.join(person.aliases)})" if person.aliases else ""
            print(f"  {person.name}{aliases}, from the article {person.source}")

        song = kg.entities.get_by_key("redocred:Achilles Last Stand#0")
        print(f"\nWhat the graph knows about {song.name}")
        facts = kg.relationships.list(source_entity_id=song.id).items
        targets = kg.entities.get_many(ids=list({fact.target_entity_id for fact in facts}))
        names = {entity.id: entity.name for entity in targets}
        for fact in facts:
            print(f"  {fact.relationship_type} {names[fact.target_entity_id]}")

        band = kg.entities.get_by_key("redocred:Achilles Last Stand#2")
        print(f"\nPerformed by {band.name}")
        found = kg.relationships.list(target_entity_id=band.id, relationship_type="performer").items
        for work in kg.entities.get_many(ids=[fact.source_entity_id for fact in found]):
            print(f"  {work.name}")

        print("\nThe first three entries of the change log")
        for change in kg.changes(limit=3).items:
            print(f"  {change.at:%Y-%m-%d %H:%M:%S} the {change.actor} {change.action} {change.record.name}")
    print(WHAT_NEXT, end="")


if __name__ == "__main__":
    try:
        explore()
    except KglError as error:
        sys.exit(f"{error}\nHas the demo been loaded? kgl migrate && kgl import docs/demo/demo.ndjson")
