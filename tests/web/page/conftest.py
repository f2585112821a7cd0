"""A server and a browser for all tests of the page in a process."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest

from ionvolt.ions import WORKING_IONS
from web.page.browser import CHROMIUM, FLAT, IN_3D, SECONDS


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """An untrained ensemble with all heads: sound numbers, no meaning."""
    import copy

    from ionvolt.models.card import ModelCard
    from ionvolt.models.cgcnn.conversion import ensemble_of
    from ionvolt.models.cgcnn.ensemble import save_ensemble
    from ionvolt.training.cgcnn.networks import new_network

    networks = [new_network(seed) for seed in range(3)]
    heads, local = {}, {}
    for n, ion in enumerate(WORKING_IONS):
        heads[ion] = []
        for m, network in enumerate(networks):
            head = copy.deepcopy(network.head)
            head.target_mean.fill_(3.0 - 0.2 * n)
            head.target_std.fill_(0.5)
            heads[ion].append(head)
            weight = np.roll(np.linspace(-0.1, 0.1, 64, dtype=np.float32), 3 * n)
            local[f"local.{ion}.{m}.linear.weight"] = weight[None]
            local[f"local.{ion}.{m}.linear.bias"] = np.full(1, 3.0, dtype=np.float32)
    card = ModelCard(
        name="stand-in",
        ions=list(WORKING_IONS),
        hyperparameters={"calibration": {ion: {"std_scale": 0.1} for ion in WORKING_IONS}},
        elements={ion: [3, 8, 12, 15, 23, 25, 26, 27, 42] for ion in WORKING_IONS},
    )
    folder = tmp_path_factory.mktemp("model")
    save_ensemble(ensemble_of([network.trunk for network in networks], heads, card).with_arrays(local), folder)
    return folder


@pytest.fixture(scope="session")
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
    """A function that gives the browser with these arguments, started when first asked for.

    It ends with each file: as long as it is there, an event loop runs in which no other test can start one.
    """
    started = {}
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:

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
        page.locator(".chip").first.wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [text for text in complaints if "GPU stall" not in text and "WebGL" not in text] == []
