"""One truth about the fields of an answer: the dataclass. What the page's schema states is held to it."""

from dataclasses import fields

import pytest

from ionvolt.prediction import Prediction


def test_the_schema_has_the_fields_of_a_prediction() -> None:
    schemas = pytest.importorskip("ionvolt.web.schemas")
    assert list(schemas.PredictionOut.model_fields) == [field.name for field in fields(Prediction)]
