"""The nouns whose changes are not logged: what is checked of their records stands in their rows."""

from __future__ import annotations

from typing import Final

from kgl_core.access.oauth_clients import CLIENT
from kgl_core.access.users import USER
from kgl_core.evidence.assertions import ASSERTION
from kgl_core.evidence.extraction.kept_extractions import EXTRACTION
from kgl_core.evidence.origins.extractors import EXTRACTOR
from kgl_core.evidence.origins.sources import SOURCE
from kgl_core.graph.journal.runs import RUN
from kgl_core.kernel.nouns.noun import AnyNoun

UNLOGGED_NOUNS: Final[tuple[AnyNoun, ...]] = (RUN, SOURCE, EXTRACTOR, EXTRACTION, ASSERTION, USER, CLIENT)
