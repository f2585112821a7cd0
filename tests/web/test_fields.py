"""A prediction has the same fields everywhere: its class is the truth."""

import re
from dataclasses import fields
from importlib.resources import files

from ionvolt.cli.predict import COLUMNS
from ionvolt.prediction import Prediction
from ionvolt.web.schemas import PredictionOut

FIELDS = [field.name for field in fields(Prediction)]


def test_the_commands_columns():
    assert list(COLUMNS) == FIELDS


def test_the_web_interface():
    assert list(PredictionOut.model_fields) == FIELDS


def test_the_pages_table():
    text = (files("ionvolt.web") / "static" / "batch.js").read_text(encoding="utf-8")
    (listed,) = re.findall(r"COLUMNS = \[(.*?)\]", text, re.DOTALL)
    assert re.findall(r'"(\w+)"', listed) == FIELDS
