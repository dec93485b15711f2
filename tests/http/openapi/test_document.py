"""The API's document is valid, and tells of every route and of nothing else."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin
from uuid import uuid4

import attrs
import falcon.inspect
import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from kgl_core.kernel.checked_records import check, ruled
from kgl_http.api.operations import JSON, MERGE_PATCH, PROBLEM, Answer, Resource, operation
from kgl_http.api.problems import PROBLEMS
from kgl_http.openapi import docs_pages as pages
from kgl_http.openapi.document import describe
from tests.http.conftest import NOBODY, Api, MakeApi, making_apis
from tests.http.document import DOCUMENT, OPERATIONS


@pytest.fixture
def make_api() -> Iterator[MakeApi]:
    """Makes the application over the memory store: none of this depends on the store."""
    with making_apis("memory://") as make:
        yield make


# The document itself.


def test_the_document_is_valid() -> None:
    """It is OpenAPI 3.1, and its schemas are JSON Schemas."""
    assert DOCUMENT["openapi"] == "3.1.1"
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_the_document_has_every_route_and_no_other(api: Api) -> None:
    """Each path and method that the application serves is described, and none besides."""
    served = {
        (route.path, method.method)
        for route in falcon.inspect.inspect_app(api.client.app).routes
        for method in route.methods
        if not method.internal and method.method != "HEAD"
    }
    assert {(path, method) for method, path, _ in OPERATIONS.values()} == served


def test_operations_have_stable_names_and_known_tags() -> None:
    """Clients that are made from the document call an operation by its id."""
    assert {"listEntities", "createEntity", "getEntity", "updateEntity", "deleteEntity"} < set(OPERATIONS)
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    assert {tag for _, _, found in OPERATIONS.values() for tag in found["tags"]} == tags


def test_only_public_operations_need_no_token(api: Api) -> None:
    """Whoever comes without a token gets 401 exactly where the document asks for one."""
    for name, (method, path, found) in OPERATIONS.items():
        status = api(method, path.format(id=uuid4(), code="deleted", name="redoc.js"), by=NOBODY).status_code
        is_public = found.get("security") == []
        assert (status == 401) != is_public, (name, status)


def test_every_problem_is_described_where_its_status_is() -> None:
    """The answers of a status list its codes; those of no operation are left to the default answer."""
    described = DOCUMENT["components"]["responses"]
    listed = {
        code
        for name, answer in described.items()
        if name != "Problem"
        for code in answer["content"][PROBLEM]["schema"]["allOf"][1]["properties"]["code"]["enum"]
    }
    assert set(PROBLEMS) - listed == {"method_not_allowed", "internal_error", "store_full", "unreadable_row"}
    assert DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == list(PROBLEMS)


def test_secrets_are_no_part_of_an_answer() -> None:
    """What an account shows holds neither its password's hash nor what ends its tokens."""
    shown = DOCUMENT["components"]["schemas"]["User"]["properties"]
    assert not {"password", "password_hash", "auth_version"}.intersection(shown)


def test_parameters_come_from_the_rules_of_a_query() -> None:
    """Each has the schema and the default of its field; a list is the same name again and again."""
    parameters = {found["name"]: found for found in OPERATIONS["listEntities"][2]["parameters"] if "name" in found}
    assert parameters["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    assert parameters["is_active"]["schema"] == {"type": "string", "enum": ["true", "false", "any"], "default": "true"}
    assert parameters["min_confidence"]["schema"] == {"type": "number", "minimum": 0, "maximum": 1}
    assert (parameters["type"]["style"], parameters["type"]["explode"]) == ("form", True)
    assert parameters["type"]["schema"]["maxItems"] == 200


def test_a_patch_may_leave_out_everything_and_remove_what_is_optional() -> None:
    """In a merge patch nothing is required, and null stands for removing (RFC 7396)."""
    content = OPERATIONS["updateEntity"][2]["requestBody"]["content"]
    assert set(content) == {MERGE_PATCH, JSON}
    schemas = DOCUMENT["components"]["schemas"]
    validator = jsonschema_rs.Draft202012Validator(
        {"$ref": "#/components/schemas/EntityPatch", "components": {"schemas": schemas}}
    )
    assert validator.is_valid({})
    assert validator.is_valid({"aliases": None, "key": None, "metadata": {"a": None}})
    assert not validator.is_valid({"name": None})
    assert not validator.is_valid({"nonsense": None})
    assert schemas["EntityDraft"]["required"] == ["type", "name"]


def test_an_operation_says_who_may_call_it() -> None:
    """The table of permissions speaks in every description."""
    said = {name: found["description"].splitlines()[-1] for name, (_, _, found) in OPERATIONS.items()}
    assert said["listUsers"] == "Open to: `admin`."
    assert said["postEntityRestoration"] == "Open to: `moderator`, `admin`."
    assert said["deleteEntity"].startswith("Open to: `user` (of what they created), `moderator`, `admin`")
    assert said["getMe"] == "Open to everybody who has an account."
    assert said["postToken"] == "Open to anybody."


def test_a_new_record_leads_to_what_can_be_asked_of_it() -> None:
    """The answer that has it links to every operation on it."""
    links = OPERATIONS["createEntity"][2]["responses"]["201"]["links"]
    assert {"getEntity", "replaceEntity", "updateEntity", "deleteEntity", "postEntityRestoration"} < set(links)
    assert links["getEntity"]["parameters"] == {"id": "$response.body#/data/id"}
    assert set(links) <= set(OPERATIONS)
    links = OPERATIONS["createClientCredentials"][2]["responses"]["201"]["links"]
    assert links["getClient"]["parameters"] == {"id": "$response.body#/data/client/id"}
    for created in ("createEntityAssertion", "createRelationshipAssertion"):
        assert OPERATIONS[created][2]["responses"]["201"]["links"].keys() == {"getAssertion", "deleteAssertion"}


def test_the_place_of_tokens_holds_below_a_prefix() -> None:
    """Viewers read it from the root of the site."""
    schemes = describe([], version="1", root_path="/lab")["components"]["securitySchemes"]
    assert schemes["oauth2"]["flows"]["clientCredentials"]["tokenUrl"] == "/lab/api/v1/oauth/token"


def test_service_clients_are_described() -> None:
    """How they get tokens, what these are good for, and how they are refused."""
    flow = DOCUMENT["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] in DOCUMENT["paths"]
    assert flow["scopes"].keys() == {"graph:read", "graph:write"}
    for name, scopes in (("listEntities", [["graph:read"]]), ("createEntity", [["graph:write"]]), ("listUsers", [])):
        asked = OPERATIONS[name][2].get("security", [])
        assert [one["oauth2"] for one in asked if "oauth2" in one] == scopes
    token = DOCUMENT["paths"][flow["tokenUrl"]]["post"]
    assert token["security"] == [{"client": []}]
    [(media_type, body)] = token["requestBody"]["content"].items()
    assert media_type == "application/x-www-form-urlencoded"
    form = DOCUMENT["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
    assert form["properties"]["grant_type"] == {"type": "string", "enum": ["client_credentials"]}
    assert form["required"] == ["grant_type"]
    for status in ("400", "401", "429"):
        assert token["responses"][status]["content"]["application/json"]["schema"]["$ref"].endswith("/OAuthError")
    assert not {"secret_hash", "auth_version"}.intersection(DOCUMENT["components"]["schemas"]["Client"]["properties"])


def test_the_document_is_served_with_a_tag(api: Api) -> None:
    """A client that holds the document is told so, and not sent it again."""
    first = api("GET", "/api/v1/openapi.json", by=NOBODY)
    assert first.json == DOCUMENT
    again = api("GET", "/api/v1/openapi.json", by=NOBODY, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_api_is_found_from_where_the_document_is() -> None:
    """The paths hold behind a proxy that adds a prefix (OpenAPI 3.1.1, section 4.8.5: a relative server)."""
    (server,) = DOCUMENT["servers"]
    assert urljoin("https://example.org/prefix/api/v1/openapi.json", server["url"]) == "https://example.org/prefix/"


# What cannot be described.


@attrs.frozen(kw_only=True)
class Whole:
    """A body with a rule that no schema is known for."""

    part: int = ruled(lambda value, pointer, faults: value)  # type: ignore[arg-type]

    def __attrs_post_init__(self) -> None:
        check(self)


class Undescribed(Resource):
    """A resource without an operation."""

    def on_get(self, req: Any, resp: Any) -> None:
        """Nothing."""


class Unruly(Resource):
    """A resource that takes what nobody can describe."""

    @operation(summary="Take it", is_public=True, body=Whole, answers={204: Answer(shape="none")})
    def on_post(self, req: Any, resp: Any) -> None:
        """Nothing."""


class Untyped(Resource):
    """A resource that shows what nobody can describe."""

    @operation(summary="Show it", is_public=True, answers={200: Answer(complex)})
    def on_get(self, req: Any, resp: Any) -> None:
        """Nothing."""


def test_a_responder_without_operation_is_no_part_of_the_api() -> None:
    """What nobody has described is refused when the document is made."""
    with pytest.raises(LookupError, match=r"Undescribed\.on_get"):
        describe([("/undescribed", Undescribed())], version="1")


@pytest.mark.parametrize("resource", [Unruly(), Untyped()])
def test_an_unknown_rule_or_type_is_not_passed_over(resource: object) -> None:
    """A new kind of rule or value has to be described before it can be served."""
    with pytest.raises(TypeError, match=r"describe it in kgl_http/openapi/schemas\.py"):
        describe([("/unknown", resource)], version="1")


def test_two_operations_cannot_have_one_name() -> None:
    """The name of a class makes an operation's id, so that a second of that name is refused."""
    routes = [("/one", pages.Problems()), ("/two", pages.Problems())]
    with pytest.raises(ValueError, match="two operations are called getProblems"):
        describe(routes, version="1")
