"""Defaults of fields with rules: a rule is not asked about them, so they must be what it would give."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import attrs

import kgl_core
from kgl_core.kernel.checked_records import MISSING, rules_of


def ruled_fields() -> Iterator[tuple[str, Any, Any]]:
    """Each field with a rule in the core: its name, its default and the rule."""
    for module in pkgutil.walk_packages(kgl_core.__path__, "kgl_core."):
        for cls in vars(importlib.import_module(module.name)).values():
            if isinstance(cls, type) and attrs.has(cls) and cls.__module__ == module.name:
                fields = attrs.fields_dict(cls)
                for name, rule in rules_of(cls).items():
                    yield f"{cls.__name__}.{name}", fields[name].default, rule


def test_every_default_follows_its_rule() -> None:
    """And is as the rule leaves it. What a factory makes is checked like any other value."""
    seen = 0
    for name, default, rule in ruled_fields():
        if default is not None and default is not MISSING and not isinstance(default, attrs.Factory):  # type: ignore[arg-type]
            faults: list[Any] = []
            kept = rule(default, "", faults)
            assert (faults, kept, type(kept)) == ([], default, type(default)), name
            seen += 1
    assert seen > 20
