// Makes dist/view.html, the page without its data, which is committed: the build of the product needs no npm.
// `npm ci && npm run build` after a change in here; tests/view says when that was forgotten.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
const sources = ["build.mjs", "package.json", "package-lock.json", "tsconfig.json", ...readdirSync(new URL("src", import.meta.url)).sort().map((f) => `src/${f}`)];
const stamp = createHash("sha256");
for (const path of sources) stamp.update(`${path}\0`).update(read(path)).update("\0");

const bundle = await build({ entryPoints: ["src/main.ts"], bundle: true, minify: true, format: "iife", target: "es2022", charset: "ascii", write: false, legalComments: "none",
  define: { "process.env.NODE_ENV": '"production"' } });
const script = bundle.outputFiles[0].text;
const worker = read("node_modules/elkjs/lib/elk-worker.min.js");
for (const text of [script, worker]) if (/<\/script|<!--/i.test(text)) throw new Error("a script must not end its element");
const { version } = JSON.parse(read("node_modules/elkjs/package.json"));
const hash = createHash("sha256").update(script).digest("base64");
const policy = `default-src 'none'; script-src 'sha256-${hash}'; worker-src blob:; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'`;
const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<title>onnx2fx view</title>
<!-- sources: sha256 ${stamp.digest("hex")}
The page: onnx2fx, Apache-2.0. The layout (the element "elk"): elkjs ${version}, the Eclipse Layout Kernel, Copyright (c) Kiel
University and others, under the Eclipse Public License 2.0, https://www.eclipse.org/legal/epl-2.0/; its source:
https://github.com/kieler/elkjs. -->
<style>${read("src/page.css")}</style>
</head>
<body>
<noscript>This page needs JavaScript; it loads nothing.</noscript>
<script type="application/json" id="data">@DATA@</script>
<script type="text/plain" id="elk">${worker}</script>
<script>${script}</script>
</body>
</html>
`;
mkdirSync(new URL("dist", import.meta.url), { recursive: true });
writeFileSync(new URL("dist/view.html", import.meta.url), page);
