"""An SQLite file that is deleted or replaced while it is open takes no more writes."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kgl_adapters import connect
from kgl_core import KnowledgeGraph, StoreUnavailable
from tests.http.conftest import NOBODY, MakeApi, making_apis, problem


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "graph.db"


@pytest.fixture
def make_elsewhere() -> Iterator[MakeApi]:
    """Makes the application over databases of the test's own."""
    with making_apis("memory://") as make:
        yield make


def delete(file: Path) -> None:
    """Take the file away."""
    file.unlink()


def replace(file: Path) -> None:
    """Put a copy in its place, as a restored backup would be."""
    copy = file.with_suffix(".copy")
    shutil.copyfile(file, copy)
    copy.replace(file)


def rename(file: Path) -> None:
    """Give the file another name."""
    file.rename(file.with_suffix(".old"))


LOSSES = pytest.mark.parametrize("lose", [delete, replace, rename])


def writes(kg: KnowledgeGraph) -> list[Callable[[], object]]:
    """Every way of writing."""
    id = kg.entities.create(type="t", name="n").id

    def in_transaction() -> None:
        with kg.transaction():
            pass

    return [
        lambda: kg.entities.create(type="t", name="n"),
        lambda: kg.entities.update(id, name="m"),
        lambda: kg.entities.delete(id),
        lambda: kg.load([{"kind": "entity", "key": "k", "type": "t", "name": "n"}]),
        lambda: kg.users.create(email="ada@example.org", password="a few unrelated words"),
        lambda: kg.check(repair=True).is_clean and in_transaction(),
        in_transaction,
    ]


@LOSSES
@pytest.mark.parametrize("as_uri", [False, True])
def test_no_write_goes_to_a_file_that_is_gone(file: Path, lose: Callable[[Path], None], as_uri: bool) -> None:
    """The error says so, and what to do; no file is made in the place of the one that is gone."""
    with connect(f"sqlite:///file:{file}?uri=true" if as_uri else f"sqlite:///{file}") as kg:
        ways = writes(kg)
        lose(file)
        for write in ways:
            with pytest.raises(StoreUnavailable, match=r"deleted or replaced.*start again"):
                write()
        assert file.exists() == (lose is replace)


def test_a_file_that_is_back_is_written_to_again(file: Path) -> None:
    """The same file, that is: nothing was lost."""
    with connect(f"sqlite:///{file}") as kg:
        file.rename(file.with_suffix(".old"))
        with pytest.raises(StoreUnavailable):
            kg.entities.create(type="t", name="n")
        file.with_suffix(".old").rename(file)
        kg.entities.create(type="t", name="n")
    with connect(f"sqlite:///{file}") as kg:
        assert kg.entities.count() == 1


def test_a_file_is_found_after_the_process_has_gone_to_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative name means what it meant when the graph was opened."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    with connect("sqlite:///graph.db") as kg:
        monkeypatch.chdir(tmp_path / "below")
        kg.entities.create(type="t", name="n")


@LOSSES
def test_the_service_says_that_its_file_is_gone(
    file: Path, lose: Callable[[Path], None], make_elsewhere: MakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not ready, and 503 to writes, with no advice to try again; the reason is in the log and not in the answer."""
    connect(f"sqlite:///{file}", migrate=True).close()
    api = make_elsewhere(database_url=f"sqlite:///{file}")
    api.entity()
    lose(file)
    answer = api("POST", "/api/v1/entities", json={"type": "person", "name": "Ada"})
    found = problem(answer, 503, "store_replaced")
    assert answer.headers["retry-after"] == "60"
    assert str(file) not in answer.text
    assert found["data"] is None
    ready = api("GET", "/health/ready", by=NOBODY)
    assert ready.status_code == 503
    assert ready.json["checks"]["database"]["status"] == "failed"
    assert str(file) not in ready.text
    assert "deleted or replaced" in capsys.readouterr().out
