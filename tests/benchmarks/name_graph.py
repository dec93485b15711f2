"""Entities with names like those that documents have: a few words are in very many of them, most in few."""

import bisect
import itertools
import json
import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

_SEED: Final = 3
_WORDS: Final = 60_000
_COMMON: Final = ("the", "of", "and", "united", "states", "in", "new", "university", "river", "school")
_TYPES: Final = ("person", "organization", "place", "work", "event", "thing")
_RARE_TYPE: Final = "rarity"
_CHINESE_SHARE: Final = 0.05
_ALIASES: Final = (0, 0, 1, 2)  # so that there are 1.75 names for each entity
_SYLLABLES: Final = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er", "il", "on", "us")]


def entities(number: int) -> Iterator[dict[str, Any]]:
    """That many entities as records to load: the same for the same number."""
    chance = random.Random(_SEED)
    words = vocabulary()
    weights = [*itertools.accumulate(1 / (rank + 5) for rank in range(len(words)))]
    for place in range(number):
        rarely = place % 20_000 == 7
        yield {
            "kind": "entity",
            "key": f"K{place}",
            "type": _RARE_TYPE if rarely else _TYPES[place % len(_TYPES)],
            "name": _name(chance, words, weights),
            "aliases": [_name(chance, words, weights) for _ in range(chance.choice(_ALIASES))],
            "confidence": round(chance.random(), 2),
            "source": f"https://example.org/{place % 500}",
        }


def lines(number: int) -> Iterator[str]:
    """The same as lines of NDJSON."""
    return (json.dumps(entity, ensure_ascii=False) + "\n" for entity in entities(number))


def vocabulary() -> Sequence[str]:
    """The words that names are made of, the commonest first."""
    chance = random.Random(_SEED)
    words = dict.fromkeys(_COMMON)
    while len(words) < _WORDS:
        words["".join(chance.choices(_SYLLABLES, k=chance.choice((1, 2, 2, 3, 3))))] = None
    return [*words]


def _name(chance: random.Random, words: Sequence[str], weights: Sequence[float]) -> str:
    if chance.random() < _CHINESE_SHARE:
        return "".join(chr(0x4E00 + int(2_000 * chance.random() ** 2)) for _ in range(chance.randint(2, 6)))
    chosen = (words[bisect.bisect(weights, chance.random() * weights[-1])] for _ in range(chance.choice((1, 2, 3, 4))))
    return " ".join(chosen).title()
