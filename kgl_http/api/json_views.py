"""What records look like as JSON.

orjson writes ids, moments and enums by itself. Reading needs no converter: the rules of a class check the body that
becomes it (``kgl_core.kernel.checked_records.build``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Final
from uuid import UUID

from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from kgl_core.access.oauth_clients import CLIENT
from kgl_core.access.users import USER
from kgl_core.graph.journal.changes import Change
from kgl_core.graph.nouns import GRAPH_NOUNS, noun_of
from kgl_core.kernel.nouns.json_records import json_actor, json_record
from kgl_core.kernel.permissions import Actor

_ACTORS: Final = ("created_by", "deleted_by")


def make_converter() -> Converter:
    """A converter from what use cases return to values that orjson can write."""
    converter = Converter()
    for passed in (UUID, datetime, StrEnum):
        converter.register_unstructure_hook(passed, _same)
    converter.register_unstructure_hook(Actor, json_actor)
    for graph_noun in GRAPH_NOUNS:
        converter.register_unstructure_hook(graph_noun.record, partial(json_record, hidden=graph_noun.hidden))
    for noun in (USER, CLIENT):
        hidden: dict[str, Any] = {name: override(omit=True) for name in noun.hidden}
        converter.register_unstructure_hook(noun.record, make_dict_unstructure_fn(noun.record, converter, **hidden))
    converter.register_unstructure_hook(Change, _change(converter))
    return converter


def _same(value: Any) -> Any:
    return value


def unstructure_part(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Some fields of a record of the graph, with actors as JSON has them."""
    actors = {name: json_actor(part[name]) for name in _ACTORS if part.get(name) is not None}
    return {**part, **actors} if actors else part


def _change(converter: Converter) -> Callable[[Change], dict[str, Any]]:
    def unstructured(change: Change) -> dict[str, Any]:
        return {
            "cursor": change.cursor,
            "at": change.at,
            "actor": json_actor(change.actor),
            "action": change.action,
            "run": change.run,
            "kind": noun_of(change.record).name,
            "record": converter.unstructure(change.record),
        }

    return unstructured


_converter: Final = make_converter()
unstructure: Final = _converter.unstructure


def unstructure_all(values: Sequence[Any]) -> list[Any]:
    """`unstructure` for values that are all of one class, which is looked up once."""
    if not values:
        return []
    one: Callable[[Any], Any] = _converter.get_unstructure_hook(type(values[0]))
    return [one(value) for value in values]
