// Makes the template: one HTML file with everything in it but what was recorded.
//
//   node build.mjs [--out FILE]   dist/page.html
//   node build.mjs --tests        the tests, for node's test runner, in dist/test

import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const placeholder = "@COW_DATA@";

async function bundled(file, options) {
  const result = await build({
    absWorkingDir: here, entryPoints: [file], bundle: true, write: false, minify: true,
    target: ["es2021"], charset: "utf8", legalComments: "none", ...options,
  });
  return result.outputFiles[0].text.trim();
}

// What an element may hold without ending.
function inElement(text, name) {
  if (text.toLowerCase().includes(`</${name}`)) throw new Error(`the ${name} ends itself`);
  return text;
}

const hashOf = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

async function template() {
  const script = inElement(
    await bundled("main.tsx", { format: "iife", jsx: "automatic", jsxImportSource: "preact" }),
    "script");
  const style = inElement(await bundled("page.css", {}), "style");
  // Only this script and this style, and not a single request.
  const policy = [
    "default-src 'none'", `script-src ${hashOf(script)}`, `style-src ${hashOf(style)}`,
    "img-src data:", "base-uri 'none'", "form-action 'none'",
  ].join("; ");
  const parts = {
    "@CONTENT_SECURITY_POLICY@": policy, "@STYLE@": style, "@SCRIPT@": script,
  };
  let page = await readFile(join(here, "page.html"), "utf8");
  for (const [mark, text] of Object.entries(parts)) page = page.replace(mark, () => text);
  if (page.split(placeholder).length !== 2) throw new Error(`${placeholder} is not there once`);
  return page;
}

async function buildTests() {
  await rm(join(here, "dist/test"), { recursive: true, force: true });
  for (const folder of ["unit", "browser"]) {
    const files = (await readdir(join(here, "test", folder)))
      .filter((name) => name.endsWith("_test.ts"))
      .map((name) => join("test", folder, name));
    await build({
      absWorkingDir: here, entryPoints: files, outdir: join("dist/test", folder), bundle: true,
      platform: "node", format: "esm", target: ["node18"], packages: "external",
      outExtension: { ".js": ".mjs" }, sourcemap: "inline",
    });
  }
}

if (process.argv.includes("--tests")) {
  await buildTests();
} else {
  const named = process.argv.indexOf("--out");
  const out = named === -1 ? join(here, "dist/page.html") : process.argv[named + 1];
  await mkdir(dirname(out), { recursive: true });
  await writeFile(out, await template());
  console.log(out);
}
