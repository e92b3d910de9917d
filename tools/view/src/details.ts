// What is said of a chosen node, block or ONNX node: both sides, source, tensors, notes.

import { bytes, called, count, elements, FxNode, Model, OnnxNode, opText, Place, short, Tensor, typeText } from "./document";
import { html } from "./elements";
import { Item } from "./items";

const MOST = 200; // rows of a list

const section = (title: string, ...content: (Node | string | null)[]) =>
  html("section", {}, html("h3", {}, title), ...content);

const row = (name: string, value: Node | string | null | undefined) =>
  value ? html("tr", {}, html("th", { scope: "row" }, name), html("td", {}, value)) : null;

function list(all: Node[]): HTMLElement {
  const ul = html("ul", { class: "links" }, ...all.slice(0, MOST).map((n) => html("li", {}, n)));
  if (all.length > MOST) ul.append(html("li", { class: "more" }, `and ${count(all.length - MOST)} more: search for them`));
  return ul;
}

export class Details {
  readonly element = html("aside", { id: "details", "aria-label": "Details", "aria-live": "polite", tabindex: 0 });

  constructor(private model: Model) { this.nothing(); }

  private nothing(): void {
    const { model } = this.model.doc;
    const ports = (title: string, all: typeof model.inputs) =>
      section(title, html("table", {}, ...all.map((p) => row(short(p.name, 200), typeText(p)))));
    this.element.replaceChildren(html("h2", {}, short(model.file || "model", 200)), ports("Inputs", model.inputs), ports("Outputs", model.outputs),
      html("p", { class: "hint" }, "Choose a node or a block. A double click, Enter or + opens a block. Ctrl K or / searches."));
  }

  private fxLink(p: Place): HTMLElement {
    const n = this.model.node(p), where = this.model.doc.programs[p.program].path;
    return html("a", { href: this.model.link(p) }, short(n.name, 200), html("span", { class: "dim" }, `  ${short(called(n), 80)}${where ? ` in ${short(where, 80)}` : ""}`));
  }

  private onnxLink(i: number): HTMLElement {
    const o = this.model.doc.onnx[i];
    return html("a", { href: `#onnx=${i}` }, opText(o), html("span", { class: "dim" }, `  ${short(o.name || (o.outputs ?? []).join(", "), 120)}`));
  }

  item(item: Item): void {
    if (item.node) this.fx(item.place, item.node);
    else this.run(item);
  }

  private run(item: Item): void {
    this.element.replaceChildren(html("h2", {}, short(item.label, 200)),
      html("p", {}, `Nodes ${count(item.from)} to ${count(item.to - 1)} of a block with many, shown as one box.`),
      section("FX nodes", list(Array.from({ length: Math.min(item.to - item.from, MOST + 1) }, (_, i) =>
        this.fxLink({ program: item.place.program, node: item.from + i })))));
  }

  private fx(place: Place, n: FxNode): void {
    const { doc } = this.model;
    const below = this.model.below(n), tensors = [...this.model.tensorsOf(n)].map((t) => doc.tensors[t]);
    const links = (all: number[] = []) => all.length ? list([...new Set(all)].map((node) => this.fxLink({ program: place.program, node }))) : null;
    const cost = this.model.costOf(n);
    const facts = html("table", {},
      row("FX", `${n.op} ${n.target}`), row("class", n.program !== undefined ? doc.programs[n.program].class : n.class), row("path", n.path),
      row("gives", typeText(n.type)),
      row("parameters", tensors.length ? `${count(tensors.reduce((s, t) => s + elements(t), 0))} elements in ${count(tensors.length)} tensors` : ""),
      row("MACs", cost ? (cost.macs === null ? "not known: give sizes" : count(cost.macs)) : ""));
    const inputs = links(n.inputs), users = links(this.model.usersOf(place));
    this.element.replaceChildren(html("h2", {}, short(n.name, 400)), ...(n.opaque ? [html("p", { class: "warning" }, "Nobody lowers this node: it raises when it is run.")] : []),
      facts, this.onnx(n, below.length > 0),
      ...(inputs ? [section("Takes", inputs)] : []), ...(users ? [section("Used by", users)] : []),
      this.source(place, n), ...below.map((p) => this.body(p)), ...(tensors.length ? [this.tensors(tensors)] : []));
  }

  private onnx(n: FxNode, isBlock: boolean): HTMLElement {
    const all = this.model.onnxOf(n);
    if (!all.length) return section("ONNX", html("p", { class: "dim" }, "It comes from no single ONNX node."));
    if (isBlock || n.onnx === undefined) return section(`ONNX: ${count(all.length)} nodes`, list(all.map((i) => this.onnxLink(i))));
    return section("ONNX", list([this.onnxLink(n.onnx)]), this.notes(this.model.doc.onnx[n.onnx]));
  }

  private notes(o: OnnxNode): HTMLElement {
    return html("table", {},
      row("lowered by", o.provider), row("opset", String(o.opset)), row("function", o.function),
      row("gives", (o.outputs ?? []).map((x) => short(x, 200)).join(", ")), ...(o.notes ?? []).map(([key, text]) => row(key, text)));
  }

  private source(place: Place, n: FxNode): HTMLElement {
    const { code } = this.model.doc.programs[place.program];
    if (n.line === undefined || !code.length) return section("Source", html("p", { class: "dim" }, "No line of its own."));
    const from = Math.max(0, n.line - 3);
    return section("Source", this.lines(place.program, from, Math.min(code.length, n.line + 4), n.line));
  }

  private body(program: number): HTMLElement {
    const p = this.model.doc.programs[program];
    return section(`Source of ${short(p.path || p.class, 100)}`, this.lines(program, 0, Math.min(p.code.length, MOST)),
      p.code.length > MOST ? html("p", { class: "dim" }, `and ${count(p.code.length - MOST)} lines more`) : null);
  }

  private lines(program: number, from: number, to: number, marked = -1): HTMLElement {
    const p = this.model.doc.programs[program], nodes = new Map<number, number>();
    const pre = html("pre", { class: "source", tabindex: 0 });
    p.nodes.forEach((n, i) => { if (n.line !== undefined && !nodes.has(n.line)) nodes.set(n.line, i); });
    for (let i = from; i < to; i++) {
      const node = nodes.get(i), text = short(p.code[i], 2000) + "\n";
      const line = node === undefined ? html("span", {}, text) : html("a", { href: this.model.link({ program, node }) }, text);
      if (i === marked) line.classList.add("marked");
      pre.append(line);
    }
    return pre;
  }

  private tensors(all: Tensor[]): HTMLElement {
    const table = html("table", { class: "grid" }, html("thead", {}, html("tr", {}, ...["tensor", "type", "role", "why"].map((h) => html("th", { scope: "col" }, h)))));
    for (const t of all.slice(0, MOST)) {
      const name = t.name && t.name !== t.path ? `${short(t.path, 120)} (in the file: ${short(t.name, 120)})` : short(t.path, 120);
      table.append(html("tr", {}, html("td", {}, name), html("td", {}, `${t.dtype}[${t.shape.join(", ")}], ${bytesOf(t)}${t.absent ? ", not here" : ""}`),
        html("td", {}, (t.role ?? "?") + (t.role === "parameter" ? (t.trainable ? ", trained" : ", frozen") : "")), html("td", {}, t.because ?? "")));
    }
    return section("Tensors", table, all.length > MOST ? html("p", { class: "dim" }, `and ${count(all.length - MOST)} more`) : null);
  }

  onnxNode(i: number): void {
    const o = this.model.doc.onnx[i], made = this.model.fxOf[i];
    this.element.replaceChildren(html("h2", {}, `${opText(o)} ${short(o.name, 400)}`), html("p", { class: "dim" }, "A node of the ONNX file."), this.notes(o),
      section(`FX nodes: ${count(made.length)}`, made.length ? list(made.map((p) => this.fxLink(p)))
        : html("p", { class: "dim" }, "None: it is folded into what uses it, or part of a call that carries another node's name.")));
  }
}

function bytesOf(t: Tensor): string {
  const bits = /complex128/.test(t.dtype) ? 128 : Number(/(\d+)/.exec(t.dtype)?.[1] ?? 8);
  return bytes(Math.ceil(elements(t) * (t.dtype.startsWith("float8") ? 8 : bits) / 8));
}
