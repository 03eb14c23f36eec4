// Bundles src/*.js, each whole, into the folder named on the command line, and writes
// down beside them the licence of every package that is in there.

import { build } from "esbuild";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2];
if (!out) throw new Error("no folder to write to (expected: node build.mjs FOLDER)");

await build({
  absWorkingDir: here,
  entryPoints: ["src/htmx.js", "src/graph.js", "src/chart.js"],
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
});

// All that npm installed to be bundled, even where one package holds another already.
const lock = JSON.parse(readFileSync(join(here, "package-lock.json")));
const bundled = Object.entries(lock.packages)
  .filter(([path, of]) => path && !of.dev)
  .map(([path]) => path.split("node_modules/").pop());
const notices = bundled.sort().map((name) => {
  const folder = join(here, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json")));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`no licence in ${name} (expected a file LICENSE)`);
  const text = readFileSync(join(folder, file), "utf8").trim();
  return `${name} ${version} (${license})\n\n${text}\n`;
});
writeFileSync(
  join(out, "NOTICES.txt"),
  `What these files hold of others, and under which terms.\n\n${notices.join("\n----\n\n")}`,
);
