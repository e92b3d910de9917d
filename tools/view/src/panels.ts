// The side panel: outline, what is missing, numbers.

import { bytes, count, elements, Model, opText, short } from "./document";
import { html } from "./elements";
import { Item, items, rootBlock, Block } from "./items";

export interface Choice { select(item: Item): void; toggle(item: Item): void }

const ROWS = 30;

export class Outline {
  readonly element = html("div", { id: "outline", role: "tree", "aria-label": "Modules and nodes", keydown: (e: KeyboardEvent) => this.key(e) });
  private rows = new Map<string, { item: Item; row: HTMLElement }>();

  constructor(private model: Model, private on: Choice) {}

  show(expanded: Set<string>, selected: string): void {
    const inside = this.element.contains(document.activeElement);
    this.rows.clear();
    this.element.replaceChildren(...this.level(rootBlock(this.model), 1, expanded));
    this.mark(selected);
    if (inside) this.rows.get(selected)?.row.focus();
  }

  private level(block: Block, depth: number, expanded: Set<string>): HTMLElement[] {
    return items(this.model, block).flatMap((item) => {
      const opens = item.blocks.length > 0, open = opens && expanded.has(item.id);
      const what = item.node && (item.node.program !== undefined ? this.model.doc.programs[item.node.program].class : item.node.class ?? item.node.target);
      const row = html("div", {
        role: "treeitem", tabindex: -1, "aria-level": depth, "aria-expanded": opens ? String(open) : undefined, style: `--depth:${depth}`,
        click: () => this.on.select(item), dblclick: () => { if (opens) this.on.toggle(item); },
      }, html("span", { class: "sign", "aria-hidden": "true", click: (e: Event) => { if (opens) { e.stopPropagation(); this.on.toggle(item); } } }, opens ? (open ? "▾" : "▸") : ""),
        short(item.label, 120), what && what !== item.label ? html("span", { class: "dim" }, "  " + short(what.replace(/^torch\.ops\./, ""), 60)) : null);
      this.rows.set(item.id, { item, row });
      return open ? [row, ...item.blocks.flatMap((b) => this.level(b, depth + 1, expanded))] : [row];
    });
  }

  mark(id: string): void {
    for (const r of this.element.querySelectorAll("[aria-selected]")) { r.removeAttribute("aria-selected"); r.setAttribute("tabindex", "-1"); }
    const row = (this.rows.get(id) ?? this.rows.values().next().value)?.row;
    row?.setAttribute("tabindex", "0");
    if (this.rows.has(id)) { row!.setAttribute("aria-selected", "true"); row!.scrollIntoView({ block: "nearest" }); }
  }

  private key(e: KeyboardEvent): void {
    const all = [...this.rows.values()], at = all.findIndex((r) => r.row === document.activeElement);
    const to = (i: number) => { const r = all[i]; if (r) { this.on.select(r.item); r.row.focus(); } };
    const item = all[at]?.item, open = all[at]?.row.getAttribute("aria-expanded");
    if (e.key === "ArrowDown") to(at + 1);
    else if (e.key === "ArrowUp") to(at - 1);
    else if (e.key === "Home") to(0);
    else if (e.key === "End") to(all.length - 1);
    else if (e.key === "ArrowRight") { if (open === "false") this.on.toggle(item); else if (open === "true") to(at + 1); }
    else if (e.key === "ArrowLeft") {
      if (open === "true") this.on.toggle(item);
      else { const level = Number(all[at]?.row.getAttribute("aria-level")); to(all.slice(0, at).map((r) => Number(r.row.getAttribute("aria-level")) < level).lastIndexOf(true)); }
    } else if (e.key === "Enter") { if (item?.blocks.length) this.on.toggle(item); }
    else return;
    e.preventDefault();
    e.stopPropagation();
  }
}

const paragraphs = (text: string) => html("pre", { class: "message" }, text.length > 20000 ? text.slice(0, 20000) + "…" : text);

/** How many things it lists. */
export function missing(model: Model): { element: HTMLElement; count: number } {
  const { doc } = model, element = html("div", { id: "missing" });
  const add = (title: string, all: (Node | string)[]) => {
    if (all.length) element.append(html("h3", {}, title), html("ul", {}, ...all.slice(0, 200).map((x) => html("li", {}, x))));
    return all.length;
  };
  const names = new Map(doc.onnx.map((o, i) => [o.name, i]));
  let total = add("Nobody lowers", doc.unsupported.map((u) => html("div", {},
    html("strong", {}, `${opText(u)}, opset ${u.opset}`), ...u.reasons.map(paragraphs), u.similar ? paragraphs(u.similar) : null,
    html("p", { class: "remedy" }, "Remedy: a plugin that lowers it (--plugin-dir, or register_op in Python)."),
    html("ul", { class: "links" }, ...u.nodes.slice(0, ROWS).map((n) => html("li", {}, names.has(n) ? html("a", { href: `#onnx=${names.get(n)}` }, short(n, 120)) : short(n, 120)))))));
  total += add("Warnings", doc.warnings.map(paragraphs));
  total += add("Modules that could not be cut out", Object.entries(doc.open_blocks).map(([path, why]) => html("div", {}, html("strong", {}, short(path, 200)), paragraphs(why))));
  const absent = doc.tensors.filter((t) => t.absent);
  if (absent.length) element.append(html("h3", {}, "Weights"), html("p", {}, `${count(absent.length)} of ${count(doc.tensors.length)} tensors are not here: this page needs none.`));
  if (!total) element.prepend(html("p", {}, "Nothing: every node is lowered, without a warning."));
  return { element, count: total };
}

function bars(title: string, counts: Map<string, number>, unit: (n: number) => string): HTMLElement {
  const all = [...counts].sort((a, b) => b[1] - a[1]), most = all[0]?.[1] ?? 1;
  const table = html("table", { class: "bars" }, html("caption", {}, title));
  for (const [name, n] of all.slice(0, ROWS))
    table.append(html("tr", {}, html("th", { scope: "row" }, short(name, 48)), html("td", {}, html("span", { class: "bar", style: `width:${Math.max(1, (100 * n) / most)}%` })), html("td", { class: "number" }, unit(n))));
  if (all.length > ROWS) table.append(html("tr", {}, html("td", { colspan: 3 }, `and ${count(all.length - ROWS)} more`)));
  return table;
}

export function numbers(model: Model): HTMLElement {
  const { doc } = model, cost = doc.cost, add = (m: Map<string, number>, k: string, n: number) => m.set(k, (m.get(k) ?? 0) + n);
  const dtypes = new Map<string, number>(), onnx = new Map<string, number>(), fx = new Map<string, number>();
  for (const t of doc.tensors) add(dtypes, t.dtype, elements(t));
  for (const o of doc.onnx) add(onnx, opText(o), 1);
  for (const p of doc.programs) for (const n of p.nodes) if (n.op.startsWith("call")) add(fx, n.program !== undefined ? "author's block" : n.class ?? n.target, 1);
  const parameters = doc.tensors.filter((t) => t.role === "parameter");
  const row = (name: string, value: string) => html("tr", {}, html("th", { scope: "row" }, name), html("td", { class: "number" }, value));
  const needs = cost?.needed.length ? `give --size ${cost.needed.map((n) => `${n}=N`).join(",")}` : "not known";
  const amount = (n: number | null, text: (n: number) => string) => (n === null ? needs : text(n));
  const modules = doc.modules.filter((m) => m.path && (m.macs || m.parameters)).sort((a, b) => (b.macs ?? 0) - (a.macs ?? 0) || b.parameters - a.parameters);
  return html("div", { id: "numbers" },
    html("table", {}, row("ONNX nodes", count(doc.onnx.length)), row("FX nodes", count(doc.programs.reduce((s, p) => s + p.nodes.length, 0))),
      row("parameters", count(parameters.reduce((s, t) => s + elements(t), 0))), row("of them trained", count(parameters.filter((t) => t.trainable).reduce((s, t) => s + elements(t), 0))),
      ...(cost ? [row("MACs", amount(cost.macs, count)), row("activations", amount(cost.activation_bytes, bytes)), row("at most at one time", amount(cost.peak_activation_bytes, bytes))] : [])),
    cost ? null : html("p", { class: "dim" }, "MACs and activations are counted of a model: onnx2fx view MODEL."),
    modules.length ? html("table", { class: "grid" }, html("caption", {}, "By module"), html("thead", {}, html("tr", {}, ...["module", "parameters", "MACs"].map((h) => html("th", { scope: "col" }, h)))),
      ...modules.slice(0, ROWS).map((m) => html("tr", {}, html("td", {}, short(m.path, 60)), html("td", { class: "number" }, count(m.parameters)), html("td", { class: "number" }, m.macs === null ? "?" : count(m.macs))))) : null,
    bars("Elements by dtype", dtypes, count), bars("ONNX operators", onnx, count), bars("FX calls", fx, count));
}
