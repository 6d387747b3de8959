// How the page fits: screens from 320 pixels to 4K, light and dark, paper, keys alone, and what
// a screen reader is told.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { readFileSync, readdirSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import type { Chapter } from "../../data/types";
import { MadeUpProgram, randomNumbers } from "../naive";
import { launch, open, pagesFolder, pageWith, recordingIn } from "./browser";

let browser: Browser;
let trace: string;
before(async () => {
  browser = await launch();
  const made = new MadeUpProgram(3000, randomNumbers(3)).run(150);
  trace = await pageWith("trace-looks.html", { trace: made.about, events: made.events });
});
after(() => browser.close());

const chapters = (): string[] => readdirSync(pagesFolder()).filter((name) =>
  name.endsWith(".html")).map((name) => join(pagesFolder(), name));

async function checkWidth(page: Page, file: string): Promise<void> {
  const { wide, screen } = await page.evaluate(() =>
    ({ wide: document.documentElement.scrollWidth, screen: innerWidth }));
  assert.ok(wide <= screen, `${file}: ${wide} wide on a screen of ${screen}`);
  const outside = await page.$$eval("#page svg text", (all) => all.filter((text) => {
    const box = text.getBoundingClientRect();
    return box.width > 0 && (box.left < -1 || box.right > innerWidth + 1);
  }).map((text) => text.textContent));
  assert.deepEqual(outside, [], `${file}: text outside the screen`);
}

for (const [width, height] of [[320, 640], [1280, 720], [3840, 2160]] as const) {
  for (const isDark of [false, true]) {
    test(`${width} by ${height}, ${isDark ? "dark" : "light"}: nothing is wider`, async () => {
      for (const file of [...chapters(), trace]) {
        const { page, complaints } = await open(browser, file, { width, height, isDark });
        const theme = await page.evaluate(() => document.documentElement.dataset.theme);
        assert.equal(theme, isDark ? "dark" : "light");
        const steps = file.endsWith("index.html") || file === trace ? 5
          : ((await recordingIn(file)).chapters[0] as Chapter).steps.length;
        // Colours take no room: in the dark the last step is enough.
        for (let i = 0; i < steps; ++i) {
          if (!isDark || i === steps - 1) await checkWidth(page, file);
          await page.keyboard.press("ArrowRight");
        }
        assert.deepEqual(complaints, []);
        await page.close();
      }
    });
  }
}

test("letters grow with the screen", async () => {
  const sizes: number[] = [];
  for (const [width, height] of [[1280, 720], [1920, 1080], [3840, 2160]] as const) {
    const file = join(pagesFolder(), "one-store.html");
    const { page } = await open(browser, file, { width, height });
    sizes.push(await page.$eval(".words .sentence", (element) =>
      parseFloat(getComputedStyle(element).fontSize) / innerHeight));
    await page.close();
  }
  for (const size of sizes) assert.ok(size > 1 / 35, `a letter is ${size} of the screen's height`);
});

function pdfPages(pdf: Buffer): number {
  return (pdf.toString("latin1").match(/\/Type\s*\/Page\b(?!s)/g) ?? []).length;
}

test("on paper each step is a page", async () => {
  for (const file of chapters().filter((name) => !name.endsWith("index.html"))) {
    const chapter = (await recordingIn(file)).chapters[0] as Chapter;
    const { page, complaints } = await open(browser, file);
    const pdf = await page.pdf({ preferCSSPageSize: true });
    assert.equal(pdfPages(pdf), chapter.steps.length, file);
    assert.equal(await page.locator(".sheet").count(), 0);
    assert.deepEqual(complaints, []);
    await page.close();
  }
});

test("no sheet of paper cuts off what it has on it", async () => {
  for (const file of [...chapters().filter((name) => !name.endsWith("index.html")), trace]) {
    const { page } = await open(browser, file, { width: 1032, height: 703 });
    await page.emulateMedia({ media: "print" });
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    const cut = await page.$$eval(".sheet", (sheets) => sheets
      .filter((sheet) => sheet.scrollHeight > sheet.clientHeight + 1)
      .map((sheet) => sheet.querySelector("h2")?.textContent));
    assert.deepEqual(cut, [], file);
    await page.close();
  }
});

test("keys alone reach every control, and help opens and closes", async () => {
  const { page } = await open(browser, join(pagesFolder(), "one-store.html"),
    { hash: "one-store/5" });
  const wanted = await page.$$eval(
    ":is(header, main, nav) :is(button:enabled, select:enabled, input, a)",
    (all) => all.map((element, i) => {
      (element as HTMLElement).dataset.control = String(i);
      return String(i);
    }));
  const reached = new Set<string>();
  for (let i = 0; i < wanted.length + 5; ++i) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() =>
      (document.activeElement as HTMLElement | null)?.dataset.control ?? ""));
  }
  assert.deepEqual(wanted.filter((control) => !reached.has(control)), []);
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  await page.keyboard.press("?");
  await page.waitForSelector("dialog[open]");
  await page.keyboard.press("ArrowRight");  // the page behind it stays where it is
  assert.equal(await page.getAttribute("main", "data-step"), "4");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog", { state: "hidden" });
  await page.close();
});

test("the picture has words, the narration is announced, and axe has no complaint", async () => {
  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  for (const isDark of [false, true]) {
    for (const [file, hash] of [
      [join(pagesFolder(), "one-store.html"), "one-store/5"],
      [join(pagesFolder(), "one-store.html"), "one-store/9"],
      [join(pagesFolder(), "lazy-or-eager.html"), "lazy-or-eager/7"],
      [join(pagesFolder(), "index.html"), ""], [trace, "trace/90"],
    ] as const) {
      const { page } = await open(browser, file, { hash, isDark });
      if (hash === "one-store/9") {
        const image = page.getByRole("img", { name: /page 4 of B: private, with frame/ });
        assert.equal(await image.count(), 1);
        assert.equal(await page.getByRole("region", { name: "What happens" }).count(), 1);
        assert.equal(await page.getByRole("navigation", { name: "Replay" }).count(), 1);
        assert.equal(await page.locator("[aria-live=polite] h2").count(), 1);
        assert.equal(await page.getByRole("button", { name: "Forward one step" }).count(), 1);
        assert.match(await page.locator("caption + tbody").innerText(), /page 4: private/);
      }
      await page.evaluate(axe);
      const violations = await page.evaluate(async () =>
        (await (globalThis as any).axe.run(document)).violations.map((found: any) =>
          `${found.id}: ${found.nodes.map((node: any) => node.html).join(" | ").slice(0, 300)}`));
      assert.deepEqual(violations, [], `${file}#${hash}`);
      await page.close();
    }
  }
});

test("the page could not ask anything of a server if it wanted to", async () => {
  let asked = 0;
  const server = createServer((_, response) => {
    ++asked;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const { page } = await open(browser, join(pagesFolder(), "one-store.html"));
  const refused = await page.evaluate(async (where) => {
    const reports: string[] = [];
    addEventListener("securitypolicyviolation", (event) => reports.push(event.effectiveDirective));
    await fetch(where).catch(() => undefined);
    const image = Object.assign(new Image(), { src: where });
    document.body.append(image);
    await new Promise((resolve) => image.addEventListener("error", resolve));
    document.body.append(Object.assign(document.createElement("script"), { text: "alert(1)" }));
    await new Promise((resolve) => setTimeout(resolve));
    return reports.sort();
  }, url);
  assert.deepEqual(refused, ["connect-src", "img-src", "script-src-elem"]);
  assert.equal(asked, 0);
  await page.close();
  server.close();
});

test("without motion nothing moves by itself", async () => {
  const { page } = await open(browser, join(pagesFolder(), "one-store.html"));
  await page.emulateMedia({ reducedMotion: "reduce" });
  assert.deepEqual(await page.$$eval("#page rect", (all) => [...new Set(all.map((rect) =>
    getComputedStyle(rect).transitionDuration))]), ["0s"]);
  await page.close();
});

test("it plays by itself to its end, and stops there", async () => {
  const { page } = await open(browser, join(pagesFolder(), "snapshot.html"));
  await page.selectOption(".pace select", "0.5");
  await page.getByRole("button", { name: "Play" }).click();
  await page.waitForSelector('main[data-step="4"]');
  await page.getByRole("button", { name: "Play" }).waitFor();
  await page.close();
});
