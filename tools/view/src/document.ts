// What the page is given: docs/view.md describes it.

export interface Type { dtype: string | null; shape: (number | string)[] | null }
export interface FxNode {
  name: string; op: string; target: string; type?: Type; inputs?: number[]; line?: number; onnx?: number;
  program?: number; bodies?: number[]; class?: string; path?: string; tensors?: number[]; opaque?: boolean;
}
export interface Program { path: string; class: string; code: string[]; nodes: FxNode[] }
export interface OnnxNode {
  name: string; op_type: string; domain: string; opset: number; outputs?: string[]; provider?: string;
  notes?: [string, string][]; function?: string;
}
export interface Tensor {
  path: string; name?: string; dtype: string; shape: number[]; role?: string; because?: string;
  trainable: boolean; absent: boolean;
}
export interface Unsupported {
  domain: string; op_type: string; opset: number; nodes: string[]; reasons: string[]; similar?: string;
}
export interface Port { name: string; dtype: string | null; shape: (number | string)[] | null }
export interface Costs {
  sizes: Record<string, number>; needed: string[]; macs: number | null; activation_bytes: number | null;
  peak_activation_bytes: number | null; uncounted: { node: string; why: string }[];
}
export interface Document {
  format: string; version: string; generator: string;
  model: { file: string; inputs: Port[]; outputs: Port[] };
  programs: Program[]; onnx: OnnxNode[]; tensors: Tensor[];
  warnings: string[]; unsupported: Unsupported[]; open_blocks: Record<string, string>;
  cost: Costs | null; modules: { path: string; parameters: number; macs: number | null }[];
}

export interface Place { program: number; node: number }

/** What a node calls, in a word. */
export const called = (n: FxNode): string => n.class ?? (n.op === "placeholder" || n.op === "output" ? n.op : n.target);

export const typeText = (t?: Type | Port): string =>
  !t ? "" : (t.dtype ?? "?") + (t.shape ? `[${t.shape.join(", ")}]` : "");

export const opText = (o: { domain: string; op_type: string }): string => (o.domain ? `${o.domain}.` : "") + o.op_type;

const grouping = new Intl.NumberFormat("en");
export const count = (n: number): string => grouping.format(n);
export const short = (text: string, most: number): string => (text.length > most ? text.slice(0, most - 1) + "…" : text);

export function bytes(n: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  for (; n >= 1000 && i < units.length - 1; i++) n /= 1000;
  return `${i ? n.toFixed(1) : n} ${units[i]}`;
}

export const elements = (t: Tensor): number => t.shape.reduce((a, b) => a * b, 1);

/** The document, and what is looked up in it. */
export class Model {
  readonly callers: (Place | undefined)[] = []; // by program
  readonly fxOf: Place[][] = []; // by ONNX node
  private users = new Map<number, number[][]>();
  private costs = new Map<string, { parameters: number; macs: number | null }>();

  constructor(readonly doc: Document) {
    doc.onnx.forEach(() => this.fxOf.push([]));
    doc.programs.forEach((p, program) =>
      p.nodes.forEach((n, node) => {
        if (n.onnx !== undefined) this.fxOf[n.onnx].push({ program, node });
        for (const below of this.below(n)) this.callers[below] ??= { program, node };
      }));
    for (const m of doc.modules) this.costs.set(m.path, m);
  }

  node(p: Place): FxNode { return this.doc.programs[p.program].nodes[p.node]; }

  below(n: FxNode): number[] { return n.program !== undefined ? [n.program] : (n.bodies ?? []); }

  usersOf(p: Place): number[] {
    let users = this.users.get(p.program);
    if (!users) {
      const nodes = this.doc.programs[p.program].nodes;
      users = nodes.map(() => []);
      nodes.forEach((n, i) => n.inputs?.forEach((j) => users![j].push(i)));
      this.users.set(p.program, users);
    }
    return users[p.node];
  }

  costOf(n: FxNode): { parameters: number; macs: number | null } | undefined {
    return n.path === undefined ? undefined : this.costs.get(n.path);
  }

  /** Tensors of a node, and of all that it runs. */
  tensorsOf(n: FxNode): Set<number> {
    const found = new Set(n.tensors ?? []), seen = new Set<number>(), stack = [...this.below(n)];
    for (let p = stack.pop(); p !== undefined; p = stack.pop()) {
      if (seen.has(p)) continue;
      seen.add(p);
      for (const inner of this.doc.programs[p].nodes) {
        inner.tensors?.forEach((t) => found.add(t));
        stack.push(...this.below(inner));
      }
    }
    return found;
  }

  /** ONNX nodes of a node, and of all that it runs. */
  onnxOf(n: FxNode): number[] {
    const found = new Set<number>(n.onnx === undefined ? [] : [n.onnx]), seen = new Set<number>(), stack = [...this.below(n)];
    for (let p = stack.pop(); p !== undefined; p = stack.pop()) {
      if (seen.has(p)) continue;
      seen.add(p);
      for (const inner of this.doc.programs[p].nodes) {
        if (inner.onnx !== undefined) found.add(inner.onnx);
        stack.push(...this.below(inner));
      }
    }
    return [...found].sort((a, b) => a - b);
  }

  link(p: Place): string {
    return `#node=${encodeURIComponent(`${this.doc.programs[p.program].path}:${this.node(p).name}`)}`;
  }

  /** The place that a link names. */
  find(hash: string): { place: Place } | { onnx: number } | undefined {
    const [kind, value = ""] = hash.replace(/^#/, "").split("=", 2);
    let text: string;
    try { text = decodeURIComponent(value); } catch { return undefined; }
    if (kind === "onnx") return this.doc.onnx[Number(text)] && { onnx: Number(text) };
    if (kind !== "node") return undefined;
    const at = text.lastIndexOf(":"), path = text.slice(0, at), name = text.slice(at + 1);
    for (let program = 0; program < this.doc.programs.length; program++) {
      if (this.doc.programs[program].path !== path) continue;
      const node = this.doc.programs[program].nodes.findIndex((n) => n.name === name);
      if (node >= 0) return { place: { program, node } };
    }
    return undefined;
  }
}
