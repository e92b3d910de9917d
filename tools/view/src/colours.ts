// What the colour of a node says.

import { count, elements, FxNode, Model, opText } from "./document";
import { Item } from "./items";

export const SCHEMES = {
  kind: "kind", trainable: "what is trained", parameters: "parameters", macs: "MACs", provider: "who lowered it",
};
export type Scheme = keyof typeof SCHEMES;

export interface Colour { fill: string; meaning: string }

const KINDS: Record<string, string> = {
  "input or output": "var(--k-port)", "author's block": "var(--k-block)", "torch.nn module": "var(--k-module)",
  "function": "var(--k-function)", "weight or constant": "var(--k-tensor)", "control flow": "var(--k-control)",
  "nobody lowers it": "var(--k-missing)", "run of nodes": "var(--k-run)",
};

function kind(n?: FxNode): string {
  if (!n) return "run of nodes";
  if (n.opaque) return "nobody lowers it";
  if (n.op === "placeholder" || n.op === "output") return "input or output";
  if (n.program !== undefined) return "author's block";
  if (n.bodies) return "control flow";
  if (n.op === "get_attr") return "weight or constant";
  return n.op === "call_module" ? "torch.nn module" : "function";
}

const NEUTRAL: Colour = { fill: "var(--k-none)", meaning: "none" };
const STEPS = 5;

/** From the least to the most, in steps by order of magnitude. */
function scaled(value: number, most: number, unit: string): Colour {
  if (!value || !most) return NEUTRAL;
  const lowest = most / 10 ** STEPS;
  const step = Math.max(0, Math.min(STEPS - 1, Math.floor(Math.log10(value / lowest))));
  const top = most / 10 ** (STEPS - 1 - step);
  return { fill: `var(--s-${step})`, meaning: `up to ${count(Math.ceil(top))} ${unit}` };
}

export class Colours {
  scheme: Scheme = "kind";
  private providers: string[];
  private total: number;

  constructor(private model: Model) {
    this.providers = [...new Set(model.doc.onnx.map((o) => o.provider ?? "?"))];
    this.total = model.doc.tensors.reduce((sum, t) => sum + elements(t), 0);
  }

  of(item: Item): Colour {
    const n = item.node;
    if (n?.opaque) return { fill: "var(--k-missing)", meaning: "nobody lowers it" };
    if (this.scheme === "kind") { const k = kind(n); return { fill: KINDS[k], meaning: k }; }
    if (!n) return NEUTRAL;
    if (this.scheme === "provider") {
      if (n.onnx === undefined) return { fill: "var(--k-none)", meaning: "no ONNX node" };
      const p = this.model.doc.onnx[n.onnx].provider ?? "?";
      return { fill: `var(--p-${this.providers.indexOf(p) % 6})`, meaning: p };
    }
    if (this.scheme === "macs") return scaled(this.model.costOf(n)?.macs ?? 0, this.model.doc.cost?.macs ?? 0, "MACs");
    const tensors = [...this.model.tensorsOf(n)].map((t) => this.model.doc.tensors[t]);
    if (this.scheme === "parameters") return scaled(tensors.reduce((sum, t) => sum + elements(t), 0), this.total, "elements");
    if (!tensors.length) return { fill: "var(--k-none)", meaning: "holds no tensor" };
    const trained = tensors.filter((t) => t.trainable).length;
    if (!trained) return { fill: "var(--p-1)", meaning: "frozen" };
    return trained === tensors.length ? { fill: "var(--p-0)", meaning: "trained" } : { fill: "var(--p-2)", meaning: "trained in part" };
  }

  title(item: Item): string {
    const n = item.node;
    if (!n) return item.label;
    const from = n.onnx === undefined ? "" : `, from ${opText(this.model.doc.onnx[n.onnx])} '${this.model.doc.onnx[n.onnx].name}'`;
    return `${n.name}: ${n.class ?? n.target}${from}`;
  }
}
