"""Compression: large answers are gzipped for clients that take it, and for no others."""

import gzip
from collections.abc import Iterator

import pytest

from kgl_http.api.middleware import GZIP_BYTES_MIN, accepts_gzip
from tests.http.conftest import NOBODY, Api, MakeApi, making_apis

ENTITIES = "/api/v1/entities"


@pytest.fixture
def make_api() -> Iterator[MakeApi]:
    """The same on every store."""
    with making_apis("memory://") as make:
        yield make


@pytest.fixture
def filled(api: Api) -> Api:
    """An application whose listing is large."""
    for n in range(20):
        api.entity(name=f"Entity {n}")
    return api


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("*", True),
        ("deflate, gzip;q=0.5, br", True),
        ("br,gzip", True),
        ("gzip;q=1.000", True),
        ("gzip ; q=0.001", True),
        ("*;q=0, gzip", True),
        ("*;q=0,gzip;q=1", True),
        ("identity, *;q=0.1", True),
        ("", False),
        ("identity", False),
        ("br, deflate", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;q=0, *", False),
        ("*, gzip;q=0", False),
        ("*;q=0", False),
        ("gzipped", False),
        ("notgzip", False),
        ("gzip;q=2", False),
        ("gzip;q=-1", False),
        ("gzip;q=nan", False),
        ("gzip gzip", False),
    ],
)
def test_whether_a_client_takes_gzip_is_read_as_the_standard_says(header: str, takes: bool) -> None:
    """By name before ``*``, with weights, of which zero means no (RFC 9110, section 12.5.3); what is odd means no."""
    assert accepts_gzip(header) is takes


def test_a_large_answer_is_compressed_for_who_takes_it(filled: Api) -> None:
    """It holds the same, says that it varies, and has the length of what is sent."""
    plain = filled("GET", ENTITIES)
    packed = filled("GET", ENTITIES, headers={"Accept-Encoding": "gzip, br"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    assert int(packed.headers["content-length"]) == len(packed.content) < len(plain.content) / 2
    assert len(gzip.decompress(packed.content)) == len(plain.content)
    head = filled("HEAD", ENTITIES, headers={"Accept-Encoding": "gzip"})
    assert (head.content, head.headers["content-encoding"], head.headers["vary"]) == (b"", "gzip", "Accept-Encoding")


def test_a_small_answer_is_not_compressed(api: Api) -> None:
    """It would grow, or take time for nothing."""
    answer = api("GET", ENTITIES, headers={"Accept-Encoding": "gzip"})
    assert len(answer.content) < GZIP_BYTES_MIN
    assert not {"content-encoding", "vary"} & set(answer.headers)


def test_what_has_a_strong_entity_tag_is_not_compressed(api: Api) -> None:
    """It names one sequence of bytes (RFC 9110, section 8.8.3)."""
    path = f"{ENTITIES}/{api.entity(aliases=[f'{n}' * 200 for n in range(20)])['id']}"
    answer = api("GET", path, headers={"Accept-Encoding": "gzip"})
    assert len(answer.content) > GZIP_BYTES_MIN
    assert answer.headers["etag"].startswith('"1-')
    assert "content-encoding" not in answer.headers


def test_what_has_a_weak_entity_tag_is_compressed(api: Api) -> None:
    """It names what the bytes mean: the API's document and the assets of its pages; who holds that gets a 304."""
    for path in ("/api/v1/openapi.json", "/api/v1/docs/assets/swagger_style.css"):
        plain, packed = (api("GET", path, headers={"Accept-Encoding": coding}) for coding in ("identity", "gzip"))
        assert packed.headers["content-encoding"] == "gzip"
        assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
        assert gzip.decompress(packed.content) == plain.content
        tag = packed.headers["etag"]
        assert tag == plain.headers["etag"]
        assert tag.startswith("W/")
        held = api("GET", path, headers={"Accept-Encoding": "gzip", "If-None-Match": tag})
        assert (held.status_code, held.content) == (304, b"")
        assert "content-encoding" not in held.headers


def test_pages_metrics_and_problems_are_compressed(api: Api) -> None:
    """Whatever is text, if it is large."""
    headers = {"Accept-Encoding": "gzip"}
    long = "&".join(f"x{n}=1" for n in range(50))
    for answer in (
        api("GET", "/api/v1/problems", by=NOBODY, headers=headers),
        api("GET", "/metrics", by=NOBODY, headers=headers),
        api("GET", ENTITIES, query_string=long, headers=headers),
    ):
        assert answer.headers["content-encoding"] == "gzip"
        assert len(gzip.decompress(answer.content)) > GZIP_BYTES_MIN
