"""How the page looks and answers without a mouse, without colour, without 3D: screens, themes, keyboard."""

import re

import numpy as np
import pytest

from web.page.browser import EXAMPLES, FLAT, example, expect, needs_3d, needs_browser, result, sideways

pytestmark = [pytest.mark.slow, needs_browser]


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


def test_both_themes_are_readable(opened):
    page = opened(color_scheme="dark")
    example(page, "LiFePO4")
    page.locator('#chart [data-ion="Mg"]').click()
    expect(result(page).locator("#card .warnings")).to_be_visible()

    def all_are_readable(*selectors):
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            for selector in selectors:
                assert contrast(page, selector) >= 4.5, (scheme, selector)

    all_are_readable(
        "#card .number", "#card .pm", "#card .host", "#card .state", ".note", ".warnings li", ".toggle span",
        "thead button", ".periodic span b", ".tag", ".chip[aria-pressed=true]", "button.link", ".facts dt",
        "#legend .ends",
    )  # fmt: skip
    page.set_input_files("#files", {"name": "x.cif", "mimeType": "text/plain", "buffer": b"nothing\n"})
    expect(page.locator("#problem")).to_be_visible()
    all_are_readable("#problem h3", "#problem .rule", "#problem .source")


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


def test_every_width_and_theme(opened):
    page = opened(viewport={"width": 390, "height": 900}, color_scheme="light")
    example(page, "LiFePO4")
    page.set_input_files("#files", sorted(EXAMPLES.glob("*.cif"))[:4])
    result(page)
    page.locator("#cite summary").click()
    for width in (390, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert sideways(page) <= 0
        for box in page.locator(".scroll").all():
            if not box.is_visible():
                continue
            inner, outer = box.evaluate("node => [node.scrollWidth, node.clientWidth]")
            word = box.evaluate(
                "node => { const w = node.nextElementSibling; return w?.matches('.more') && !w.hidden; }"
            )
            assert word == (inner - outer >= 4), (width, box.get_attribute("id"))
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            assert low_contrasts(page) == [], (width, scheme)


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
