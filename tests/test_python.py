"""The package as a notebook meets it: names by TAB, tables, figures, and objects of other packages."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ionvolt
from ionvolt.cli.examples import KNOWN, crystal_of
from ionvolt.computation import VoltageResult
from ionvolt.explain.files import to_extxyz, to_structure_json
from ionvolt.ions import remove_ion, working_ion
from ionvolt.physics.orderings import remove_sites
from ionvolt.physics.profile import Profile, Step
from ionvolt.results import ResultList
from ionvolt.structures import as_crystal

LIFEPO4, TIS2 = KNOWN[0], KNOWN[3]


@pytest.fixture(scope="module")
def explanation():
    return ionvolt.explain(crystal_of(TIS2), ion="Li", model="cgcnn-mp2020")


@pytest.fixture(scope="module")
def result() -> VoltageResult:
    discharged = crystal_of(LIFEPO4)
    charged, n = remove_ion(discharged, working_ion("Li")), discharged.composition["Li"]
    half = remove_sites(discharged, np.flatnonzero(discharged.numbers == 3)[: n // 2])
    steps = (
        Step(3.6, "FePO4", "Li1Fe2P2O8", 0.0, 0.5, 0.03, charged, half),
        Step(3.4, "Li1Fe2P2O8", "LiFePO4", 0.5, 1.0, 0.03, half, discharged),
    )
    return VoltageResult(
        source="x.cif", working_ion="Li", formula_discharged="LiFePO4", formula_charged="FePO4",
        end_members="discharged", voltage=3.45, voltage_lower=3.2, voltage_upper=3.7, voltage_potential=3.5,
        in_domain=True, model="delta", n_ions=n, capacity_grav=170.0, capacity_vol=600.0, energy_grav=586.0,
        energy_vol=2000.0, method="made", volume_change=0.06, converged=None, steps=0, seconds=0.1, warnings=(),
        profile=Profile(steps, 3.5, n, 3, True), discharged=discharged, charged=charged,
    )  # fmt: skip


def test_every_public_name_is_there_and_shown_by_tab():
    assert dir(ionvolt) == sorted(ionvolt.__all__)
    for name in ionvolt.__all__:
        assert getattr(ionvolt, name) is not None
    with pytest.raises(AttributeError):
        ionvolt.predcit  # noqa: B018


def test_importing_the_package_is_light():
    code = "import sys, ionvolt; dir(ionvolt); print(sorted({'torch', 'numpy', 'matplotlib'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_insertion_electrode_of_pymatgen(result):
    electrode = result.to_insertion_electrode()
    assert electrode.get_average_voltage() == pytest.approx(3.45, abs=1e-6)
    assert electrode.working_ion.symbol == "Li"
    assert electrode.get_capacity_grav() == pytest.approx(170, abs=1)
    assert electrode.fully_discharged_entry.composition.reduced_formula == "LiFePO4"


def test_insertion_electrode_with_the_steps_of_the_profile(result):
    electrode = result.to_insertion_electrode(steps=True)
    pairs = electrode.voltage_pairs
    assert [pair.voltage for pair in pairs] == pytest.approx([3.6, 3.4])
    assert electrode.get_average_voltage() == pytest.approx(3.5)
    assert [pair.entry_charge.composition.reduced_formula for pair in pairs] == ["FePO4", "LiFe2(PO4)2"]
    with pytest.raises(ionvolt.InputError, match="profile=True"):
        replace(result, profile=None).to_insertion_electrode(steps=True)


def test_an_electrode_of_negative_voltage_is_none_to_pymatgen(result):
    with pytest.raises(ionvolt.InputError, match="positive"):
        replace(result, voltage=-0.1).to_insertion_electrode()
    falling = replace(result.profile, steps=(result.profile.steps[0], replace(result.profile.steps[1], voltage=-0.1)))
    with pytest.raises(ionvolt.InputError, match="positive"):
        replace(result, profile=falling).to_insertion_electrode(steps=True)


def test_figures(result, explanation):
    prediction = explanation.prediction
    refused = ionvolt.InputError("y.cif", "it is bad", "Give another")
    for figure in (
        ionvolt.plot_profile(result),
        ionvolt.plot_voltages([result, refused, prediction]),
        ionvolt.plot_crystal(explanation),
    ):
        content = io.BytesIO()
        figure.savefig(content, format="png")
        assert len(content.getvalue()) > 5_000
    with pytest.raises(ionvolt.InputError, match="profile=True"):
        ionvolt.plot_profile(replace(result, profile=None))
    with pytest.raises(ionvolt.InputError, match="no voltage"):
        ionvolt.plot_voltages([refused])


def test_files_of_an_explanation_are_read_by_others_and_here(explanation, tmp_path):
    from ase.io import read
    from pymatgen.core.structure import Structure

    path = tmp_path / "x.extxyz"
    path.write_text(to_extxyz(explanation))
    atoms = read(path)
    assert atoms.arrays["local_voltage"] == pytest.approx([s.local_voltage for s in explanation.sites], abs=1e-4)
    assert atoms.info["ionvolt_voltage"] == pytest.approx(explanation.prediction.voltage, abs=1e-4)
    structure = Structure.from_dict(to_structure_json(explanation))
    assert structure.site_properties["contribution"] == pytest.approx([s.contribution for s in explanation.sites])
    for again in (
        as_crystal(path),
        as_crystal(structure),
        as_crystal(atoms),
        as_crystal(to_structure_json(explanation)),
    ):
        assert again.formula == explanation.prediction.formula
        assert np.abs(again.lattice - np.array(explanation.lattice)).max() < 1e-6


def test_notebooks_show_tables(result, explanation):
    assert "3.450" in result._repr_html_()
    assert "local_voltage" in explanation._repr_html_()
    results: ResultList = ResultList([result, ionvolt.InputError("<b>.cif", "it is bad", "Give another")])
    assert "&lt;b&gt;" in results._repr_html_()
    assert list(results.to_frame()["source"]) == ["x.cif", "<b>.cif"]


def test_many_are_answered_in_their_order_and_progress_is_told():
    told: list[tuple[int, int]] = []
    crystals = [crystal_of(TIS2), "nonsense.cif", crystal_of(LIFEPO4)]
    found = ionvolt.predict_many(
        crystals, "Li", model="cgcnn-mp2020", progress=lambda done, total, words: told.append((done, total))
    )
    assert [isinstance(f, ionvolt.InputError) for f in found] == [False, True, False]
    assert told == [(1, 3), (2, 3), (3, 3)]
    explained = ionvolt.explain_many(crystals, "Li", model="cgcnn-mp2020", progress=True)
    assert explained[0].prediction.voltage == pytest.approx(found[0].voltage, abs=1e-5)
    assert isinstance(explained[1], ionvolt.InputError)


def test_a_loaded_model_is_for_one_process():
    model = ionvolt.load_model("cgcnn-mp2020")
    with pytest.raises(ionvolt.IonVoltError, match="n_jobs=1"):
        ionvolt.predict_many([crystal_of(TIS2)], "Li", model=model, n_jobs=2)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "energy"), [("chgnet-0.3.0", -7.34), ("7net-mf-0:r2scan", -13.77), ("file", -6.77)])
def test_a_calculator_of_ase(name, energy):
    import sevenn
    from ase.build import bulk

    if name == "file":
        (path,) = Path(sevenn.__file__).parent.glob("pretrained_potentials/SevenNet_MF_0/*.pth")
        name = f"{path}:pbe"
    atoms = bulk("NaCl", "rocksalt", a=5.7)
    atoms.calc = ionvolt.calculator(name)
    assert atoms.get_potential_energy() == pytest.approx(energy, abs=0.01)
    assert np.abs(atoms.get_forces()).max() < 1e-3
    assert atoms.get_stress().shape == (6,)
    assert isinstance(ionvolt.calculator(atoms.calc.potential), type(atoms.calc))
