"""From calculated to measured voltages: the class of an electrode, the regression, the estimate."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from ionvolt.errors import ModelError
from ionvolt.experiment.cathodes import host_structures
from ionvolt.ions import remove_ion, working_ion
from ionvolt.models.measured.chemistry import ElectrodeChemistry, chemistry_of
from ionvolt.models.measured.estimate import (
    FOLDERS,
    expected_measured,
    functional_gap,
    load_measured,
    measured_of,
    read_measured,
    save_measured,
)
from ionvolt.models.measured.regression import COLUMNS, Electrode, Penalty, columns, fit, matrix, share_class
from ionvolt.models.registry import SHIPPED, shipped_models

OLIVINE = ElectrodeChemistry("Li", 1, "polyanion", {"Fe": 1.0}, 1.0, layered=False, fully_extracted=False)
SULFIDE = ElectrodeChemistry("Mg", 2, "chalcogenide", {"Ti": 1.0}, 0.0, layered=True, fully_extracted=False)
CLASSES = [
    OLIVINE,
    SULFIDE,
    ElectrodeChemistry("Na", 1, "oxide", {"Cr": 1.0}, 1.0, layered=True, fully_extracted=True),
    ElectrodeChemistry("Zn", 2, "cyanide", {"Mn": 0.5, "Fe": 0.5}, 0.0, layered=False, fully_extracted=False),
    ElectrodeChemistry("Li", 1, "oxide", {"Ti": 1.0}, 0.0, layered=False, fully_extracted=False),
]

WAYS = {
    "ends with r2SCAN": ("both", -0.3, 0.0),
    "ends": ("both", None, 0.0),
    "discharged": ("discharged", None, 0.24),
    "host": ("charged", None, 0.34),
}
"""What is known of an electrode: its ends, the gap of functionals, and how unsure the prediction is."""


def host(name: str, ion: str):
    crystal = host_structures()[name].crystal(primitive=True)
    return remove_ion(crystal, working_ion(ion)) if ion in crystal.composition else crystal


# -- the class --


@pytest.mark.parametrize(
    ("name", "ion", "anion", "centres", "hubbard", "layered", "fully_extracted"),
    [
        ("LiFePO4", "Li", "polyanion", {"Fe": 1.0}, 1.0, False, False),
        ("LiNi0.5Mn1.5O4", "Li", "oxide", {"Ni": 1.0}, 1.0, False, False),  # Mn stays +4
        ("NaCrO2", "Na", "oxide", {"Cr": 1.0}, 1.0, True, True),
        ("V2O5", "Mg", "oxide", {"V": 1.0}, 1.0, True, False),
        ("TiS2", "Li", "chalcogenide", {"Ti": 1.0}, 0.0, True, False),
        ("Ti2S4", "Mg", "chalcogenide", {"Ti": 1.0}, 0.0, False, False),
        ("anatase", "Li", "oxide", {"Ti": 1.0}, 0.0, False, False),
        ("MnFe(CN)6", "Zn", "cyanide", {"Mn": 0.5, "Fe": 0.5}, 0.0, False, False),
        ("NaV2(PO4)3", "Ca", "polyanion", {"V": 1.0}, 1.0, False, False),
        ("FeF3", "Li", "fluoride", {"Fe": 1.0}, 1.0, False, False),
    ],
)
def test_the_class_of_a_host(name, ion, anion, centres, hubbard, layered, fully_extracted):
    found = chemistry_of(host(name, ion), ion)
    assert (found.anion, found.centres, found.hubbard) == (anion, centres, hubbard)
    assert (found.layered, found.fully_extracted) == (layered, fully_extracted)


def test_a_layered_oxide_that_keeps_some_ion_is_not_fully_extracted():
    crystal = host_structures()["NaCrO2"].crystal()  # three formula units
    sodium = np.flatnonzero(crystal.numbers == 11)
    part = replace(
        crystal,
        numbers=np.delete(crystal.numbers, sodium[:1]),
        frac_coords=np.delete(crystal.frac_coords, sodium[:1], 0),
    )
    assert chemistry_of(part, "Na").layered
    assert not chemistry_of(part, "Na").fully_extracted


def test_layers_do_not_hang_on_the_cell():
    crystal = host_structures()["V2O5"].crystal()
    turned = replace(crystal, lattice=crystal.lattice @ np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0])
    moved = replace(crystal, frac_coords=crystal.frac_coords + 0.37)
    assert chemistry_of(turned, "Li").layered
    assert chemistry_of(moved, "Li").layered


# -- the regression --


def synthetic(n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        gap = float(rng.normal(0, 0.3))
        found.append(Electrode(CLASSES[int(rng.integers(len(CLASSES)))], float(rng.uniform(0.5, 4.5)), gap))
    return found


def test_it_finds_the_share_of_the_gap_and_an_offset():
    electrodes = synthetic(300)
    rows = matrix(electrodes)
    no_u = np.array([e.gap * (share_class(e.chemistry) == "no U") for e in electrodes])
    wanted = 0.8 * no_u + np.array([0.3 * (e.chemistry is OLIVINE) for e in electrodes])
    found = fit(rows, wanted, np.full(300, 0.02), Penalty(1.0, 0.5, 0.5, 0.5, noise=0.02))
    assert np.abs(found.correction(rows) - wanted).mean() < 0.01
    assert found.weights[COLUMNS.index("share no U")] == pytest.approx(0.8, abs=0.05)


def test_shares_stay_between_none_and_all():
    electrodes = synthetic(200)
    rows = matrix(electrodes)
    wild = np.array([5 * (e.gap or 0) for e in electrodes])
    shares = fit(rows, wild, np.full(200, 0.05), Penalty(share=10.0)).weights[:4]
    assert (shares <= 1).all()
    assert shares.max() == pytest.approx(1)
    shares = fit(rows, -wild, np.full(200, 0.05), Penalty(share=10.0)).weights[:4]
    assert (shares >= 0).all()
    assert shares.min() == pytest.approx(0)


def test_without_data_the_prior_answers():
    regression = fit(np.zeros((0, len(COLUMNS))), np.zeros(0), np.zeros(0), Penalty())
    assert regression.correction(columns(Electrode(OLIVINE, 3.4, None))[None]) == pytest.approx(0)


# -- the shipped models --


@pytest.mark.parametrize("way", list(FOLDERS))
@pytest.mark.parametrize("chemistry", CLASSES, ids=lambda chemistry: f"{chemistry.anion} {chemistry.ion}")
def test_it_rises_with_either_functional(chemistry, way):
    """A higher PBE+U voltage at the same r2SCAN one, and the other way round, never lowers the answer."""
    model, gap = load_measured(way), way == "ends with r2SCAN"
    for pbe in np.linspace(0.8, 4.2, 8):
        for r2scan in (pbe - 0.2, pbe + 0.2):
            at = lambda p, r: Electrode(chemistry, p, r - p if gap else None)  # noqa: E731
            here = model.estimate(at(pbe, r2scan)).voltage
            assert model.estimate(at(pbe + 0.05, r2scan)).voltage >= here - 1e-9
            assert model.estimate(at(pbe, r2scan + 0.05)).voltage >= here - 1e-9


def test_far_from_every_measured_electrode_the_calculated_voltage_stands():
    model = load_measured()
    rhenium = replace(OLIVINE, centres={"Re": 1.0})
    near, far = model.estimate(Electrode(OLIVINE, 3.4, -0.3)), model.estimate(Electrode(rhenium, 3.4, -0.3))
    assert (near.basis, near.in_domain, near.reasons) == ("corrected", True, ())
    assert (far.basis, far.in_domain, far.voltage) == ("calculated", False, 3.4)
    assert "Re" in far.reasons[0]
    assert far.upper - far.lower > near.upper - near.lower
    assert "outside" in model.estimate(Electrode(OLIVINE, 9.0, 0.0)).reasons[0]
    assert "functionals" in model.estimate(Electrode(OLIVINE, 3.4, 3.0)).reasons[0]


def test_an_uncertain_calculation_widens_the_interval():
    for way in ("discharged", "host"):
        model = load_measured(way)
        sharp, blunt = (model.estimate(Electrode(OLIVINE, 3.4, None, std)) for std in (0.1, 0.6))
        assert sharp.voltage == blunt.voltage
        assert blunt.upper - blunt.lower > sharp.upper - sharp.lower
        far = model.estimate(Electrode(replace(OLIVINE, centres={"Re": 1.0}), 3.4, None, 0.6))
        assert far.upper - far.voltage >= 1.645 * 0.6


def test_each_way_has_intervals_of_its_own():
    """The less is known of an electrode, the wider."""
    widths = {}
    for way, (known, gap, std) in WAYS.items():
        found = load_measured(way).estimate(Electrode(OLIVINE, 3.4, gap, std))
        assert found.in_domain
        widths[way] = found.upper - found.lower
        assert (
            expected_measured("Li", host("LiFePO4", "Li"), 3.4, end_members=known, gap=gap, calculated_std=std) == found
        )
    assert widths["ends with r2SCAN"] < widths["discharged"] < widths["host"]


def test_what_a_result_carries():
    @dataclass(frozen=True)
    class Result:
        voltage: float = 3.4
        voltage_measured: float | None = 3.5
        voltage_measured_lower: float | None = 3.1
        voltage_measured_upper: float | None = 3.9
        measured_basis: str = "corrected"

    found = measured_of(Result())
    assert found is not None
    assert (found.voltage, found.lower, found.upper, found.calculated) == (3.5, 3.1, 3.9, 3.4)
    assert (found.basis, found.in_domain, found.reasons) == ("corrected", True, ())
    far = load_measured("ends").estimate(Electrode(replace(OLIVINE, centres={"Re": 1.0}), 9.0))
    again = measured_of(Result(9.0, far.voltage, far.lower, far.upper, far.basis_in_words))
    assert again is not None
    assert (again.basis, again.in_domain, again.reasons) == (far.basis, False, far.reasons)
    assert measured_of(Result(voltage_measured=None)) is None


def test_it_is_read_as_it_was_written(tmp_path):
    model = load_measured()
    save_measured(model, tmp_path / "model")
    again = read_measured(tmp_path / "model")
    electrode = Electrode(SULFIDE, 0.9, 0.14)
    assert again.estimate(electrode) == model.estimate(electrode)
    with pytest.raises(ModelError, match="not of measured voltages"):
        read_measured(SHIPPED / "cgcnn-mp2020")


def test_it_is_no_predictor():
    assert not any("measured" in name for name in shipped_models())


@pytest.mark.slow
def test_the_whole_way_from_crystals():
    """Both ends of LiTiS2: r2SCAN lies above PBE+U in sulfides, and so does the measured voltage."""
    full, empty = (host_structures()[name].crystal() for name in ("LiTiS2", "TiS2"))
    gap = functional_gap(full, empty, "Li")
    assert 0.05 < gap < 0.4
    found = expected_measured("Li", empty, 1.90, gap=gap)
    assert found.in_domain
    assert 1.95 < found.voltage < 2.35
    assert found.lower < 2.1 < found.upper
