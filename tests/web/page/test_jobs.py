"""Answers as they come, and work that takes minutes; the server's answers are made up where they have to be."""

import json
import re

import pytest

from ionvolt.ions import WORKING_IONS
from ordering.cells import NMC811, P2_BRONZE
from web.page.browser import EXAMPLES, downloaded, example, expect, needs_browser, result, sideways, voltages

pytestmark = [pytest.mark.slow, needs_browser]


# ---- Answers as they come ----


def predicted(ion, voltage=2.0, **more):
    return {
        "source": "x",
        "formula": "TiS2",
        "working_ion": ion,
        "voltage": voltage,
        "voltage_std": 0.2,
        "model": "stand-in",
        "end_members": "charged",
        "capacity_grav": 200.0,
        "energy_grav": 400.0,
        "warnings": [],
        "voltage_lower": None,
        "voltage_upper": None,
        "epistemic_std": 0.1,
        "in_domain": True,
        "voltage_potential": None,
        "host_formula": "TiS2",
        "removed": {},
        "capacity_vol": 600.0,
        "energy_vol": 1200.0,
        "capacity_is_estimate": True,
        "full_extraction": None,
        "voltage_measured": None,
        "voltage_measured_lower": None,
        "voltage_measured_upper": None,
        "measured_basis": "",
    } | more


def problem(kind, rule, remedy):
    return {
        "type": f"urn:ionvolt:problem:{kind}", "title": "The time limit was passed", "status": 504, "detail": rule,
        "source": "TiS2", "rule": rule, "remedy": remedy,
    }  # fmt: skip


READ = ("structure", {"index": 0, "name": "TiS2", "formula": "TiS2", "n_atoms": 3, "holds": []})
LATE = problem("time-limit", "its answer took longer than the 10 s that this server gives", "Give the primitive cell")


def of(ion, **content):
    return {"index": 0, "working_ion": ion, **content}


def answers(voltages):
    return [("prediction", of(ion, prediction=predicted(ion, voltage))) for ion, voltage in voltages.items()]


def emit_events(page, *events, ended=True):
    """Answer the next job with these events; without an end, the job goes on for ever. Returns what was given up."""
    all_events = [
        (kind, content | {"done": n, "total": 10, "seconds_left": 7.0}) for n, (kind, content) in enumerate(events)
    ]
    if ended:
        all_events.append(("end", {"status": "done", "problem": None}))
    text = "retry: 600000\n\n" + "".join(
        f"id: {n}\nevent: {kind}\ndata: {json.dumps(content)}\n\n" for n, (kind, content) in enumerate(all_events)
    )
    given_up = []

    def job(route):
        if route.request.method == "DELETE":
            given_up.append(route.request.url)
            route.fulfill(status=200, json={})
        elif route.request.url.endswith("/events"):
            route.fulfill(status=200, content_type="text/event-stream", body=text)
        else:
            route.fulfill(status=202, json={"id": "a-job"})

    page.route(re.compile("/api/v1/jobs"), job)  # the latest route goes first
    return given_up


def test_the_card_says_what_a_cell_is_expected_to_show(opened):
    """Corrected by measured electrodes for Li; for Na none is near; none for Mg."""
    page = opened()
    near = predicted(
        "Li", 3.42, voltage_measured=3.45, voltage_measured_lower=3.1, voltage_measured_upper=3.8,
        measured_basis="corrected",
    )  # fmt: skip
    far = predicted(
        "Na", 3.0, voltage_measured=3.0, voltage_measured_lower=2.0, voltage_measured_upper=4.0,
        measured_basis="calculated: no measured electrode of Re",
    )  # fmt: skip
    emit_events(page, READ, *(("prediction", of(p["working_ion"], prediction=p)) for p in (near, far, predicted("Mg"))))
    page.locator('.chip[data-id="TiS2"]').click()
    sentence = page.locator("#card .expectation")
    for ion, words in (
        ("Li", "Calculated 3.42 V; expect 3.45 ± 0.35 V in a cell"),
        ("Na", "Calculated 3.00 V; expect 3.00 ± 1.00 V in a cell (no measured electrode of Re)"),
    ):
        page.locator(f'#chart [data-ion="{ion}"]').click()
        expect(sentence).to_have_text(words)
    page.locator('#chart [data-ion="Mg"]').click()
    expect(page.locator("#card .number")).to_have_text("2.00")
    expect(sentence).to_have_count(0)


def test_answers_are_shown_as_they_come_and_can_be_cancelled(opened):
    page = opened()
    given_up = emit_events(
        page, READ, ("prediction", {"index": 0, "working_ion": "Li", "prediction": predicted("Li")}), ended=False
    )
    page.locator('.chip[data-id="TiS2"]').click()
    expect(page.locator("#card .number")).to_have_text("2.00")
    expect(page.locator("#result")).to_have_attribute("aria-busy", "true")
    assert page.locator("#chart .ghost").count() == 9
    bar = page.locator("#progress")
    expect(bar).to_have_attribute("aria-valuenow", "10")
    expect(page.locator("#progress-text")).to_have_text("1 of 10 ions, about 7 s left")
    page.locator('#chart [data-ion="Mg"]').click()
    expect(page.locator("#card")).to_contain_text("Computing the voltage against Mg metal")
    page.locator("#cancel").click()
    expect(page.locator("#result")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#running")).to_be_hidden()
    expect(page.locator("#card .number")).to_have_text("–")
    expect(page.locator("#chart-refused")).to_contain_text(
        "No voltage for Na, K, Rb, Cs, Mg, Ca, Zn, Al, Y: You cancelled it."
    )
    assert given_up == [url for url in given_up if url.endswith("/jobs/a-job")] != []
    # What has come stays, and the rest is asked for again on demand.
    emit_events(
        page,
        READ,
        *(("prediction", {"index": 0, "working_ion": ion, "prediction": predicted(ion, 1.0)}) for ion in WORKING_IONS),
    )
    page.locator("#retry").click()
    expect(page.locator('#chart [data-ion="Y"] text.value')).to_have_text("1.00")
    assert voltages(page) == {ion: "2.00" if ion == "Li" else "1.00" for ion in WORKING_IONS}


def test_a_late_ion_takes_no_other_along_and_is_no_refusal(opened):
    page = opened()
    emit_events(
        page, READ, *answers({ion: 2.0 for ion in WORKING_IONS if ion != "K"}), ("refused", of("K", problem=LATE))
    )
    page.locator('.chip[data-id="TiS2"]').click()
    expect(page.locator("#chart-refused")).to_contain_text("No voltage for K: Its answer took longer than the 10 s")
    assert voltages(page)["K"] == "–"
    page.locator('#chart [data-ion="K"]').click()
    expect(page.locator("#card .remedy")).to_have_text("Give the primitive cell.")
    assert "refused" not in page.locator("main").inner_text().lower()
    emit_events(page, READ, *answers({"K": 3.0}))
    page.locator("#retry-ion").click()
    expect(page.locator("#card .number")).to_have_text("3.00")


def test_numbers_of_before_are_dimmed_until_new_ones_come(opened):
    page = example(opened(), "TiS2")
    before = page.locator("#card .number").text_content()
    emit_events(page, READ, ended=False)
    page.locator("[name=assume][value=charged]").check()
    expect(page.locator("#card.stale .number")).to_have_text(before)
    expect(page.locator("#card .renewing")).to_contain_text("being computed again")
    # One call finds and looks: an element found before may have been replaced since.
    dimmed = "() => parseFloat(getComputedStyle(document.querySelector('#card .voltage')).opacity) < 0.6"
    page.wait_for_function(dimmed)
    expect(page.locator("#chart .bar.stale")).to_have_count(10)


def test_more_ions_ask_only_for_what_is_not_known(opened):
    page = opened("#example=TiS2&ions=Li.Mg")
    expect(page.locator("#chart [data-ion]")).to_have_count(2)
    expect(page.locator("#result")).to_have_attribute("aria-busy", "false")
    asked = []
    page.on("request", lambda r: asked.append(r.post_data_json["ions"]) if r.url.endswith("/jobs") else None)
    page.get_by_label("Ca", exact=True).check(force=True)
    expect(page.locator('#chart [data-ion="Ca"] .fill')).to_have_count(1)
    assert asked == [["Ca"]]


def test_doubts_about_the_structure_come_after_the_voltages(opened):
    page = opened()
    doubts = ["TiS2 is not relaxed: forces of up to 9 eV/Å (limit 3)"]
    told = predicted("Li", 2.0) | {"in_domain": False, "warnings": doubts}
    event = ("doubts", {"index": 0, "doubts": doubts, "predictions": [told]})
    emit_events(page, READ, *answers({"Li": 2.0}), event, ended=False)
    page.locator('.chip[data-id="TiS2"]').click()
    expect(page.locator("#card .domain.outside")).to_be_visible()
    expect(page.locator("#card .warnings")).to_contain_text("is not relaxed")


def test_discharged_with_all_ions_answers_the_one_that_is_held(opened):
    page = example(opened(), "LiFePO4")
    page.locator("[name=assume][value=discharged]").check()
    expect(page.locator("#chart-refused")).to_contain_text("No voltage for Na, K, Rb, Cs, Mg, Ca, Zn, Al, Y")
    expect(page.locator("#card .state")).to_have_text("Discharged")
    assert [ion for ion, value in voltages(page).items() if value != "–"] == ["Li"]
    expect(page.locator("#retry")).to_have_count(0)  # another try would not help


# ---- Both ends, formulas, and work that takes minutes ----


def long_job(page, outcome):
    """Answer the next job that takes minutes with an outcome; others go to the server. Returns what was asked for."""
    asked = []
    events = [
        ("progress", {"text": "relaxing the charged host", "seconds_left": 90.0}),
        ("result", {"result": outcome["result"]}),
        ("end", {"status": "done", "problem": None}),
    ]
    text = "retry: 600000\n\n" + "".join(
        f"id: {n}\nevent: {kind}\ndata: {json.dumps(content | {'done': n, 'total': 1})}\n\n"
        for n, (kind, content) in enumerate(events)
    )

    def job(route):
        request = route.request
        if request.method == "POST" and request.post_data_json["kind"] != "predict":
            asked.append(request.post_data_json)
            route.fulfill(status=202, json={"id": "long-job"})
        elif request.url.endswith("/long-job/events"):
            route.fulfill(status=200, content_type="text/event-stream", body=text)
        elif request.url.endswith("/long-job"):
            route.fulfill(json={"id": "long-job", "status": "done", "outcome": outcome})
        else:
            route.fallback()

    page.route(re.compile("/api/v1/jobs"), job)
    return asked


def structure_file(role, formula):
    texts = {"cif": f"data_{formula}", "poscar": formula, "extxyz": "1\n", "pymatgen": "{}"}
    return {"role": role, "formula": formula, "n_atoms": 1, "oxidation": None} | texts


STEPS = [
    {"voltage": 2.4, "formula_charged": "MnO2", "formula_discharged": "MgMn4O8", "filling_charged": 0.0,
     "filling_discharged": 0.5, "volume_change": 0.04},
    {"voltage": 1.8, "formula_charged": "MgMn4O8", "formula_discharged": "MgMn2O4", "filling_charged": 0.5,
     "filling_discharged": 1.0, "volume_change": 0.06},
]  # fmt: skip
COMPUTED = {
    "source": "MgMn2O4", "formula_charged": "MnO2", "formula_discharged": "MgMn2O4", "working_ion": "Mg",
    "voltage": 2.75, "voltage_lower": 2.5, "voltage_upper": 3.0, "voltage_potential": 2.1, "model": "delta-mp2025",
    "volume_change": 0.101, "capacity_grav": 270.4, "capacity_vol": 1169.0, "energy_grav": 743.0, "energy_vol": 3215.0,
    "seconds": 95.0, "steps": 61, "converged": True, "warnings": ["the potential was trained on PBE+U"],
    "profile": {"steps": STEPS, "average": 2.1, "n_ions": 4, "n_computed": 9, "converged": True},
}  # fmt: skip


def test_a_computed_electrode_with_its_profile(opened):
    page = example(opened(), "MgMn2O4")
    ends = [structure_file("discharged", "MgMn2O4"), structure_file("charged", "MnO2")]
    asked = long_job(page, {"result": COMPUTED, "structures": ends})
    page.locator('#chart [data-ion="Mg"]').click()
    page.locator("#with-profile").check()
    page.locator("#compute").click()
    expect(page.locator("#long .number")).to_have_text("2.75")
    assert asked == [{"kind": "compute", "structure": {"example": "MgMn2O4"}, "ion": "Mg", "profile": True}]
    facts = page.locator("#long .facts")
    for words in ("10.1 %", "270 mAh/g", "1169 mAh/cm³", "743 Wh/kg", "3215 Wh/L", "2.50 to 3.00 V"):
        expect(facts).to_contain_text(words)
    expect(page.locator("#profile-plot path.step")).to_have_count(1)
    assert "2 steps" in page.locator("#profile-plot svg").get_attribute("aria-label")
    rows = page.locator("#long .profile tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("2.40")
    name, text = downloaded(page, "#long .files >> text=CIF >> nth=1")
    assert (name, text) == ("MnO2-charged.cif", "data_MnO2")
    # It is found again, also when the page was closed meanwhile.
    page.reload()
    expect(page.locator("#job-list li")).to_contain_text("MgMn2O4, Mg, profile")
    page.locator("#job-list button").click()
    expect(page.locator("#long .number")).to_have_text("2.75")
    assert sideways(page) <= 0


def test_a_disordered_structure_is_ordered(opened):
    page = opened()
    page.set_input_files("#files", {"name": "nmc.cif", "mimeType": "text/plain", "buffer": NMC811.encode()})
    expect(page.locator("#problem")).to_contain_text("the structure is disordered")
    orderings = [
        {"n_atoms": 40, "weight": w, "degeneracy": 2, "energy": e, "electrostatic_energy": -1.0}
        for w, e in ((0.75, -240.0), (0.25, -239.6))
    ]
    voltage = predicted("Li", 3.7) | {"spread": 0.05}
    found = {
        "source": "nmc.cif", "formula": "Li10Ni8MnCoO20", "primitive_cells": 10, "distinct_found": 2, "complete": True,
        "temperature": 1000.0, "charges": {}, "warnings": [], "orderings": orderings, "predictions": [voltage],
    }  # fmt: skip
    asked = long_job(page, {"result": found, "structures": [structure_file("ordering", "A"), TIS2]})
    page.locator("#order").click()
    expect(page.locator("#long")).to_contain_text("2 distinct orderings")
    assert (asked[0]["kind"], asked[0]["structure"]["name"]) == ("order", "nmc.cif")
    expect(page.locator("#long")).to_contain_text("10.0")  # meV/atom above the lowest
    expect(page.locator("#long")).to_contain_text("3.70 ± 0.20")
    page.locator("#long button:has-text('Predict this one')").nth(1).click()
    expect(result(page).locator("#card .what")).to_contain_text("nmc.cif, ordering 2")


def test_an_electrode_is_varied(opened):
    page = example(opened(), "MgMn2O4")
    base = {
        "front": 1, "formula_charged": "MnO2", "parent": "MgMn2O4", "kind": "isovalent", "stage": "predicted",
        "voltage_predicted": 2.8, "voltage_measured": None, "model": "cgcnn-mp2020", "capacity_vol": 1100.0,
        "energy_vol": 3000.0, "volume_change": None, "distance": None, "warnings": [],
    }  # fmt: skip
    designs = [
        base | {"rank": n, "formula": f, "substitutions": [s], "voltage": v, "voltage_lower": v - 0.5, "missed": m,
                "voltage_upper": v + 0.5, "capacity_grav": 270.0, "energy_grav": 270 * v, "in_domain": True}
        for n, f, s, v, m in ((1, "MgCr2O4", "Mn to Cr", 3.2, []), (2, "MgV2O4", "Mn to V", 2.1, ["voltage"]))
    ]  # fmt: skip
    found = {
        "working_ion": "Mg", "settings": {"voltage": [2.5, 20]}, "parents": ["MgMn2O4"], "proposed": 7, "balanced": 2,
        "designs": designs, "refused": [],
    }  # fmt: skip
    asked = long_job(page, {"result": found, "structures": [structure_file("design", "A"), TIS2]})
    page.locator("#vary summary").click()
    page.fill("#vary-low", "2.5")
    page.fill("#vary-without", "Co, Ni")
    page.locator("#vary-go").click()
    expect(page.locator("#long")).to_contain_text("7 substitutions were tried")
    assert asked == [
        {
            "kind": "design",
            "structure": {"example": "MgMn2O4"},
            "ion": "Mg",
            "voltage": [2.5, 20],
            "exclude": ["Co", "Ni"],
        }
    ]
    expect(page.locator("#long")).to_contain_text("1 miss the voltage")
    rows = page.locator("#long tbody tr")
    expect(rows.first).to_contain_text("2.70 to 3.70")
    assert sideways(page) <= 0
    page.locator("#long button:has-text('Predict this one')").nth(1).click()
    expect(result(page).locator("#card .what")).to_contain_text("MgV2O4, not relaxed")


TIS2 = structure_file("ordering", "TiS2") | {"cif": (EXAMPLES / "TiS2.cif").read_text()}


def test_both_ends_and_how_much_of_the_ion_goes_in(opened):
    page = example(opened(), "TiS2")
    page.locator('#chart [data-ion="Mg"]').click()
    expect(page.locator("#card .facts")).to_contain_text("≈")
    page.locator("#more summary").click()
    page.locator("#discharged-formula").fill("MgTi4S8")
    page.locator("#discharged-formula").press("Tab")
    result(page)
    # Half an ion for two Ti: 2 × 26801 mAh over 472.3 g.
    expect(page.locator("#card .facts")).to_contain_text("113 mAh/g")
    expect(page.locator("#card .facts")).not_to_contain_text("≈")
    page.reload()  # the link holds it, too
    result(page)
    expect(page.locator("#discharged-formula")).to_have_value("MgTi4S8")
    expect(page.locator("#card .facts")).to_contain_text("113 mAh/g")
    page.locator("#discharged-formula").fill("")
    page.locator("#discharged-formula").press("Tab")
    asked = []
    page.on("request", lambda r: asked.append(r.post_data_json) if r.url.endswith("/jobs") else None)
    page.set_input_files("#charged-file", EXAMPLES / "Mn2O4.cif")
    expect(page.locator("#charged-clear")).to_be_visible()
    example(page, "LiMn2O4")
    assert asked[-1]["charged"]["name"] == "Mn2O4.cif"
    page.reload()
    expect(page.locator("#charged-clear")).to_have_text("Clear Mn2O4.cif")
    result(page)
    assert asked[-1]["charged"]["name"] == "Mn2O4.cif"
    page.locator("#charged-clear").click()
    page.wait_for_function("() => document.querySelector('#charged-clear').hidden")
    result(page)
    assert "charged" not in asked[-1]


def test_exchange_is_asked_for(opened):
    page = opened()
    asked = []
    page.on("request", lambda r: asked.append(r.post_data_json) if r.url.endswith("/jobs") else None)
    emit_events(page, READ, *answers({"Na": 2.5}))
    page.locator("#more summary").click()
    page.locator("#exchange").check()
    page.locator('.chip[data-id="LiCoO2"]').click()
    expect(page.locator("#chart [data-ion=Na]")).to_be_visible()
    assert asked[-1]["exchange"] is True


# ---- What a researcher wants to see ----


def test_structure_files(opened):
    from pymatgen.core import Structure

    page = example(opened(), "LiFePO4")
    name, text = downloaded(page, "[data-format=cif]")
    assert name == "LiFePO4.cif"
    assert Structure.from_str(text, fmt="cif").composition.reduced_formula == "LiFePO4"
    page.locator("#file-role").select_option("charged")
    name, text = downloaded(page, "[data-format=poscar]")
    assert name == "FePO4-charged.vasp"
    assert Structure.from_str(text, fmt="poscar").composition.reduced_formula == "FePO4"
    _, text = downloaded(page, "[data-format=extxyz]")
    assert text.startswith("24\nLattice=")
    _, text = downloaded(page, "[data-format=pymatgen]")
    assert len(Structure.from_dict(json.loads(text))) == 24


def test_known_electrodes_stand_beside_the_prediction(opened):
    page = example(opened(), "MgMn2O4")
    expect(page.locator("#landscape")).to_be_visible()
    expect(page.locator("#landscape-plot .dot.measured").first).to_be_attached()
    expect(page.locator("#landscape-plot .dot.own")).to_have_count(1)
    known = page.evaluate("() => fetch('/api/v1/landscape/Mg').then((answer) => answer.json())")
    assert len(known["measured"]) >= 5
    nearest = min(10, len(known["measured"]) + len(known["electrodes"]))
    expect(page.locator("#landscape-table tbody tr")).to_have_count(nearest)
    expect(page.locator("#landscape-table")).to_contain_text("measured")
    assert "Mg electrodes" in page.locator("#landscape-plot svg").get_attribute("aria-label")


def test_a_server_without_a_table_says_so(opened):
    page = example(opened(), "MgMn2O4")
    expect(page.locator("#landscape-source")).to_contain_text("Measured cathodes only")
    expect(page.locator("#landscape-source")).to_contain_text("ionvolt data landscape")


def test_a_table_of_computed_electrodes_is_drawn_and_owed(opened):
    page = opened()
    known = [{"formula": f"MgX{n}", "id": f"mp-{n}", "voltage": 1 + n / 50, "capacity": 100 + 2 * n} for n in range(60)]
    known += [{"formula": "Mg2Sn", "id": "mp-2343", "voltage": 0.1, "capacity": 2300}]
    table = {"ion": "Mg", "table": True, "attribution": "Of someone", "electrodes": known, "measured": []}
    page.route("**/api/v1/landscape/Mg", lambda route: route.fulfill(json=table))
    example(page, "MgMn2O4")
    expect(page.locator("#landscape-source")).to_contain_text("Of someone")
    expect(page.locator("#landscape-note")).to_contain_text("of 61 computed Mg electrodes")
    # One of huge capacity does not press the others together.
    expect(page.locator("#landscape-note")).to_contain_text("1 of a capacity above")
    expect(page.locator("#landscape-plot .dot.own")).to_have_count(1)
    rows = page.locator("#landscape-table tbody tr")
    expect(rows).to_have_count(10)
    expect(rows.first).to_contain_text("mp-")


def test_partly_filled_sites_are_answered_and_can_be_ordered(opened):
    page = opened()
    page.set_input_files("#files", {"name": "p2.cif", "mimeType": "text/plain", "buffer": P2_BRONZE.encode()})
    result(page)
    expect(page.locator("#card .against")).to_have_text("against Na metal")
    expect(page.locator("#card .state")).to_have_text("Emptied host")
    expect(page.locator("#card .host")).to_contain_text("Na on partly filled sites was removed first")
    expect(page.locator("#chart-refused")).to_contain_text("the structure is disordered")
    expect(page.locator("#order")).to_be_visible()


def test_a_formula_is_searched_for_where_the_server_has_a_key(opened):
    page = opened()
    found = [
        {"id": "mp-6", "formula": "TiO2", "space_group": "P4_2/mnm", "n_atoms": 6, "above_hull": 0.0},
        {"id": "mp-5", "formula": "TiO2", "space_group": "", "n_atoms": None, "above_hull": None},
    ]
    page.route("**/api/v1/models", lambda route: route.fulfill(json=route.fetch().json() | {"materials_project": True}))
    page.route("**/api/v1/materials?formula=TiO2", lambda route: route.fulfill(json={"materials": found}))
    page.reload()
    page.locator("#mp").fill("TiO2")
    page.locator("#mp").press("Enter")
    expect(page.locator("#mp-found li")).to_have_count(2)
    expect(page.locator("#mp-found li").first).to_contain_text("P4_2/mnm, 6 atoms, 0 meV/atom above the hull")
    expect(page.locator("#mp-note")).to_have_text("2 materials, the most stable first")
    with page.expect_request(lambda r: r.url.endswith("/api/v1/jobs")) as asked:
        page.locator("#mp-found button").first.click()
    assert asked.value.post_data_json["structures"] == [{"mp_id": "mp-6"}]
