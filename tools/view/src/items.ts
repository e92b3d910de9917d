// What a block shows: its nodes, or, where they are many, runs of them. The graph and the outline show the same.

import { count, FxNode, Model, Place } from "./document";

const MOST = 100; // children of a block

export interface Block { id: string; program: number; from: number; to: number }
export interface Item {
  id: string; // of this occurrence: a program that is called twice is shown twice
  place: Place; // of a run its first node
  label: string;
  node?: FxNode; // none: a run
  from: number; to: number;
  blocks: Block[]; // what it shows when it is expanded
}

export function rootBlock(model: Model): Block {
  return { id: "", program: 0, from: 0, to: model.doc.programs[0].nodes.length };
}

export function items(model: Model, b: Block): Item[] {
  const nodes = model.doc.programs[b.program].nodes;
  let size = 1;
  while ((b.to - b.from) / size > MOST) size *= MOST;
  const all: Item[] = [];
  for (let from = b.from; from < b.to; from += size) {
    const to = Math.min(from + size, b.to), place = { program: b.program, node: from };
    if (size > 1) {
      const id = `${b.id}/${b.program}:${from}-${to}`;
      const label = `${nodes[from].name} … ${nodes[to - 1].name} (${count(to - from)} nodes)`;
      all.push({ id, place, label, from, to, blocks: [{ id, program: b.program, from, to }] });
      continue;
    }
    const node = nodes[from], id = `${b.id}/${b.program}:${from}`;
    const blocks = model.below(node).map((program, i) => (
      { id: `${id}>${i}`, program, from: 0, to: model.doc.programs[program].nodes.length }));
    all.push({ id, place, label: node.name, node, from, to, blocks });
  }
  return all;
}

export interface Edge { from: number; to: number; node: number; times: number }

/** Between the items of a block. */
export function edges(model: Model, b: Block, all: Item[]): Edge[] {
  const nodes = model.doc.programs[b.program].nodes, owner = new Map<number, number>();
  all.forEach((item, i) => { for (let n = item.from; n < item.to; n++) owner.set(n, i); });
  const found = new Map<number, Edge>();
  for (let n = b.from; n < b.to; n++)
    for (const input of nodes[n].inputs ?? []) {
      const from = owner.get(input), to = owner.get(n)!;
      if (from === undefined || from === to) continue;
      const key = from * all.length + to, edge = found.get(key);
      if (edge) edge.times++;
      else found.set(key, { from, to, node: input, times: 1 });
    }
  return [...found.values()];
}

/** Ids of what must be expanded for a node to be seen, and its own at the end. */
export function pathTo(model: Model, place: Place): string[] {
  const calls: Place[] = [];
  for (let p: Place | undefined = place; p; p = model.callers[p.program]) calls.unshift(p);
  const ids: string[] = [];
  let block = rootBlock(model);
  for (const [i, call] of calls.entries()) {
    for (;;) {
      const item = items(model, block).find((it) => it.from <= call.node && call.node < it.to);
      if (!item) return ids;
      ids.push(item.id);
      if (item.node) {
        const next = calls[i + 1];
        if (next) block = item.blocks.find((x) => x.program === next.program)!;
        break;
      }
      block = item.blocks[0];
    }
  }
  return ids;
}
