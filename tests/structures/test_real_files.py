"""The published structures, where they are at hand."""

import gzip
import itertools
import json

import numpy as np
import pytest

from ionvolt.errors import InputError
from ionvolt.structures import Crystal, read_many, read_text
from structures.test_symmetry import assert_same, pymatgen_of

pytestmark = pytest.mark.slow


def lines(path, step, most):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in itertools.islice(file, 0, step * most, step):
            record = json.loads(line)
            yield record["id"], record["cif"]


def test_folder_of_the_published_sodium_model(shared_data):
    found = list(read_many([str(shared_data / "na_cgcnn")]))
    assert len(found) == 255
    assert all(isinstance(item, Crystal) for item in found)
    for crystal in found[::20]:
        with open(crystal.source) as file:  # noqa: PTH123
            assert_same(crystal, pymatgen_of(file.read()), atol=2e-3)


@pytest.mark.parametrize(
    ("name", "step", "refused"), [("structures.jsonl.gz", 21, 0), ("screening_20k.jsonl.gz", 50, 0.03)]
)
def test_samples(shared_data, name, step, refused):
    read, errors = {}, []
    texts = dict(lines(shared_data / name, step, 400))
    # Some were kept in a table of one column, and its frame is still around them.
    for key, text in texts.items():
        try:
            read[key] = read_text(text, key)
        except InputError as error:
            errors.append(error)
    assert len(errors) <= refused * len(texts)
    assert all(error.rule.endswith("lies outside 2 to 200 Å^3") for error in errors)
    small = [key for key in read if len(read[key]) <= 60]
    for key in small[:: len(small) // 15]:
        # pymatgen replaces 0.3333 by 1/3 where it meets it.
        assert_same(read[key], pymatgen_of(texts[key]), atol=2e-3)
    assert np.mean([len(crystal) for crystal in read.values()]) > 5
