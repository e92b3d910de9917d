// Where things stand: ELK says it, block by block, in a worker.

import ELK, { ElkNode } from "elkjs/lib/elk-api.js";
import { Model, short, typeText } from "./document";
import { Block, Edge, edges, Item, items } from "./items";

export const HEAD = 24, PAD = 10, LINE = 15;
export const CHARACTER = 6.7; // of the font at its size

export interface PlacedEdge { edge: Edge; points: { x: number; y: number }[]; label?: { x: number; y: number; text: string } }
export interface PlacedItem { item: Item; x: number; y: number; width: number; height: number; lines: string[]; inner?: PlacedBlock[] }
export interface PlacedBlock { block: Block; title: string; y: number; width: number; height: number; items: PlacedItem[]; edges: PlacedEdge[] }

const OPTIONS = {
  "elk.algorithm": "layered", "elk.direction": "DOWN", "elk.edgeRouting": "ORTHOGONAL",
  "elk.layered.spacing.nodeNodeBetweenLayers": "26", "elk.spacing.nodeNode": "20", "elk.spacing.edgeNode": "12",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES", "elk.padding": `[top=${PAD},left=${PAD},bottom=${PAD},right=${PAD}]`,
  "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF", "elk.layered.nodePlacement.bk.fixedAlignment": "BALANCED",
};

export class Layout {
  private elk: InstanceType<typeof ELK>;
  private made = new Map<string, Promise<PlacedBlock>>();

  constructor(private model: Model) {
    const text = document.getElementById("elk")!.textContent!;
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    this.elk = new ELK({ workerFactory: () => new Worker(url) });
  }

  block(b: Block, expanded: Set<string>): Promise<PlacedBlock> {
    const open = [...expanded].filter((id) => id.startsWith(b.id)).sort().join(" ");
    const key = `${b.id}|${b.program}|${open}`;
    let made = this.made.get(key);
    if (!made) this.made.set(key, (made = this.place(b, expanded)));
    return made;
  }

  private async place(b: Block, expanded: Set<string>): Promise<PlacedBlock> {
    const all = items(this.model, b);
    const sized = await Promise.all(all.map((item) => this.size(item, expanded)));
    const connections = edges(this.model, b, all);
    const labelled = new Set<number>(); // what a node gives is said once
    const nodes = this.model.doc.programs[b.program].nodes;
    const graph: ElkNode = {
      id: "block", layoutOptions: OPTIONS,
      children: sized.map((s, i) => ({ id: String(i), width: s.width, height: s.height })),
      edges: connections.map((e, i) => {
        const text = labelled.has(e.from) ? "" : edgeText(e, typeText(nodes[e.node].type));
        labelled.add(e.from);
        const labels = text ? [{ text, width: text.length * 5.6 + 6, height: 12 }] : [];
        return { id: `e${i}`, sources: [String(e.from)], targets: [String(e.to)], labels };
      }),
    };
    const done = await this.elk.layout(graph);
    done.children!.forEach((c, i) => { sized[i].x = c.x!; sized[i].y = c.y!; });
    const lines = (done.edges as any[]).map((e, i): PlacedEdge => {
      const s = e.sections[0], label = e.labels?.[0];
      return {
        edge: connections[i], points: [s.startPoint, ...(s.bendPoints ?? []), s.endPoint],
        label: label && { x: label.x + 3, y: label.y + 10, text: label.text },
      };
    });
    const program = this.model.doc.programs[b.program];
    return { block: b, title: program.path || program.class, y: 0, width: done.width!, height: done.height!, items: sized, edges: lines };
  }

  private async size(item: Item, expanded: Set<string>): Promise<PlacedItem> {
    const lines = textOf(this.model, item);
    const width = Math.max(60, ...lines.map((l) => l.length * CHARACTER + 16)) + (item.blocks.length ? 14 : 0); // of the sign
    const box = { item, x: 0, y: 0, width, height: lines.length * LINE + 9, lines };
    if (!expanded.has(item.id) || !item.blocks.length) return box;
    const inner: PlacedBlock[] = [];
    let height = HEAD, widest = lines.join("  ").length * CHARACTER + 40;
    for (const b of item.blocks) {
      const placed = { ...(await this.block(b, expanded)), y: height };
      height += placed.height;
      widest = Math.max(widest, placed.width);
      inner.push(placed);
    }
    return { ...box, width: widest, height, inner };
  }
}

const edgeText = (e: Edge, type: string): string => short(type, 40) + (e.times > 1 ? ` ×${e.times}` : "");

/** The lines in the box of an item. */
export function textOf(model: Model, item: Item): string[] {
  const n = item.node;
  if (!n) return [short(item.label, 60)];
  const what = n.program !== undefined ? model.doc.programs[n.program].class : n.class ?? n.target;
  const first = short(n.name, 44), second = short(what.replace(/^torch\.ops\./, "").replace(/^torch\.nn\.functional\./, "F."), 44);
  return first === second || n.op === "placeholder" || n.op === "output" ? [first] : [first, second];
}
