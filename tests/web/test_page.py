"""The whole journey through the page, in a real browser against the real server.

Set IONVOLT_TEST_SERVER to the address of a server that is up to try that one instead of a fresh one.
"""

import csv
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ionvolt
from ionvolt.cli.predict import COLUMNS
from ionvolt.ions import WORKING_IONS
from ordering.cells import NMC811, P2_BRONZE

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install '.[test]')")
expect = sync_api.expect

EXAMPLES = Path(ionvolt.__file__).parent / "examples"
VENDOR = Path(ionvolt.__file__).parent / "web" / "vendor" / "3Dmol-min.js"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGS = [
    "--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# Drawing all of a page as if by a graphics card, in software, is three quarters of what its tests cost.
FLAT = [*ARGS, "--disable-gpu"]
IN_3D = [*ARGS, "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
# A result on a machine whose cores are busy.
SECONDS = int(os.environ.get("IONVOLT_TEST_SECONDS", "30"))
expect.set_options(timeout=SECONDS * 1000)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)"),
]
needs_3d = pytest.mark.skipif(not VENDOR.exists(), reason="the 3D viewer is not there (make vendor)")


# ---- A server and a browser for all tests ----


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An untrained ensemble with all heads: sound numbers, no meaning."""
    import copy

    import torch

    from ionvolt.models.card import ModelCard
    from ionvolt.models.cgcnn.ensemble import Ensemble, save_ensemble
    from ionvolt.models.cgcnn.network import LocalHead
    from ionvolt.training.cgcnn.networks import new_network

    networks = [new_network(seed) for seed in range(3)]
    heads, local = {}, {}
    for n, ion in enumerate(WORKING_IONS):
        heads[ion], local[ion] = [], []
        for network in networks:
            head = copy.deepcopy(network.head)
            head.target_mean.fill_(3.0 - 0.2 * n)
            head.target_std.fill_(0.5)
            heads[ion].append(head)
            atom_head = LocalHead()
            with torch.no_grad():
                weight = atom_head.linear.weight
                weight.copy_(torch.linspace(-0.1, 0.1, weight.numel()).roll(3 * n)[None])
                atom_head.linear.bias.fill_(3.0)
            local[ion].append(atom_head)
    card = ModelCard(
        name="stand-in",
        ions=list(WORKING_IONS),
        hyperparameters={"calibration": {ion: {"std_scale": 0.1} for ion in WORKING_IONS}},
        elements={ion: [3, 8, 12, 15, 23, 25, 26, 27, 42] for ion in WORKING_IONS},
    )
    folder = tmp_path_factory.mktemp("model")
    save_ensemble(Ensemble([network.trunk for network in networks], heads, card, local), folder)
    return folder


@pytest.fixture(scope="module")
def server(model, tmp_path_factory):
    """Address of a running server without a Materials Project key."""
    given = os.environ.get("IONVOLT_TEST_SERVER")
    if given:
        yield given.rstrip("/")
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = tmp_path_factory.mktemp("home")
    environment = {k: v for k, v in os.environ.items() if k not in ("MP_API_KEY", "PMG_MAPI_KEY")}
    log = (home / "log").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-c", "from ionvolt.cli.main import main; main()",
         "serve", "--port", str(port), "--model", str(model), "--workers", "1"],
        env=environment | {"HOME": str(home), "OMP_NUM_THREADS": "1"}, stdout=log, stderr=log,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 900
        while True:
            try:
                with urllib.request.urlopen(f"{address}/healthz", timeout=5) as answer:
                    if json.load(answer)["status"] == "ok":
                        break
                time.sleep(0.2)
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    pytest.fail(f"the server did not start:\n{log.read()[-3000:]}")
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


@pytest.fixture(scope="module")
def launch():
    """A function that gives the browser with these arguments, started when first asked for."""
    started = {}
    with sync_api.sync_playwright() as playwright:

        def launched(arguments):
            key = tuple(arguments)
            if key not in started:
                started[key] = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
            return started[key]

        yield launched
        for browser in started.values():
            browser.close()


@pytest.fixture
def opened(launch, server):
    """A function that opens a page; at the end: no script error, no breach of the policy, no request to elsewhere."""
    contexts, complaints = [], []

    def heard(message):
        # The browser logs each refused structure (422) by itself.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def asked(request):
        if not request.url.startswith((server, "data:", "blob:")):
            complaints.append(f"asked {request.url}")

    def open_page(fragment="", *, in_3d=False, **options):
        usual = {"viewport": {"width": 1200, "height": 800}, "reduced_motion": "reduce"}
        context = launch(IN_3D if in_3d else FLAT).new_context(**usual | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", asked)
        if not in_3d:  # drawing without a graphics card takes its time
            page.route("**/vendor/**", lambda route: route.abort())
        page.goto(f"{server}/{fragment}")
        expect(page.locator(".chip").first).to_be_visible(timeout=SECONDS * 1000)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [text for text in complaints if "GPU stall" not in text and "WebGL" not in text] == []


def example(page, name):
    page.locator(f'.chip[data-id="{name}"]').click()
    return result(page)


def result(page):
    expect(page.locator("#result")).to_have_attribute("aria-busy", "false", timeout=SECONDS * 1000)
    expect(page.locator("#card .number")).to_be_visible()
    expect(page.locator("#why")).not_to_have_attribute("aria-busy", "true", timeout=SECONDS * 1000)
    expect(page.locator("#site-table tbody tr").first).to_be_visible(timeout=SECONDS * 1000)
    return page


def crystal(page):
    expect(page.locator("#stage[data-atoms]")).to_be_visible(timeout=SECONDS * 1000)
    page.wait_for_timeout(150)
    return np.asarray(Image.open(io.BytesIO(page.locator("#stage").screenshot())).convert("RGB")).astype(int)


def voltages(page):
    return {
        bar.get_attribute("data-ion"): bar.locator("text.value").text_content()
        for bar in page.locator("#chart [data-ion]").all()
    }


def sideways(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def downloaded(page, selector):
    with page.expect_download() as waiting:
        page.locator(selector).click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_text(encoding="utf-8")


# ---- The journey ----


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


@needs_3d
def test_the_atoms_are_coloured_by_local_voltage_or_element(opened):
    page = example(opened(in_3d=True), "LiFePO4")
    image = crystal(page)
    red, blue = image[..., 0], image[..., 2]
    assert (blue - red > 60).sum() > 500  # below the mean
    assert (red - blue > 60).sum() > 500  # above it
    low, middle, high = page.locator("#legend .ticks span").all_text_contents()
    low, middle, high = (float(re.search(r"[\d.−]+", s)[0].replace("−", "-")) for s in (low, middle, high))
    assert low < middle < high
    assert middle == pytest.approx((low + high) / 2, abs=0.011)

    page.get_by_label("Element", exact=True).check(force=True)
    expect(page.locator("#legend .keys li")).to_have_text(["Fe", "P", "O"])
    again = crystal(page)
    # Oxygen is red by custom, iron and phosphorus orange: no blue is left.
    assert (again[..., 2] - again[..., 0] > 60).sum() < 50
    assert ((again[..., 0] > 150) & (again[..., 1] < 60) & (again[..., 2] < 60)).sum() > 500

    with page.expect_download() as waiting:
        page.locator("#view-png").click()
    name = waiting.value.suggested_filename
    assert name == "ionvolt-crystal.png"
    assert Image.open(waiting.value.path()).size[0] > 200


@needs_3d
def test_hovering_tells_of_an_atom_and_clicking_finds_it_in_the_table(opened):
    page = example(opened(in_3d=True), "LiFePO4")
    image = crystal(page)
    box = page.locator("#stage").bounding_box()
    tip = page.locator("#tip")
    # Atoms are where colour is; the largest patches come first.
    spread = image.max(2) - image.min(2)
    candidates = np.argwhere(spread > 90)[:: max(1, (spread > 90).sum() // 60)]
    for y, x in candidates:
        page.mouse.move(box["x"] + int(x), box["y"] + int(y))
        page.wait_for_timeout(140)
        if tip.is_visible():
            break
    expect(tip).to_be_visible()
    text = tip.inner_text()
    assert re.search(r"^(Fe|P|O)\s+atom \d+", text), text
    assert re.search(r"\d\.\d+ ± \d\.\d+ V", text), text
    assert re.search(r"coordination \d+\.\d: ", text), text
    page.mouse.click(box["x"] + int(x), box["y"] + int(y))
    lit = page.locator("#site-table tr.lit")
    expect(lit).to_have_count(1)
    assert lit.locator("th").inner_text() == re.search(r"atom (\d+)", text)[1]


@needs_3d
def test_cells_are_chosen_and_the_keyboard_turns_the_crystal(opened):
    page = example(opened(in_3d=True), "TiS2")
    crystal(page)
    few = int(page.locator("#stage").get_attribute("data-atoms"))
    page.locator("#cells").select_option("1")
    expect(page.locator("#stage")).not_to_have_attribute("data-atoms", str(few))
    before = crystal(page)
    page.locator("#stage").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    assert np.abs(crystal(page) - before).sum() > 100_000
    page.keyboard.press("0")
    assert np.abs(crystal(page) - before).mean() < 3


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
    page.locator("#batch-table").get_by_role("button", name="test_page.py").click()
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


@needs_3d
def test_a_phone_shows_everything_without_scrolling_sideways(opened):
    page = opened(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, device_scale_factor=1, in_3d=True
    )
    assert sideways(page) <= 0
    example(page, "LiFePO4")
    # The result is brought into view.
    for _ in range(50):
        if page.locator("#card").bounding_box()["y"] < 200:
            break
        page.wait_for_timeout(100)
    assert page.locator("#card").bounding_box()["y"] < 200
    assert sideways(page) <= 0
    for selector in ("#card", "#chart", "#stage", "#periodic", "#site-table"):
        box = page.locator(selector).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360, selector
    page.set_input_files("#files", sorted(EXAMPLES.glob("*.cif"))[:3])
    expect(page.locator("#batch-table tbody tr")).to_have_count(3)
    assert sideways(page) <= 0
    expect(page.locator("#result")).to_have_attribute("aria-busy", "false")
    page.evaluate("location.hash = 'mp=no-such-id-' + 'x'.repeat(29)")
    expect(page.locator("#problem")).to_be_visible()
    assert sideways(page) <= 0


def contrast(page, selector):
    """WCAG contrast of an element's text with what lies behind it."""

    def luminance(colour):
        channels = np.array([int(c) for c in re.findall(r"\d+", colour)[:3]]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    expect(page.locator(selector).first).to_be_attached()
    # One call finds and looks: an element found before may have been replaced since.
    ink, ground = page.evaluate(
        """selector => {
          const node = document.querySelector(selector);
          let behind = node;
          while (behind && /rgba\\(0, 0, 0, 0\\)|transparent/.test(getComputedStyle(behind).backgroundColor)) {
            behind = behind.parentElement;
          }
          return [getComputedStyle(node).color, getComputedStyle(behind ?? document.body).backgroundColor];
        }""",
        selector,
    )
    low, high = sorted((luminance(ink), luminance(ground)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_are_readable(opened, scheme):
    page = opened(color_scheme=scheme)
    example(page, "LiFePO4")
    page.locator('#chart [data-ion="Mg"]').click()
    expect(result(page).locator("#card .warnings")).to_be_visible()
    for selector in (
        "#card .number", "#card .pm", "#card .host", "#card .state", ".note", ".warnings li", ".toggle span",
        "thead button", ".periodic span b", ".tag", ".chip[aria-pressed=true]", "button.link", ".facts dt",
        "#legend .ends",
    ):  # fmt: skip
        assert contrast(page, selector) >= 4.5, selector
    page.set_input_files("#files", {"name": "x.cif", "mimeType": "text/plain", "buffer": b"nothing\n"})
    expect(page.locator("#problem")).to_be_visible()
    for selector in ("#problem h3", "#problem .rule", "#problem .source"):
        assert contrast(page, selector) >= 4.5, selector


def test_the_theme_can_be_chosen_and_stays(opened):
    page = opened(color_scheme="light")

    def dark():
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(c) for c in re.findall(r"\d+", ground)[:3]) < 200

    assert not dark()
    page.locator("#theme").click()
    assert dark()
    page.reload()
    assert dark()
    page.locator("#theme").click()
    assert not dark()
    page.emulate_media(color_scheme="dark")
    assert not dark()
    page.locator("#theme").click()
    assert dark()


def test_the_keyboard_alone_is_enough(opened):
    page = opened()

    def tab_to(selector, most=60):
        for _ in range(most):
            page.keyboard.press("Tab")
            if page.evaluate("s => document.activeElement?.matches(s)", selector):
                return
        pytest.fail(f"the Tab key never came to {selector}")

    tab_to(".skip", 1)
    tab_to('.chip[data-id="NaCoO2"]')
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    result(page)
    expect(page.locator("#live")).to_contain_text("NaCoO2, Na:")
    tab_to('[name="ion"][value="Li"]')
    page.keyboard.press("Space")
    expect(page.locator("#chart [data-ion]")).to_have_count(9)
    tab_to('#chart [aria-checked="true"]')
    page.keyboard.press("ArrowRight")
    expect(page.locator("#card .against")).to_have_text("against K metal")
    assert page.evaluate("document.activeElement.dataset.ion") == "K"
    page.keyboard.press("End")
    expect(page.locator("#card .against")).to_have_text("against Y metal")
    result(page)
    tab_to("#site-table thead th:nth-child(3) button")
    page.keyboard.press("Enter")
    expect(page.locator("#site-table th[aria-sort]")).to_contain_text("Local voltage")
    tab_to("#site-table tbody button")
    page.keyboard.press("Enter")
    expect(page.locator("#site-table tr.lit")).to_have_count(1)


def test_every_control_has_a_name(opened):
    page = example(opened(), "LiFePO4")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, a, [tabindex], [role=radio]")]
        .filter((node) => {
          const named = ["aria-label", "aria-labelledby"].some((name) => node.getAttribute(name));
          const labels = [node, ...(node.labels ?? [])].some((label) => label.textContent.trim());
          return node.checkVisibility() && !named && !labels;
        }).map((node) => node.outerHTML)"""
    )
    assert nameless == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((node) => node.id)")
    assert len(ids) == len(set(ids))
    assert page.evaluate(
        "[...document.querySelectorAll('table')].every((t) => t.caption && t.querySelector('th[scope=col]'))"
    )


def test_without_the_3d_script_the_rest_works_and_says_so(opened):
    page = opened()
    example(page, "LiFePO4")
    expect(page.locator("#viewer-note")).to_contain_text("The 3D view is not installed")
    assert page.locator("#site-table tbody tr").count() == 24
    expect(page.locator("#legend .ticks")).to_be_visible()


@needs_3d
def test_without_webgl_the_rest_works_and_says_so(launch, server):
    page = launch([*FLAT, "--disable-3d-apis"]).new_page()
    page.goto(f"{server}/#example=TiS2")
    result(page)
    expect(page.locator("#viewer-note")).to_contain_text("WebGL is off")


def test_a_server_that_went_away_is_told_and_tried_again(opened):
    page = opened()
    page.route("**/api/v1/jobs", lambda route: route.abort())
    page.locator('.chip[data-id="TiS2"]').click()
    expect(page.locator("#problem")).to_contain_text("The server does not answer")
    page.unroute("**/api/v1/jobs")
    page.locator("#problem button").click()
    result(page)


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
    expect(page.locator("#long")).to_contain_text("7 substitutions thought of")
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


@needs_3d
def test_atoms_by_coordination_and_oxidation_state(opened):
    page = example(opened(in_3d=True), "LiFePO4")
    crystal(page)
    page.get_by_label("Coordination", exact=True).check(force=True)
    expect(page.locator("#legend")).to_contain_text("effective coordination number")
    page.get_by_label("Oxidation state", exact=True).check(force=True)
    expect(page.locator("#legend .keys")).to_contain_text("Fe 3+")
    expect(page.locator("#legend .keys")).to_contain_text("O 2−")
    plain = crystal(page)
    page.locator("#polyhedra").check()
    assert np.abs(crystal(page) - plain).sum() > 100_000
    atoms = int(page.locator("#stage").get_attribute("data-atoms"))
    page.locator("#beyond").uncheck()
    expect(page.locator("#stage")).not_to_have_attribute("data-atoms", str(atoms))


def test_the_scale_of_a_single_atom_is_no_scale(opened):
    page = opened()
    text = "Mn\n1\n3 0 0\n0 3 0\n0 0 3\nMn\n1\nDirect\n0 0 0\n"
    page.set_input_files("#files", {"name": "POSCAR", "mimeType": "text/plain", "buffer": text.encode()})
    page.locator("[name=assume][value=charged]").check()
    result(page)
    expect(page.locator("#legend")).to_contain_text("the one atom")
    expect(page.locator("#legend .ramp")).to_have_count(0)


def test_several_structures_stand_in_a_plot_with_filters(opened):
    page = opened()
    page.set_input_files("#files", sorted(EXAMPLES.glob("*.cif")))
    result(page)
    expect(page.locator("#batch-scatter")).to_be_visible()
    points = page.locator("#batch-plot [data-key]")
    n = points.count()
    assert n >= 5
    page.locator("#batch-capacity").fill("150")
    page.wait_for_timeout(300)
    assert 0 < points.count() < n
    points.first.click()
    expect(page.locator("#batch-table tr.lit")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_every_width_and_theme(opened, width, scheme):
    page = opened(viewport={"width": width, "height": 900}, color_scheme=scheme)
    example(page, "LiFePO4")
    page.set_input_files("#files", sorted(EXAMPLES.glob("*.cif"))[:4])
    result(page)
    assert sideways(page) <= 0
    for box in page.locator(".scroll").all():
        if not box.is_visible():
            continue
        inner, outer = box.evaluate("node => [node.scrollWidth, node.clientWidth]")
        word = box.evaluate("node => { const w = node.nextElementSibling; return w?.matches('.more') && !w.hidden; }")
        assert word == (inner - outer >= 4), box.get_attribute("id")
    page.locator("#cite summary").click()
    assert low_contrasts(page) == []


def low_contrasts(page):
    """Texts on the page whose contrast with their ground is below that of WCAG AA."""
    return page.evaluate(
        r"""() => {
          const parse = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
          const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
          const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
          const unseen = ".sr, [aria-hidden=true], canvas, option, :disabled";
          const found = [];
          for (const node of document.querySelectorAll("body *")) {
            const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
            const visible = node.checkVisibility({ opacityProperty: true, visibilityProperty: true });
            if (!own || !visible || node.closest(unseen)) continue;
            const style = getComputedStyle(node);
            let ground = [255, 255, 255];
            for (let behind = node; behind; behind = behind.parentElement) {
              const colour = parse(getComputedStyle(behind).backgroundColor);
              if (colour.length >= 3 && (colour[3] ?? 1) > 0.99) { ground = colour; break; }
            }
            const ink = parse(node instanceof SVGElement ? style.fill : style.color);
            if (ink.length < 3) continue;
            const [low, high] = [luminance(ink), luminance(ground)].sort((a, b) => a - b);
            const ratio = (high + 0.05) / (low + 0.05);
            if (ratio >= (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) continue;
            const text = node.textContent.trim().slice(0, 30);
            found.push(`${node.tagName} ${node.className?.baseVal ?? node.className} "${text}" ${ratio.toFixed(2)}`);
          }
          return found;
        }"""
    )
