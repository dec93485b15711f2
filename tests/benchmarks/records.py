"""Made-up records with the shape of extracted ones, as lines of NDJSON; the same numbers give the same lines."""

import json
import random
from collections.abc import Iterator

_GIVEN = ("Ada", "Émile", "Grace", "Jürgen", "Katherine", "Luís", "Mary", "Noether", "Søren", "Tove", "Wanda", "Zoë")
_FAMILY = ("Almeida", "Brown", "Curie", "Díaz", "Eriksen", "Fischer", "Garcia", "Hopper", "Ito", "Johnson", "Kovač")
_ENTITY_TYPES = ("person", "organization", "location", "document", "event", "concept")
_RELATIONSHIP_TYPES = ("works_at", "wrote", "located_in", "part_of", "mentions", "cites", "knows", "founded")
_STEP = 7_368_787  # a prime: its multiples visit every entity once before they repeat


def key_of(number: int) -> str:
    """The key of the entity with this number."""
    return f"wd:Q{number + 1000}"


def entity_lines(start: int, stop: int) -> Iterator[bytes]:
    """The entities from number ``start`` to before ``stop``."""
    for number in range(start, stop):
        chance = random.Random(number)
        given, family = chance.choice(_GIVEN), chance.choice(_FAMILY)
        record = {
            "kind": "entity",
            "key": key_of(number),
            "type": chance.choice(_ENTITY_TYPES),
            "name": f"{given} {family} {number}",
            "confidence": round(chance.uniform(0.5, 1), 3),
            "source": f"https://example.org/corpus/{number // 20}.html",
            "source_type": "web",
            "metadata": {"extractor": "ner-2", "page": chance.randrange(1, 300)},
        }
        if number % 3 == 0:
            record["aliases"] = [f"{given[0]}. {family} {number}", f"{family}, {given} ({number})"]
        yield _line(record)


def relationship_lines(start: int, stop: int, entities: int) -> Iterator[bytes]:
    """The relationships from number ``start`` to before ``stop`` (up to 8 times ``entities``), no two alike."""
    for number in range(start, stop):
        chance = random.Random(-1 - number)
        source = number * _STEP % entities
        target = (source + chance.randrange(1, entities)) % entities
        yield _line(
            {
                "kind": "relationship",
                "source_entity_key": key_of(source),
                "relationship_type": _RELATIONSHIP_TYPES[(source + number // entities) % len(_RELATIONSHIP_TYPES)],
                "target_entity_key": key_of(target),
                "confidence": round(chance.uniform(0.3, 1), 3),
                "source": f"https://example.org/corpus/{number // 20}.html",
                "source_type": "web",
                "metadata": {"extractor": "re-5", "sentence": chance.randrange(2000)},
            }
        )


def _line(record: dict[str, object]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"
