"""A small graph in the application, and the short names of what is in it."""

from typing import Any
from urllib.parse import urlencode

import attrs
import pytest
from falcon import testing

from tests.http.conftest import Api


@attrs.frozen
class Drawn:
    """Ada knows Bob .9 (AB) and Eve .5 (AE), Bob knows Eve (BE), Eve lives in Rome (ER): ids by short names."""

    api: Api
    ids: dict[str, str]

    def get(self, path: str, **query: Any) -> testing.Result:
        """The answer to a GET; short names in the path and in the query become ids."""
        named = "/".join(self.ids.get(part, part) for part in path.split("/"))
        pairs = [
            (name.removesuffix("_"), self.ids.get(str(value), value))
            for name, values in query.items()
            for value in (values if isinstance(values, list) else [values])
        ]
        return self.api("GET", named, query_string=urlencode(pairs))

    def names(self, records: list[dict[str, Any]]) -> list[str]:
        """The short names of records, in their order."""
        short = {id: name for name, id in self.ids.items()}
        return [short[record["id"]] for record in records]


@pytest.fixture
def drawn(api: Api) -> Drawn:
    """The graph in the application."""
    ids = {name: api.entity(name=name)["id"] for name in ("Ada", "Bob", "Eve")}
    ids["Rome"] = api.entity(name="Rome", type="city")["id"]
    ids["AB"] = api.relationship(ids["Ada"], ids["Bob"], confidence=0.9, metadata={"ระยะทาง": 2})["id"]
    ids["AE"] = api.relationship(ids["Ada"], ids["Eve"], confidence=0.5, metadata={"ระยะทาง": 9})["id"]
    ids["BE"] = api.relationship(ids["Bob"], ids["Eve"], metadata={"ระยะทาง": 3})["id"]
    ids["ER"] = api.relationship(ids["Eve"], ids["Rome"], relationship_type="lives_in")["id"]
    return Drawn(api, ids)
