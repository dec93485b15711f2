"""Schemas say what their rules say."""

from typing import Any, Final

import jsonschema_rs
import pytest

from kgl_core.access.oauth_clients import SCOPES
from kgl_core.access.passwords import Secret
from kgl_core.access.users import UserDraft
from kgl_core.graph.entities import EntityDraft
from kgl_core.graph.relationships import RelationshipDraft
from kgl_core.kernel.checked_records import rules_of
from kgl_core.kernel.field_rules import Each, Flag, Integer, Names, Optional, Text
from kgl_http.openapi.schemas import Schemas

TEXTS: Final = (
    "", " ", "\u3000", "\u2028", "\xa0", "a", " a ", "a b", "é", "😀", "a\n", "\na", "a\x00", "a\x7f", "a\x85", "\x1f",
    "a" * 64, "a" * 65, "a" * 128, "a" * 129, "😀" * 500, "😀" * 501, "works_at", "works at", "1a", "a\u200b", "\u200b",
    "ada@example.org", "ada@example", "@example.org", "ada@example.org\n", "user", "admin",
    "01890a5d-ac96-774b-bcce-b302099a8057", "01890A5D-AC96-774B-BCCE-B302099A8057", "01890a5dac96774bbcceb302099a8057",
)  # fmt: skip
VALUES: Final = (
    *TEXTS, None, True, False, 0, 1, 0.5, -0.0, 1.5, -1, 2**63 - 1, 2**63, -(2**63), [], ["a"], ["a", 1], [""],
    ["graph:read"], ["graph:read"] * 2, ["graph:read"] * 3, ["graph:admin"], [[]],
    {}, {"a": 1}, {"a": None}, {"a": "b\x00"}, {"a\x00": 1}, {"a": {"b": {"c": {"d": {}}}}}, {"a": [2**64]},
    {"a": {"b": {"c": {"d": {"e": {}}}}}}, {"a": [[[[]]]]}, {"a": [[[[[]]]]]}, {str(n): n for n in range(51)},
)  # fmt: skip
RULES: Final = {
    **rules_of(EntityDraft),
    **rules_of(RelationshipDraft),
    **rules_of(UserDraft),
    "secret": Secret(128),
    "limit": Integer(1, 200),
    "scopes": SCOPES,
    "flag": Flag(),
    "flag_or_none": Optional(Flag()),
    "texts": Each(Text(64), 1),
    "names": Names(Each(Text(64), 1)),
}


@pytest.mark.parametrize("name", RULES)
def test_a_schema_takes_what_its_rule_takes(name: str) -> None:
    """A value is valid by the document exactly when the rule finds no fault in it."""
    rule: Any = RULES[name]
    schemas = Schemas()
    schema = schemas.of_rule(rule)
    says = jsonschema_rs.Draft202012Validator(
        {"allOf": [schema], "components": {"schemas": schemas.components}}, validate_formats=True
    )
    for value in VALUES:
        faults: list[Any] = []
        rule(value, "", faults)
        assert says.is_valid(value) == (not faults), (value, faults)


def test_two_schemas_cannot_have_one_name() -> None:
    """Two classes of one name would be one schema, so the second is refused."""
    schemas = Schemas()
    schemas.add("Ada", {"type": "string"})
    with pytest.raises(ValueError, match="two schemas are called Ada"):
        schemas.add("Ada", {"type": "integer"})
