// What a client is told on standard input, what it prints, and where its packages are;
// see tests/sts/foreign/clients/assignment.py.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.NODE_HOME}/`);

export const load = (name) => import(pathToFileURL(require.resolve(name)).href);
export const told = JSON.parse(readFileSync(0, "utf8"));
export const show = (token, kind, used = false) =>
  console.log(JSON.stringify({ token, kind, used }));
