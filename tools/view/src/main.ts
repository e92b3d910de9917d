import { Colours, Scheme, SCHEMES } from "./colours";
import { Details } from "./details";
import { Document, Model, short } from "./document";
import { html } from "./elements";
import { Graph } from "./graph";
import { Item, items, pathTo, rootBlock } from "./items";
import { Layout } from "./layout";
import { missing, numbers, Outline } from "./panels";
import { Search } from "./search";

const doc = JSON.parse(document.getElementById("data")!.textContent!) as Document;
const model = new Model(doc);
const expanded = new Set<string>();
const colours = new Colours(model);
const details = new Details(model);
const search = new Search(model);

const choice = { select: (item: Item) => select(item), toggle: (item: Item) => void toggle(item) };
const graph = new Graph(model, new Layout(model), colours, choice);
const outline = new Outline(model, choice);

function select(item: Item): void {
  graph.mark(item.id);
  outline.mark(item.id);
  details.item(item);
  const hash = item.node ? model.link(item.place) : "";
  if (hash && hash.length < 4000) history.replaceState(null, "", hash);
}

async function toggle(item: Item): Promise<void> {
  if (!expanded.delete(item.id)) expanded.add(item.id);
  outline.show(expanded, item.id);
  graph.selected = item.id;
  const focused = graph.element.contains(document.activeElement);
  await graph.show(expanded, item.id);
  if (focused) graph.focus(item.id);
}

async function follow(): Promise<void> {
  const found = model.find(location.hash);
  if (!found) return;
  if ("onnx" in found) {
    details.onnxNode(found.onnx);
    const first = model.fxOf[found.onnx][0];
    if (first) await open(pathTo(model, first));
    return;
  }
  const ids = pathTo(model, found.place);
  await open(ids);
  let block = rootBlock(model);
  for (const id of ids) {
    const item = items(model, block).find((i) => i.id === id);
    if (!item) break;
    if (id === ids[ids.length - 1]) details.item(item);
    block = item.blocks.find((b) => ids.some((other) => other.startsWith(b.id + "/"))) ?? block;
  }
}

async function open(ids: string[]): Promise<void> {
  const last = ids[ids.length - 1];
  ids.slice(0, -1).forEach((id) => expanded.add(id));
  graph.mark(last);
  outline.show(expanded, last);
  await graph.show(expanded, last);
}

function tabs(panels: [string, HTMLElement][]): HTMLElement {
  const bar = html("div", { role: "tablist", "aria-label": "Side panel" });
  const choose = (at: number, focus: boolean) => [...bar.children].forEach((b, i) => {
    b.setAttribute("aria-selected", String(i === at));
    (b as HTMLElement).tabIndex = i === at ? 0 : -1;
    panels[i][1].hidden = i !== at;
    if (focus && i === at) (b as HTMLElement).focus();
  });
  panels.forEach(([title, panel], i) => {
    const wrapper = html("div", { role: "tabpanel", "aria-label": title }, panel);
    panels[i][1] = wrapper;
    bar.append(html("button", {
      role: "tab", type: "button", click: () => choose(i, false),
      keydown: (e: KeyboardEvent) => {
        const step = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
        if (step) choose((i + step + panels.length) % panels.length, true);
      },
    }, title));
  });
  choose(0, false);
  return html("nav", { id: "side" }, bar, ...panels.map((p) => p[1]));
}

const button = (text: string, label: string, click: () => void) => html("button", { type: "button", "aria-label": label, title: label, click }, text);

const lacks = missing(model);
const scheme = html("select", { id: "scheme", change: () => { colours.scheme = scheme.value as Scheme; void graph.show(expanded); } },
  ...Object.entries(SCHEMES).filter(([key]) => key !== "macs" || doc.cost?.macs).map(([key, text]) => html("option", { value: key }, text)));
document.title = `${short(doc.model.file || "model", 100)}: onnx2fx view`;
document.body.append(
  html("header", {},
    html("h1", {}, short(doc.model.file || "model", 80)), html("div", { class: "searching" }, search.input, search.results),
    html("label", {}, "Colour: ", scheme),
    html("span", { class: "buttons" }, button("−", "Zoom out", () => graph.zoomBy(0.8)), button("+", "Zoom in", () => graph.zoomBy(1.25)), button("Fit", "Show all", () => graph.fit()),
      button("Close all", "Close all blocks", () => { expanded.clear(); outline.show(expanded, ""); void graph.show(expanded).then(() => graph.fit(true)); }))),
  tabs([["Outline", outline.element], [lacks.count ? `Missing (${lacks.count})` : "Missing", lacks.element], ["Numbers", numbers(model)]]),
  html("main", {}, graph.element, graph.map, graph.legend), details.element);

document.addEventListener("keydown", (e) => {
  const typing = /INPUT|SELECT|TEXTAREA/.test((e.target as Element).tagName);
  if ((e.key === "/" && !typing) || (e.key === "k" && (e.ctrlKey || e.metaKey))) { search.input.focus(); e.preventDefault(); }
});
window.addEventListener("hashchange", () => void follow());
window.addEventListener("beforeprint", () => graph.fit());
// A model that is one block is not a picture yet.
const alone = items(model, rootBlock(model)).filter((i) => i.node?.program !== undefined);
if (model.doc.programs[0].nodes.length <= 8 && alone.length === 1) expanded.add(alone[0].id);
outline.show(expanded, "");
const shown = location.hash && model.find(location.hash) ? follow() : graph.show(expanded);
shown.then(() => { document.documentElement.dataset.ready = "yes"; }, (e) => {
  document.querySelector("main")!.prepend(html("p", { class: "warning" }, `The graph cannot be laid out here: ${e}. The outline shows the same nodes.`));
});
