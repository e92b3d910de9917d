// The picture: SVG, pan, zoom, keyboard, mini map.

import { Colours } from "./colours";
import { html, svg } from "./elements";
import { Model, short, typeText } from "./document";
import { Item, rootBlock } from "./items";
import { CHARACTER, Layout, LINE, PlacedBlock, PlacedItem } from "./layout";

export interface Selection { select(item: Item): void; toggle(item: Item): void }

interface Shown { item: Item; group: SVGGElement; x: number; y: number; width: number; height: number }

export class Graph {
  readonly element: SVGSVGElement;
  readonly map: SVGSVGElement;
  readonly legend = html("ul", { class: "legend", "aria-label": "Colours" });
  private scene = svg("g", { id: "scene" });
  private view = svg("g", {}, this.scene);
  private frame = svg("rect", { class: "frame" });
  private shown = new Map<string, Shown>();
  private root?: PlacedBlock;
  private x = 0; private y = 0; private zoom = 1;
  private turn = 0;
  private still = "";
  selected = "";

  constructor(private model: Model, private layout: Layout, private colours: Colours, private on: Selection) {
    this.element = svg("svg", {
      id: "graph", tabindex: 0, role: "group", "aria-label": "Graph: arrows go along edges, Enter opens a block, plus and minus zoom, 0 shows all",
      wheel: (e: WheelEvent) => {
        e.preventDefault();
        const r = this.element.getBoundingClientRect();
        this.zoomBy(Math.exp(-e.deltaY * 0.0015), e.clientX - r.left, e.clientY - r.top);
      },
      keydown: (e: KeyboardEvent) => this.key(e),
    }, this.arrow(), this.view);
    this.drag();
    this.map = svg("svg", {
      id: "map", "aria-hidden": "true",
      pointerdown: (e: PointerEvent) => this.mapTo(e),
      pointermove: (e: PointerEvent) => { if (e.buttons) this.mapTo(e); },
    }, svg("use", { href: "#scene" }), this.frame);
  }

  private arrow(): SVGDefsElement {
    return svg("defs", {}, svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 6, markerHeight: 6, orient: "auto" },
      svg("path", { d: "M0 0L8 4L0 8z", class: "arrow" })));
  }

  /** Lays out and draws; the item `still` stays where it is, and is seen. False: a later call came before this one's end. */
  async show(expanded: Set<string>, still = ""): Promise<boolean> {
    const turn = ++this.turn;
    if (still) this.still = still; // also of a call that a later one overtakes
    const root = await this.layout.block(rootBlock(this.model), expanded);
    if (turn !== this.turn) return false;
    const first = !this.root, wanted = this.still, before = this.shown.get(wanted);
    this.root = root;
    this.still = "";
    this.shown.clear();
    const meanings = new Map<string, string>();
    this.scene.replaceChildren(this.draw(root, 0, 0, meanings));
    this.legend.replaceChildren(...[...meanings].map(([text, fill]) =>
      html("li", {}, svg("svg", { width: 12, height: 12 }, svg("rect", { width: 12, height: 12, rx: 2, fill })), text)));
    this.map.setAttribute("viewBox", `0 0 ${root.width} ${root.height}`);
    this.mark(this.selected);
    const after = this.shown.get(wanted);
    if (first) this.fit(true);
    if (first && !wanted) return true;
    if (!first && before && after && this.isSeen(before)) {
      this.x += (before.x - after.x) * this.zoom;
      this.y += (before.y - after.y) * this.zoom;
      const right = this.element.getBoundingClientRect().width - 20, end = this.x + (after.x + after.width) * this.zoom;
      if (end > right) this.x -= Math.min(end - right, this.x + after.x * this.zoom - 20);
    } else if (after) this.reveal(wanted, false);
    this.move();
    return true;
  }

  private draw(b: PlacedBlock, x0: number, y0: number, meanings: Map<string, string>): SVGGElement {
    const g = svg("g", { transform: `translate(${x0},${y0})` });
    for (const e of b.edges) {
      const type = typeText(this.model.doc.programs[b.block.program].nodes[e.edge.node].type);
      const [first, ...rest] = e.points;
      g.append(svg("path", { class: "edge", d: `M${first.x} ${first.y}` + rest.map((p) => `L${p.x} ${p.y}`).join(""), "marker-end": "url(#arrow)" },
        svg("title", {}, short(type, 400))));
      if (e.label) g.append(svg("text", { class: "type", x: e.label.x, y: e.label.y }, e.label.text));
    }
    for (const i of b.items) g.append(this.drawItem(i, x0, y0, meanings));
    return g;
  }

  private drawItem(p: PlacedItem, x0: number, y0: number, meanings: Map<string, string>): SVGGElement {
    const { item } = p, colour = this.colours.of(item), opens = item.blocks.length > 0;
    meanings.set(colour.meaning, colour.fill);
    const title = this.colours.title(item);
    const g = svg("g", {
      class: "item" + (p.inner ? " open" : "") + (opens ? " opens" : ""), transform: `translate(${p.x},${p.y})`, tabindex: -1, role: "button",
      "aria-label": short(title + ", " + typeText(item.node?.type), 300), "aria-expanded": opens ? String(!!p.inner) : undefined,
      click: (e: MouseEvent) => { e.stopPropagation(); this.on.select(item); },
      dblclick: (e: MouseEvent) => { e.stopPropagation(); if (opens) this.on.toggle(item); },
    }, svg("title", {}, short(title, 2000)), svg("rect", { width: p.width, height: p.height, rx: 4, style: `--fill:${colour.fill}` }));
    if (opens) g.append(svg("g", {
      class: "toggle", transform: `translate(${p.width - 18},4)`, click: (e: MouseEvent) => { e.stopPropagation(); this.on.toggle(item); },
    }, svg("rect", { width: 14, height: 14, rx: 3 }), svg("path", { d: p.inner ? "M3 7H11" : "M3 7H11M7 3V11" })));
    const lines = p.inner ? [p.lines.join("  ")] : p.lines;
    lines.forEach((text, i) => g.append(svg("text", { class: i ? "target" : "name", x: 8, y: 15 + i * LINE }, text)));
    this.shown.set(item.id, { item, group: g, x: x0 + p.x, y: y0 + p.y, width: p.width, height: p.height });
    for (const b of p.inner ?? []) {
      const inside = this.draw(b, 0, b.y, meanings);
      this.place(b, x0 + p.x, y0 + p.y + b.y);
      g.append(inside);
      if (p.inner!.length > 1) g.append(svg("text", { class: "target", x: 8, y: b.y + 4 }, short(b.title, Math.floor(p.width / CHARACTER))));
    }
    return g;
  }

  /** Where the items inside stand in the scene: drawn relative to their parents. */
  private place(b: PlacedBlock, x: number, y: number): void {
    for (const p of b.items) {
      const s = this.shown.get(p.item.id);
      if (s) { s.x = x + p.x; s.y = y + p.y; }
      for (const inner of p.inner ?? []) this.place(inner, x + p.x, y + p.y + inner.y);
    }
  }

  mark(id: string): void {
    this.shown.get(this.selected)?.group.classList.remove("selected");
    this.selected = id;
    this.shown.get(id)?.group.classList.add("selected");
  }

  /** Moves the picture so that an item is seen. */
  reveal(id: string, focus: boolean): void {
    const s = this.shown.get(id);
    if (!s) return;
    const { width, height } = this.element.getBoundingClientRect();
    if (this.zoom < 0.75) this.zoom = 0.9;
    this.x = width / 2 - (s.x + s.width / 2) * this.zoom;
    this.y = s.height * this.zoom > height - 120 ? 60 - s.y * this.zoom : height / 2 - (s.y + s.height / 2) * this.zoom;
    this.move();
    if (focus) this.focus(id);
  }

  focus(id: string): void { this.shown.get(id)?.group.focus({ preventScroll: true }); }

  private isSeen(s: Shown): boolean {
    const { width, height } = this.element.getBoundingClientRect(), x = this.x + s.x * this.zoom, y = this.y + s.y * this.zoom;
    return this.zoom >= 0.35 && x >= 0 && y >= 0 && x < width - 80 && y < height - 80;
  }

  fit(readable = false): void {
    if (!this.root) return;
    const { width, height } = this.element.getBoundingClientRect();
    this.zoom = Math.min(1.2, width / (this.root.width + 20), height / (this.root.height + 20));
    if (readable) this.zoom = Math.max(this.zoom, 0.55);
    this.x = (width - this.root.width * this.zoom) / 2;
    this.y = Math.max(10, (height - this.root.height * this.zoom) / 2);
    this.move();
  }

  zoomBy(factor: number, x?: number, y?: number): void {
    const r = this.element.getBoundingClientRect(), cx = x ?? r.width / 2, cy = y ?? r.height / 2;
    const zoom = Math.min(4, Math.max(0.01, this.zoom * factor));
    this.x = cx - (cx - this.x) * zoom / this.zoom;
    this.y = cy - (cy - this.y) * zoom / this.zoom;
    this.zoom = zoom;
    this.move();
  }

  private move(): void {
    this.view.setAttribute("transform", `translate(${this.x},${this.y}) scale(${this.zoom})`);
    this.element.classList.toggle("far", this.zoom < 0.35);
    const r = this.element.getBoundingClientRect();
    for (const [name, value] of Object.entries({ x: -this.x / this.zoom, y: -this.y / this.zoom, width: r.width / this.zoom, height: r.height / this.zoom }))
      this.frame.setAttribute(name, String(value));
  }

  private mapTo(e: PointerEvent): void {
    const p = new DOMPoint(e.clientX, e.clientY).matrixTransform(this.map.getScreenCTM()!.inverse());
    const r = this.element.getBoundingClientRect();
    this.x = r.width / 2 - p.x * this.zoom;
    this.y = r.height / 2 - p.y * this.zoom;
    this.move();
  }

  private drag(): void {
    let held: { x: number; y: number } | undefined, moved = 0;
    this.element.addEventListener("pointerdown", (e) => { held = { x: e.clientX, y: e.clientY }; moved = 0; });
    this.element.addEventListener("click", (e) => { if (moved > 5) e.stopPropagation(); }, true); // the end of a drag
    window.addEventListener("pointermove", (e) => {
      if (!held || !e.buttons) { held = undefined; return; }
      moved += Math.abs(e.clientX - held.x) + Math.abs(e.clientY - held.y);
      this.x += e.clientX - held.x;
      this.y += e.clientY - held.y;
      held = { x: e.clientX, y: e.clientY };
      this.move();
    });
    window.addEventListener("pointerup", () => { held = undefined; });
  }

  private key(e: KeyboardEvent): void {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const current = this.shown.get(this.selected);
    const pan: Record<string, [number, number]> = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    if (e.key === "+" || e.key === "=") this.zoomBy(1.25);
    else if (e.key === "-") this.zoomBy(0.8);
    else if (e.key === "0") this.fit();
    else if (e.key === "Enter" && current?.item.blocks.length) this.on.toggle(current.item);
    else if (pan[e.key] && e.shiftKey) { this.x += pan[e.key][0]; this.y += pan[e.key][1]; this.move(); }
    else if (pan[e.key]) { const next = this.neighbour(current?.item, e.key); if (next) { this.on.select(next); this.reveal(next.id, true); } }
    else return;
    e.preventDefault();
  }

  /** Down and up go along edges, left and right in the order of execution. */
  private neighbour(item: Item | undefined, key: string): Item | undefined {
    const all = [...this.shown.values()].map((s) => s.item);
    if (!item) return all[0];
    const siblings = all.filter((s) => s.place.program === item.place.program && s.id.slice(0, s.id.lastIndexOf("/")) === item.id.slice(0, item.id.lastIndexOf("/")));
    const at = siblings.indexOf(item), nodes = this.model.doc.programs[item.place.program].nodes;
    if (key === "ArrowRight") return siblings[at + 1];
    if (key === "ArrowLeft") return siblings[at - 1];
    const meets = (s: Item, n: number) => s !== item && s.from <= n && n < s.to;
    for (let n = item.from; n < item.to; n++)
      for (const other of key === "ArrowUp" ? nodes[n].inputs ?? [] : this.model.usersOf({ program: item.place.program, node: n })) {
        const found = siblings.find((s) => meets(s, other));
        if (found) return found;
      }
    return undefined;
  }
}
