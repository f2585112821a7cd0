"""One truth about the fields of an answer: the dataclass. What the page's schema states is held to it."""

from dataclasses import fields
from typing import get_args

import pytest

from ionvolt import reading
from ionvolt.cli import choices
from ionvolt.prediction import Prediction


def test_the_schema_has_the_fields_of_a_prediction() -> None:
    schemas = pytest.importorskip("ionvolt.web.schemas")
    assert list(schemas.PredictionOut.model_fields) == [field.name for field in fields(Prediction)]


def test_what_a_structure_may_be_taken_as_has_the_same_words_everywhere() -> None:
    # The command cannot import the room: ``--help`` would wait for it.
    assert get_args(choices.Assume) == get_args(reading.Assume)
    schemas = pytest.importorskip("ionvolt.web.schemas")
    assert set(schemas.ASSUMPTIONS) == set(get_args(reading.Assume))
