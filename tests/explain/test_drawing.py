import json
from dataclasses import replace
from pathlib import Path

import pytest

from ionvolt.explain import Explanation, explain
from ionvolt.explain.drawing import draw_explanation, kinds
from ionvolt.explain.files import to_structure_json, write_all

EXAMPLES = Path(__file__).parents[2] / "src/ionvolt/examples"


@pytest.fixture(scope="module")
def explanation() -> Explanation:
    return explain(EXAMPLES / "LiFePO4.cif", "Li", model="cgcnn-mp2020")


@pytest.fixture(scope="module")
def added() -> Explanation:
    return explain(EXAMPLES / "LiFePO4.cif", "Li")


def test_atoms_that_add_up_are_drawn_from_nothing_with_the_remainder(added: Explanation) -> None:
    assert sorted(len(kind) for kind in kinds(added)) == [4, 4, 4, 4, 4, 8]
    atoms, elements = draw_explanation(explanation=added).axes
    assert "Li 1 [O₆] × 4" in [label.get_text() for label in atoms.get_yticklabels()]
    labels = [label.get_text() for label in elements.get_yticklabels()]
    assert labels[1:] == ["Li (× 4)", "O (× 16)", "Fe (× 4)", "P (× 4)", "not shared out", "this crystal"]


def test_viewers_read_contributions_and_no_empty_columns(added: Explanation) -> None:
    properties = to_structure_json(added)["sites"][0]["properties"]
    assert properties["contribution"] == pytest.approx(added.sites[0].contribution, abs=1e-6)
    assert properties["contribution_potential"] == pytest.approx(added.sites[0].contribution_potential, abs=1e-6)
    assert "linear_voltage" not in properties


def test_atoms_that_are_alike_share_a_bar(explanation: Explanation) -> None:
    found = kinds(explanation)
    assert sorted(len(kind) for kind in found) == [4, 4, 4, 4, 8]
    assert sum(len(kind) for kind in found) == len(explanation.sites)
    assert all(len({site.element for site in kind}) == 1 for kind in found)
    assert [k[0].local_voltage for k in found] == sorted((k[0].local_voltage for k in found), reverse=True)


def test_the_figure_names_atoms_elements_and_voltage(explanation: Explanation) -> None:
    figure = draw_explanation(explanation=explanation)
    atoms, elements = figure.axes
    names = [label.get_text() for label in atoms.get_yticklabels()]
    assert "Fe 1 [O₆] × 4" in names
    assert {"Fe (× 4)", "P (× 4)", "O (× 16)"} <= {label.get_text() for label in elements.get_yticklabels()}
    assert f"{explanation.prediction.voltage:.2f}" in figure.get_suptitle()


def test_a_crystal_with_many_kinds_of_atoms_is_cut_in_the_middle(explanation: Explanation) -> None:
    site = explanation.sites[0]
    many = [replace(site, index=i, local_voltage=0.1 * i) for i in range(90)]
    figure = draw_explanation(explanation=replace(explanation, sites=many))
    names = [label.get_text().split(" [")[0] for label in figure.axes[0].get_yticklabels()]
    assert len(names) == 28
    assert (names[0], names[-1]) == ("Fe 90", "Fe 1")


def test_viewers_read_the_local_voltages(explanation: Explanation) -> None:
    from pymatgen.core.structure import Structure

    structure = Structure.from_dict(json.loads(json.dumps(to_structure_json(explanation))))
    assert len(structure) == len(explanation.sites)
    assert structure.site_properties["local_voltage"] == pytest.approx(
        [site.local_voltage for site in explanation.sites], abs=1e-4
    )


def test_everything_is_written_into_one_folder(explanation: Explanation, tmp_path: Path) -> None:
    files = write_all(explanation, tmp_path / "new")
    assert [path.name for path in files] == [
        "LiFePO4-Li.png", "LiFePO4-Li.json", "LiFePO4-Li.cif", "LiFePO4-Li.extxyz", "LiFePO4-Li.structure.json",
    ]  # fmt: skip
    assert files[0].read_bytes().startswith(b"\x89PNG")
    content = json.loads(files[1].read_text())
    added = sum(facts["contribution"] for facts in content["elements"].values())
    assert content["remainder"] + added == pytest.approx(content["prediction"]["voltage"], abs=1e-4)
