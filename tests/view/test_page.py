"""The page in a browser: Debian's chromium, driven by playwright (apt-get install chromium; pip install playwright)."""

import pathlib
import shutil
import sys
import time

import onnx.helper
import onnx.parser
import pytest
from onnx_to_fx import convert_onnx_to_fx, view
from onnx_to_fx.page import View
from test_view import BRANCHES, KEPT, LINEAR, converted

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

from wheels import model  # noqa: E402

CHROMIUM = shutil.which("chromium")
if not CHROMIUM:
    pytest.skip("no browser is installed: apt-get install chromium", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="no driver is installed: pip install playwright")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as p:
        opened = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def show(browser, tmp_path):
    """Opens a page from disk; at the end nothing was said on the console, and nothing was asked of any network."""
    faults, pages = [], []

    def opened(shown, hash="", **options):
        path = tmp_path / f"{len(pages)}.html"
        shown.save(path)
        page = browser.new_page(viewport={"width": 1400, "height": 850}, **options)
        pages.append(page)
        page.on("console", lambda m: faults.append(f"console: {m.text}"))
        page.on("pageerror", lambda e: faults.append(f"error: {e}"))
        page.on("dialog", lambda d: (faults.append(f"dialog: {d.message}"), d.dismiss()))
        page.on("request", lambda r: None if r.url.startswith((path.as_uri(), "blob:null/")) else faults.append(r.url))
        page.goto(path.as_uri() + hash)
        page.wait_for_selector("html[data-ready]")
        return page

    yield opened
    for page in pages:
        page.close()
    assert faults == []


def item(page, name):
    return page.locator(f'#graph .item[aria-label^="{name}:"]')


def test_from_an_onnx_node_to_its_call_and_back(show):
    page = show(view(converted(LINEAR)))
    page.locator("#search").fill("last")
    page.locator("#found a", has_text="ONNX Tanh").click()
    assert page.locator("#details h2").inner_text() == "Tanh last"
    assert "onnx2fx.ai-onnx 0.1.0" in page.locator("#details").inner_text()
    page.locator("#details section", has_text="FX nodes: 1").locator("a").click()
    page.wait_for_selector("#details >> text=Takes")
    assert page.locator("#details .source .marked").inner_text().lstrip().startswith("last = torch.tanh(fc)")
    page.locator("#details a[href^='#onnx']").click()
    page.wait_for_selector("#details >> text=A node of the ONNX file.")
    assert page.evaluate("location.hash").startswith("#onnx=")


def test_edges_carry_types_and_boxes_say_roles(show):
    page = show(view(converted(LINEAR)))
    assert page.locator("#graph .type").all_text_contents() == ["float32[N, 2]", "float32[N, 3]", "float32[N, 3]"]
    item(page, "fc").click()
    table = page.locator("#details .grid").inner_text()
    assert "fc.weight" in table and "float32[3, 2], 24 B" in table and "parameter, trained" in table


def test_a_block_opens_closes_and_has_a_link(show):
    shown = view(converted(BRANCHES))
    page = show(shown)
    call = next(n["name"] for n in shown.document["programs"][0]["nodes"] if "bodies" in n)
    assert page.locator("#graph .open").count() == 0
    item(page, call).locator(".toggle").click()
    page.wait_for_selector("#graph .open")
    assert page.locator('#graph .item[aria-label*="sin"]').count() == 1
    page.locator('#graph .item[aria-label*="sin"]').click()
    link = page.evaluate("location.hash")
    again = show(shown, link)
    assert again.locator('#graph .item.selected[aria-label*="sin"]').count() == 1
    item(page, call).locator(".toggle").first.click()
    page.wait_for_selector("#graph .open", state="detached")


def test_the_end_of_a_drag_chooses_nothing(show):
    page = show(view(converted(LINEAR)))
    box = item(page, "fc").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 65, box["y"] + 35, steps=4)
    page.mouse.up()
    moved = item(page, "fc").bounding_box()
    assert (round(moved["x"] - box["x"]), round(moved["y"] - box["y"])) == (60, 30)
    assert page.locator("#graph .item.selected").count() == 0


def test_the_keyboard_is_enough(show):
    page = show(view(converted(BRANCHES)))
    page.keyboard.press("/")
    page.keyboard.type("branch")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#graph .item.selected")
    tree = page.locator("[role=treeitem][tabindex='0']")
    assert tree.count() == 1 and tree.get_attribute("aria-selected") == "true"
    tree.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("[role=treeitem][aria-expanded=true]")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.getAttribute('aria-level')") == "2"
    page.locator("#graph").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getAttribute('class')").startswith("item")


def test_every_control_has_a_name(show):
    page = show(view(converted(LINEAR)))
    unnamed = "e => e.filter(b => !(b.getAttribute('aria-label') || b.textContent.trim())).length"
    assert page.eval_on_selector_all("button, input, select, [role=button], [role=treeitem], [role=tabpanel]", unnamed) == 0


def test_what_is_missing_is_told_with_its_remedy(show):
    page = show(view(converted(KEPT, keep_going=True)))
    page.get_by_role("tab", name="Missing (1)").click()
    text = page.locator("#missing").inner_text()
    assert "com.acme.Rope, opset 1" in text and "Remedy: a plugin that lowers it" in text
    page.locator("#missing a", has_text="turn").click()
    page.wait_for_selector("#details >> text=A node of the ONNX file.")
    assert "var(--k-missing)" in page.locator(".item.selected > rect").get_attribute("style")


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "\0\x1b\u202e\u2028", "n" * 1_000_000]
)
def test_hostile_names_are_text(show, name):
    document = view(converted(LINEAR)).document
    for node in document["programs"][0]["nodes"]:
        node["name"] += name
        node["target"] += name
    document["onnx"][0].update(name=name, op_type=name, notes=[[name, name]])
    document["tensors"][0].update(path=name, name=name, because=name)
    document["model"]["file"] = document["programs"][0]["class"] = name
    document["warnings"] = [name]
    document["programs"][0]["code"] = [name] * 5
    page = show(View(document))
    for row in page.locator("[role=treeitem]").all():
        row.click()
    page.get_by_role("tab", name="Missing").click()
    page.locator("#search").fill(name[:20].replace("\0", ""))
    page.wait_for_selector("#found p")
    assert page.locator("img").count() == 0 and page.locator("script").count() == 3
    if len(name) < 100:
        assert name.replace("\0", "") in page.locator("#missing").text_content().replace("\0", "")


@pytest.mark.parametrize(
    "package, file",
    [
        ("magika", "magika/models/standard_v3_3/model.onnx"),
        ("rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"),
    ],
)
def test_trained_models(show, package, file):
    shown = view(convert_onnx_to_fx(model(package, file), weights="meta"))
    page = show(shown)
    assert page.locator("#graph .item").count() > 1
    made = next(i for i, o in enumerate(shown.document["onnx"]) if o["op_type"] in ("Conv", "MatMul"))
    page.evaluate(f"location.hash = '#onnx={made}'")
    page.wait_for_selector("#details >> text=A node of the ONNX file.")
    page.locator("#details a[href^='#node']").first.click()
    page.wait_for_selector("#details .source .marked")
    assert page.locator("#graph .item.selected").count() == 1


def chain(length):
    nodes = [onnx.helper.make_node("Tanh", [f"v{i}"], [f"v{i + 1}"], f"n{i}") for i in range(length)]
    ends = [onnx.helper.make_tensor_value_info(v, onnx.TensorProto.FLOAT, ["N"]) for v in ("v0", f"v{length}")]
    return onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:]), opset_imports=[onnx.helper.make_opsetid("", 21)])


def test_a_hundred_thousand_nodes(show, tmp_path):
    """A chain of them, of which a thousand are converted and the others said to be like those."""
    document = view(convert_onnx_to_fx(chain(1000))).document
    program = document["programs"][0]
    like = program["nodes"][500]
    nodes = [{**like, "name": f"v{i}", "inputs": [i - 1], "onnx": i - 1, "line": i} for i in range(1, 100_000)]
    program["nodes"] = [program["nodes"][0], *nodes, {**program["nodes"][-1], "inputs": [99_999]}]
    program["code"] = [f"    v{i} = torch.tanh(v{i - 1});  v{i - 1} = None" for i in range(100_000)]
    document["onnx"] = [{**document["onnx"][0], "name": f"n{i}", "outputs": [f"v{i + 1}"]} for i in range(100_000)]
    start = time.monotonic()
    page = show(View(document))
    assert time.monotonic() - start < 20  # alone on two cores it takes two seconds; here others compute, too
    assert page.locator("#graph .item").count() <= 101
    page.locator("#search").fill("v73412")
    page.locator("#found a", has_text="FX").first.click()
    page.wait_for_selector("#details h2 >> text=v73412")
    assert item(page, "v73412").count() == 1 and page.locator("#graph .item").count() < 500


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(show, scheme):
    """Its contrast is at least 4.5."""
    page = show(view(converted(LINEAR)), color_scheme=scheme)
    contrast = """() => { const d = document.createElement('canvas').getContext('2d', {willReadFrequently: true}), style = getComputedStyle(document.documentElement);
      const light = n => { d.fillStyle = style.getPropertyValue(n).trim(); d.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...d.getImageData(0, 0, 1, 1).data].map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b; };
      return ['text', 'dim'].flatMap(t => ['back', 'panel', 'k-port', 'k-block', 'k-module', 'k-function', 'k-tensor', 'k-control', 'k-run'].map(b => {
        const [x, y] = [light('--' + t), light('--' + b)].sort((a, b) => b - a); return [t + ' on ' + b, (x + .05) / (y + .05)]; })); }"""
    low = [pair for pair in page.evaluate(contrast) if pair[1] < 4.5]
    assert low == []
