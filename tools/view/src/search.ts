// Search by name, operator, tensor, parameter, on both sides.

import { called, count, Model, opText, short } from "./document";
import { html } from "./elements";

const MOST = 100;

interface Entry { text: string; shown: string; where: string; hash: string }

export class Search {
  readonly input = html("input", { id: "search", type: "search", placeholder: "Search: node, operator, tensor", "aria-label": "Search by name, operator, tensor or parameter", "aria-controls": "found", autocomplete: "off" });
  readonly results = html("div", { id: "found", role: "region", "aria-label": "Search results", hidden: true });
  private entries?: Entry[];
  private timer = 0;

  constructor(private model: Model) {
    this.input.addEventListener("input", () => { clearTimeout(this.timer); this.timer = window.setTimeout(() => this.run(), 60); });
    this.input.addEventListener("keydown", (e) => {
      if (e.key === "Escape") { this.input.value = ""; this.run(); this.input.blur(); }
      if (e.key === "ArrowDown") { this.results.querySelector("a")?.focus(); e.preventDefault(); }
      if (e.key === "Enter") { this.run(); this.results.querySelector("a")?.click(); }
    });
    this.results.addEventListener("keydown", (e) => {
      const all = [...this.results.querySelectorAll("a")], at = all.indexOf(document.activeElement as HTMLAnchorElement);
      if (e.key === "ArrowDown") all[at + 1]?.focus();
      else if (e.key === "ArrowUp") (all[at - 1] ?? this.input).focus();
      else if (e.key === "Escape") this.input.focus();
      else return;
      e.preventDefault();
    });
    this.results.addEventListener("click", (e) => { if ((e.target as Element).closest("a")) this.results.hidden = true; });
  }

  private all(): Entry[] {
    if (this.entries) return this.entries;
    const { doc } = this.model, all: Entry[] = [];
    doc.programs.forEach((p, program) => p.nodes.forEach((n, node) => {
      const held = (n.tensors ?? []).map((t) => `${doc.tensors[t].path} ${doc.tensors[t].name ?? ""}`).join(" ");
      all.push({
        text: `${n.name} ${n.target} ${n.class ?? ""} ${n.path ?? ""} ${held}`.toLowerCase(), shown: n.name,
        where: `FX ${called(n)}${p.path ? ` in ${p.path}` : ""}`, hash: this.model.link({ program, node }),
      });
    }));
    doc.onnx.forEach((o, i) => all.push({
      text: `${o.name} ${opText(o)} ${(o.outputs ?? []).join(" ")}`.toLowerCase(), shown: o.name || (o.outputs ?? []).join(", "), where: `ONNX ${opText(o)}`, hash: `#onnx=${i}`,
    }));
    return (this.entries = all);
  }

  private run(): void {
    const words = this.input.value.toLowerCase().split(/\s+/).filter(Boolean);
    this.results.hidden = !words.length;
    if (!words.length) return;
    const exact = words.join(" ");
    const found = this.all().filter((e) => words.every((w) => e.text.includes(w)));
    const rank = (e: Entry) => (e.shown.toLowerCase() === exact ? 0 : e.shown.toLowerCase().startsWith(exact) ? 1 : 2);
    found.sort((a, b) => rank(a) - rank(b));
    this.results.replaceChildren(
      html("p", { role: "status" }, found.length ? `${count(found.length)} found${found.length > MOST ? `, the first ${MOST}` : ""}` : "nothing found"),
      ...found.slice(0, MOST).map((e) => html("a", { href: e.hash }, short(e.shown, 120), html("span", { class: "dim" }, "  " + short(e.where, 100)))));
  }
}
