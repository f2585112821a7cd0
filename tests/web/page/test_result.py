"""From a structure to its result: upload, paste, drop, link; voltages, atoms and tables."""

import csv
import io
import json
import os
import re
import urllib.request
import zipfile
from pathlib import Path

import pytest

from ionvolt.cli.predict import COLUMNS
from ionvolt.ions import WORKING_IONS
from web.page.browser import (
    EXAMPLES,
    SECONDS,
    downloaded,
    example,
    expect,
    needs_browser,
    result,
    voltages,
)

pytestmark = [pytest.mark.slow, needs_browser]


def test_an_uploaded_file_gets_its_voltage_for_all_ions(opened, server):
    page = opened()
    expect(page.locator("#empty")).to_be_visible()
    page.set_input_files("#files", EXAMPLES / "LiFePO4.cif")
    result(page)
    expect(page.locator("#empty")).to_be_hidden()
    assert list(voltages(page)) == list(WORKING_IONS)
    expect(page.locator("#card .what")).to_contain_text("LiFePO4.cif")
    expect(page.locator("#card .state")).to_have_text("Discharged")
    expect(page.locator("#card .facts")).to_contain_text("170 mAh/g")

    body = {"structures": [{"example": "LiFePO4"}], "ions": "all", "assume": "auto"}
    request = urllib.request.Request(
        f"{server}/api/v1/predict", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        predictions = json.load(answer)["results"][0]["predictions"]
    expected = {p["working_ion"]: f"{p['voltage']:.2f}".replace("-", "−") for p in predictions}
    assert voltages(page) == expected
    assert page.locator("#card .number").text_content() == expected["Li"]
    assert f"{expected['Li'].replace('−', '−')} volts" in page.locator("#live").text_content()


def test_a_bar_chooses_the_ion_and_caveats_are_told(opened):
    page = example(opened(), "LiFePO4")
    # All ions go into the same host, so that their voltages can be compared.
    expect(page.locator("#chart-kinds li")).to_have_count(1)
    expect(page.locator("#chart-kinds")).to_contain_text("FePO4")
    page.locator('#chart [data-ion="Mg"]').click()
    expect(page.locator("#card .against")).to_have_text("against Mg metal")
    expect(page.locator("#card .state")).to_have_text("Emptied host")
    expect(page.locator("#card .host")).to_contain_text("Li was removed first: Mg is inserted into FePO4")
    expect(page.locator("#card .facts")).to_contain_text("≈")
    expect(page.locator("#sites-note")).to_contain_text("24 atoms")
    page.locator("[name=assume][value=charged]").check()
    expect(page.locator("#card .state")).to_have_text("Charged host")
    expect(page.locator("#chart-kinds li")).to_have_count(1)
    example(page, "TiS2")
    expect(page.locator("#card .warnings")).to_contain_text("the model was trained on")


def test_choosing_ions_and_what_the_structure_is_taken_as(opened):
    page = example(opened(), "LiFePO4")
    page.locator("#all-ions").uncheck(force=True)
    expect(page.locator("#no-ion")).to_be_visible()
    page.get_by_label("Zn", exact=True).check(force=True)
    expect(page.locator("#chart [data-ion]")).to_have_count(1, timeout=SECONDS * 1000)
    expect(page.locator("#card .against")).to_have_text("against Zn metal")
    page.locator("[name=assume][value=discharged]").check()
    expect(page.locator("#problem")).to_contain_text("holds no Zn")
    page.locator("[name=assume][value=charged]").check()
    expect(page.locator("#card .state")).to_have_text("Charged host")


def test_the_table_of_sites_sorts(opened):
    page = example(opened(), "LiFePO4")
    head = page.locator('#site-table thead th:has-text("Local voltage")')

    def column():
        cells = page.locator('#site-table td[data-key="local_voltage"]').all_text_contents()
        return [float(re.match(r"[\d.−]+", cell)[0].replace("−", "-")) for cell in cells]

    assert len(column()) == 24
    head.locator("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    assert column() == sorted(column(), reverse=True)
    head.locator("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert column() == sorted(column())
    page.locator('#site-table thead th:has-text("Element") button').click()
    elements = page.locator('#site-table td[data-key="element"]').all_text_contents()
    assert elements == sorted(elements)
    assert page.locator("#element-table tbody tr").count() == 3
    assert page.locator(".periodic .held").count() == 3
    assert "Fe" in page.locator(".periodic").get_attribute("aria-label")


def test_results_are_downloaded_in_the_form_of_the_command_line(opened):
    page = example(opened(), "LiFePO4")
    name, text = downloaded(page, "#card .actions >> text=CSV")
    assert name == "ionvolt.csv"
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["working_ion"] for row in rows] == list(WORKING_IONS)
    assert {ion: f"{float(row['voltage']):.2f}" for ion, row in zip(WORKING_IONS, rows, strict=True)} == {
        ion: text.replace("−", "-") for ion, text in voltages(page).items()
    }
    assert rows[0]["end_members"] == "discharged"
    assert "; " in rows[1]["warnings"] or "Li" in rows[1]["warnings"]
    name, text = downloaded(page, "#card .actions >> text=JSON")
    assert list(json.loads(text)[0]) == list(COLUMNS)
    name, text = downloaded(page, "#sites-csv")
    assert len(list(csv.DictReader(io.StringIO(text)))) == 24
    name, text = downloaded(page, "#sites-cif")
    assert "_atom_site_ionvolt_local_voltage" in text


def test_a_bad_file_is_refused_in_plain_words_and_its_name_stays_text(opened):
    page = opened()
    name = '<img src=x onerror="document.title=1">.cif'
    page.set_input_files("#files", {"name": name, "mimeType": "text/plain", "buffer": b"data_x\n_cell_length_a 4\n"})
    problem = page.locator("#problem")
    expect(problem).to_be_visible()
    expect(problem).to_contain_text("This structure was refused")
    expect(problem).to_contain_text("What to do")
    expect(problem.locator(".source")).to_have_text(name)
    assert problem.locator("img").count() == 0
    page.set_input_files("#files", {"name": "noise.cif", "mimeType": "text/plain", "buffer": os.urandom(3000)})
    expect(problem.locator(".source")).to_have_text("noise.cif")
    page.set_input_files("#files", {"name": "big.cif", "mimeType": "text/plain", "buffer": b"x" * 6_000_000})
    expect(problem).to_contain_text("It is larger than 5 MB.")
    assert "IonVolt" in page.title()
    example(page, "TiS2")
    expect(problem).to_be_hidden()


def test_gzipped_files_are_unpacked_and_bombs_refused(opened):
    import gzip

    page = opened()
    packed = gzip.compress((EXAMPLES / "TiS2.cif").read_bytes())
    page.set_input_files("#files", {"name": "TiS2.cif.gz", "mimeType": "application/gzip", "buffer": packed})
    expect(result(page).locator("#card .what")).to_contain_text("TiS2")
    bomb = gzip.compress(bytes(60_000_000))
    page.set_input_files("#files", {"name": "bomb.cif.gz", "mimeType": "application/gzip", "buffer": bomb})
    expect(page.locator("#problem")).to_contain_text("It is larger than 5 MB.")


def test_files_are_dropped_anywhere(opened):
    page = opened()
    page.evaluate(
        """text => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([text], "dropped.cif"));
          document.body.dispatchEvent(new DragEvent("dragenter", { dataTransfer, bubbles: true }));
          window.dropped = dataTransfer;
        }""",
        (EXAMPLES / "TiS2.cif").read_text(),
    )
    expect(page.locator("#veil")).to_be_visible()
    page.evaluate(
        """() => document.body.dispatchEvent(
          new DragEvent("drop", { dataTransfer: window.dropped, bubbles: true, cancelable: true }))"""
    )
    expect(result(page).locator("#card .what")).to_contain_text("dropped.cif")
    expect(page.locator("#veil")).to_be_hidden()


def test_a_zip_is_opened_in_the_browser(opened):
    page = opened()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("TiS2", "MoO3"):
            archive.write(EXAMPLES / f"{name}.cif", f"hosts/{name}.cif")
        archive.writestr("hosts/notes.txt", "no structure")
    page.set_input_files("#files", {"name": "a.zip", "mimeType": "application/zip", "buffer": packed.getvalue()})
    expect(page.locator("#batch-table tbody tr")).to_have_count(2)
    expect(page.locator("#batch-count")).to_have_text("2 structures")
    page.set_input_files("#files", {"name": "b.zip", "mimeType": "application/zip", "buffer": b"PK none"})
    expect(page.locator("#problem")).to_be_visible()


def test_pasted_text(opened):
    page = opened()
    page.locator("#paste summary").click()
    page.locator("#text").fill((EXAMPLES / "TiS2.cif").read_text())
    page.locator("#text-go").click()
    expect(result(page).locator("#card .what")).to_contain_text("pasted text")


def test_a_materials_project_id_without_a_key_says_what_to_do(opened):
    if "IONVOLT_TEST_SERVER" in os.environ:
        pytest.skip("the server given may have a key")
    page = opened("#mp=mp-22526")
    expect(page.locator("#mp-panel")).to_be_hidden()  # nobody is invited to what cannot be had
    expect(page.locator("#problem .source")).to_have_text("mp-22526")
    expect(page.locator("#problem")).to_contain_text("key")
    expect(page.locator("#problem .remedy")).to_be_visible()


def test_a_link_reopens_the_result(opened):
    first = opened()
    text = (EXAMPLES / "MoO3.cif").read_text()
    first.set_input_files(
        "#files", {"name": "mine & <b>yours</b>.cif", "mimeType": "text/plain", "buffer": text.encode()}
    )
    result(first)
    first.get_by_label("Li", exact=True).uncheck(force=True)
    expect(first.locator("#chart [data-ion]")).to_have_count(9)
    first.locator('#chart [data-ion="Ca"]').click()
    expect(first.locator("#card .against")).to_have_text("against Ca metal")
    first.locator("#copy-link").click()
    expect(first.locator("#link-note")).not_to_be_empty()
    first.wait_for_timeout(200)
    link = first.evaluate("location.hash")
    assert len(link) < 2 * len(text)

    second = opened(link)
    result(second)
    expect(second.locator("#card .against")).to_have_text("against Ca metal")
    expect(second.locator("#card .what")).to_contain_text("mine & <b>yours</b>.cif")
    expect(second.locator("#all-ions")).not_to_be_checked()
    assert voltages(second) == voltages(first)

    third = opened("#example=TiS2&ion=Mg&assume=charged")
    result(third)
    expect(third.locator("#card .against")).to_have_text("against Mg metal")
    expect(third.locator("[name=assume][value=charged]")).to_be_checked()

    damaged = opened(link[:60])
    expect(damaged.locator("#problem")).to_contain_text("This link is damaged")


def test_a_link_opened_while_another_is_packed_stands(opened):
    page = opened()
    page.evaluate(
        """() => {
          const packed = Response.prototype.arrayBuffer;
          Response.prototype.arrayBuffer = async function () {
            document.documentElement.dataset.packs = "";
            await new Promise((resolve) => setTimeout(resolve, 1000));
            return packed.call(this);
          };
        }"""
    )
    page.set_input_files("#files", sorted(EXAMPLES.glob("*.cif"))[:2])
    page.locator("html[data-packs]").wait_for()
    page.evaluate("location.hash = 'example=TiS2'")
    result(page)
    page.wait_for_timeout(1200)
    assert page.evaluate("location.hash").startswith("#example=TiS2")
    expect(page.locator("#card .what")).to_contain_text("TiS2")


def test_several_files_become_a_table_that_sorts_filters_and_downloads(opened):
    page = opened()
    files = [*sorted(EXAMPLES.glob("*.cif")), Path(__file__)]
    page.set_input_files("#files", files)
    result(page)
    expect(page.locator("#batch-count")).to_have_text(f"{len(files)} structures, 1 refused")
    rows = page.locator("#batch-table tbody tr")
    expect(rows).to_have_count(len(files))
    expect(page.locator("#batch-table tr.refused")).to_contain_text("Refused: not a valid CIF")

    head = page.locator('#batch-table thead th:has-text("Mg")')
    head.locator("button").click()
    expect(page.locator('#batch-table thead th:has-text("Mg")')).to_have_attribute("aria-sort", "descending")
    cells = page.locator('#batch-table td[data-key="Mg"]').all_text_contents()
    column = [float(cell.split(" ")[0].replace("−", "-")) for cell in cells]
    assert column == sorted(column, reverse=True)
    assert len(column) == len(files) - 1
    expect(rows.last).to_have_class("refused")

    page.locator('#batch-table tr:has-text("V2O5") td[data-key="Mg"]').click()
    expect(page.locator("#card .what")).to_contain_text("V2O5.cif")
    expect(page.locator("#card .against")).to_have_text("against Mg metal")
    page.locator("#batch-table").get_by_role("button", name=Path(__file__).name).click()
    expect(page.locator("#problem")).to_contain_text("This structure was refused")

    page.locator("#batch-filter").fill("mno2")
    expect(rows).to_have_count(1)
    _, text = downloaded(page, "#batch-csv")
    table = list(csv.DictReader(io.StringIO(text)))
    assert list(table[0]) == list(COLUMNS)
    assert {row["source"] for row in table} == {"Mn2O4.cif"}
    assert [row["working_ion"] for row in table] == list(WORKING_IONS)
    page.locator("#batch-filter").fill("")
    page.locator("#batch-low").fill("99")
    expect(rows).to_have_count(0)
    page.locator("#batch-low").fill("")
    _, text = downloaded(page, "#batch-json")
    results = json.loads(text)["results"]
    assert len(results) == len(files)
    assert sum("problem" in entry for entry in results) == 1


def test_a_server_that_went_away_is_told_and_tried_again(opened):
    page = opened()
    page.route("**/api/v1/jobs", lambda route: route.abort())
    page.locator('.chip[data-id="TiS2"]').click()
    expect(page.locator("#problem")).to_contain_text("The server does not answer")
    page.unroute("**/api/v1/jobs")
    page.locator("#problem button").click()
    result(page)


def test_the_scale_of_a_single_atom_is_no_scale(opened):
    page = opened()
    text = "Mn\n1\n3 0 0\n0 3 0\n0 0 3\nMn\n1\nDirect\n0 0 0\n"
    page.set_input_files("#files", {"name": "POSCAR", "mimeType": "text/plain", "buffer": text.encode()})
    page.locator("[name=assume][value=charged]").check()
    result(page)
    expect(page.locator("#legend")).to_contain_text("the one atom")
    expect(page.locator("#legend .ramp")).to_have_count(0)
