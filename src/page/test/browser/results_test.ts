// A page of results: what is on it is what the document says, with the pointer, by keys, to a
// screen reader, on any screen and on paper.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { quantityText } from "../../show/units";
import { madeUpResults, madeUpRow, rowsOf } from "../results";
import { launch, open, pageWith, unfold } from "./browser";

let browser: Browser;
let files: string[];
const documents = [madeUpResults(1), madeUpResults(2)];
before(async () => {
  browser = await launch();
  files = await Promise.all(documents.map((given, i) =>
    pageWith(`results-${i + 1}.html`, given)));
});
after(() => browser.close());

/** The numbers of a table's rows, as exact as the page has them. */
const numbersIn = (page: Page, selector: string): Promise<number[][]> =>
  page.$$eval(`${selector} tbody tr:not(.detail)`, (rows) => rows.map((row) =>
    [...row.querySelectorAll<HTMLElement>("[data-value]")].map((cell) =>
      Number(cell.dataset.value))));

function numbersOf(picture: any): number[][] {
  const points = (series: any): any[] => series.points;
  switch (picture.kind) {
    case "lines": return picture.series.flatMap((series: any) => points(series).map((point) =>
      [point.x, point.y, point.low, point.high].filter((value) => value !== undefined)));
    case "histogram": return picture.series.flatMap((series: any) => series.counts.map(
      (count: number, i: number) => [series.edges[i], series.edges[i + 1], count]));
    case "heat": return picture.cells;
    default: return picture.series.flatMap((series: any) => points(series).map((point) =>
      [point.y, point.low, point.high].filter((value) => value !== undefined)));
  }
}

async function checkTables(page: Page, root: string, given: any): Promise<void> {
  for (const picture of given.pictures) {
    const table = `${root} [data-picture="${picture.id}"] .as-table`;
    await page.waitForSelector(`${table} tbody tr`);
    const expected = numbersOf(picture);
    const shown = await numbersIn(page, table);
    assert.deepEqual(shown, root === "#paper" ? expected.slice(0, 200) : expected, picture.id);
  }
}

for (const [i, given] of documents.entries()) {
  test(`${i + 1} of results: pictures, rows and changes have the document's numbers`, async () => {
    const { page, complaints } = await open(browser, files[i] as string);
    assert.equal(await page.title(), given.title);
    const top = await page.innerText("main");
    for (const text of [...given.advice, ...given.notes]) assert.ok(top.includes(text));
    await unfold(page, "#page .advice-detailed summary");
    assert.deepEqual(await page.locator("#page .advice-detailed li").allTextContents(),
      given.detailed_advice);
    await unfold(page, "figure summary");
    await checkTables(page, "#page", given);
    // The first row of a heat map is its upper one.
    const heat = given.pictures.find(({ kind }: any) => kind === "heat");
    const cells = (await page.$$eval('#page [data-picture="heat"] path.heat-shade', (paths) =>
      paths.map((path) => path.getAttribute("d")))).join("");
    for (const [x, y, value] of heat.cells) {
      if (value > 0) assert.ok(cells.includes(`M${x} ${y}h1`), `${x} ${y}`);
    }
    const counted = given.results.flatMap(({ document }: any) => rowsOf(document)).filter(
      ({ counts }: any) => counts !== undefined);
    assert.ok(counted.length > 0);
    assert.equal(await page.locator("#page .rows .beside.counts tbody tr").count(),
      counted.length);

    for (const [result, { document }] of given.results.entries()) {
      for (const row of rowsOf(document)) {
        const shown = page.locator(`.rows tr[data-row="${result} ${row.name}"]`);
        const values = await shown.locator("[data-value]").evaluateAll((cells) =>
          cells.map((cell) => Number((cell as HTMLElement).dataset.value)));
        assert.deepEqual(values, [row.median, row.against?.ratio, row.samples.length]
          .filter((value) => value !== undefined), row.name);
        const text = (await shown.textContent()) ?? "";
        assert.ok(text.includes(row.status) && text.includes(row.reason), text);
        if (row.median !== undefined) assert.ok(text.includes(quantityText(row.median, row.unit)));
        if (row.against?.difference === "none") assert.ok(text.includes("no difference seen"));
        for (const warning of row.warnings) assert.ok(text.includes(warning), text);
      }
    }
    assert.deepEqual(await numbersIn(page, ".changes"), given.changes.map((change: any) =>
      [change.before, change.after, change.ratio, change.p]));
    assert.deepEqual(complaints, []);
    await page.close();
  });
}

test("what changed beyond noise is marked, and can be shown alone", async () => {
  const { page } = await open(browser, files[1] as string);
  const rows = page.locator(".changes tbody tr");
  assert.equal(await rows.count(), documents[1]?.changes.length);
  await page.getByLabel("only what changed beyond noise").check();
  await page.waitForFunction(() =>
    !document.querySelector(".changes tbody")?.textContent?.includes("no difference seen"));
  for (const kind of [["less", "better", "faster"], ["more", "worse", "slower"]] as const) {
    const expected = documents[1]?.changes.filter((one: any) => one.difference === kind[0]);
    const marked = page.locator(`.changes tr.${kind[1]}`, { hasText: kind[2] });
    assert.equal(await marked.count(), expected.length);
  }
  await page.close();
});

test("a part of a stack has one colour in both results, and is in the legend once", async () => {
  const { page } = await open(browser, files[1] as string);
  const { series } = documents[1]?.pictures.find(({ kind }: any) => kind === "stack");
  const parts: string[] = [...new Set<string>(series.map(({ title }: any) => title))];
  const figure = page.locator(".kind-stack");
  assert.deepEqual(await figure.locator(".result-legend li").allInnerTexts(), parts);
  const classes = await figure.locator(".bar-ground").evaluateAll((bars) => bars.map((bar) =>
    [...bar.querySelectorAll(".piece")].map((piece) => piece.className)));
  assert.deepEqual(classes.slice(0, 3), classes.slice(3, 6));
  await page.close();
});

test("the environments are folded, and say what differs", async () => {
  const { page } = await open(browser, files[1] as string);
  await page.locator(".environment summary", { hasText: "1 of 21 lines differ" }).click();
  assert.match(await page.locator(".environment tr.differs").innerText(),
    /kernel.*6\.1\.0\s+6\.8\.0/s);
  await page.close();
});

test("rows are found by words and sorted by a column", async () => {
  const { page } = await open(browser, files[0] as string);
  await page.getByLabel("Find").fill("share handler");
  await page.getByRole("status").filter({ hasText: /^9 rows$/ }).waitFor();
  const medians = async (): Promise<number[]> =>
    (await numbersIn(page, ".rows")).map((row) => row[0] as number);
  const rising = [...await medians()].sort((a, b) => a - b);
  const head = page.getByRole("columnheader", { name: "median" });
  await head.getByRole("button").click();
  await page.waitForSelector(".rows th[aria-sort=ascending]");
  assert.deepEqual(await medians(), rising);
  await head.getByRole("button").click();
  await page.waitForSelector(".rows th[aria-sort=descending]");
  assert.deepEqual(await medians(), rising.reverse());
  await page.close();
});

test("every sample of a row is there when it is asked for", async () => {
  const { page } = await open(browser, files[0] as string);
  const row = documents[0]?.results[0].document.benchmarks[5];
  await page.locator(`tr[data-row="0 ${row.name}"]`).getByRole("button").click();
  const text = await page.locator(".all-samples").innerText();
  assert.deepEqual(text.split(": ")[1]?.split(" ").map(Number), row.samples);
  assert.equal(await page.locator(".row-details .samples").getAttribute("data-samples"), "30");
  await page.close();
});

test("the pointer and the arrow keys show a point's value, interval and samples", async () => {
  const { page, complaints } = await open(browser, files[0] as string);
  const picture = documents[0]?.pictures[0];
  const figure = page.locator(`[data-picture="${picture.id}"]`);
  const words = async (series: number, point: number): Promise<void> => {
    const { title, points } = picture.series[series];
    await figure.locator("[aria-live]", { hasText: title }).filter({
      hasText: quantityText(points[point].y, "ns") }).filter({
      hasText: `share written ${points[point].x} %` }).waitFor();
    assert.equal(await figure.locator(".samples").getAttribute("data-samples"), "30");
  };
  await figure.locator(".drawing").focus();
  await page.keyboard.press("ArrowRight");
  await words(0, 0);
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await words(0, 2);
  await page.keyboard.press("ArrowDown");
  await words(1, 2);
  await page.keyboard.press("End");
  await words(1, 8);
  // The ring is where the point is: the pointer there finds the same.
  await figure.locator(".ring").waitFor();
  const ring = await figure.locator(".ring").boundingBox();
  assert.ok(ring);
  await page.keyboard.press("Escape");
  await figure.locator(".ring").waitFor({ state: "detached" });
  await page.mouse.move(ring.x + ring.width / 2, ring.y + ring.height / 2);
  await words(1, 8);
  for (const kind of ["bars", "stack", "histogram", "heat"]) {
    const other = page.locator(`.kind-${kind}`).first();
    await other.locator(".drawing").focus();
    await page.keyboard.press("ArrowRight");
    await other.locator("[aria-live]", { hasText: /\d/ }).waitFor();
  }
  assert.deepEqual(complaints, []);
  await page.close();
});

for (const [width, height] of [[320, 640], [1280, 720], [3840, 2160]] as const) {
  test(`${width} by ${height}: nothing is wider, and the charts are as wide as they may be`,
    async () => {
      for (const isDark of [false, true]) {
        const { page, complaints } = await open(browser, files[1] as string,
          { width, height, isDark });
        await page.waitForSelector(".chart canvas");
        await unfold(page, "summary");
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= width, `${wide} wide on a screen of ${width}`);
        const canvases = await page.$$eval(".chart", (charts) => charts.map((chart) =>
          (chart.querySelector("canvas")?.clientWidth ?? 0) - chart.clientWidth));
        assert.ok(canvases.length > 0 && canvases.every((more) => Math.abs(more) <= 1));
        assert.deepEqual(complaints, []);
        await page.close();
      }
    });
}

/** The colours that a chart is drawn in, and how often. */
const inkOf = (page: Page, selector: string): Promise<Record<string, number>> =>
  page.$eval(selector, (canvas) => {
    const { width, height } = canvas as HTMLCanvasElement;
    const pixels = (canvas as HTMLCanvasElement).getContext("2d")
      ?.getImageData(0, 0, width, height).data ?? new Uint8ClampedArray();
    const counts: Record<string, number> = {};
    for (let i = 0; i < pixels.length; i += 4) {
      if (pixels[i + 3] !== 255) continue;
      const colour = "#" + [0, 1, 2].map((part) =>
        (pixels[i + part] ?? 0).toString(16).padStart(2, "0")).join("");
      counts[colour] = (counts[colour] ?? 0) + 1;
    }
    return counts;
  });

test("charts are drawn in the theme's colours, and anew when it changes", async () => {
  const { page } = await open(browser, files[0] as string);
  const canvas = '[data-picture="share-random"] canvas';
  await page.waitForSelector(canvas);
  assert.ok(((await inkOf(page, canvas))["#1f5fbf"] ?? 0) > 100);
  await page.keyboard.press("d");
  await page.waitForSelector(":root[data-theme=dark]");
  const dark = await inkOf(page, canvas);
  assert.ok((dark["#7fb0ff"] ?? 0) > 100 && dark["#1f5fbf"] === undefined);
  await page.close();
});

test("on paper everything is unfolded, in light, and nothing is cut off", async () => {
  for (const [i, given] of documents.entries()) {
    // The width of A4 between its margins.
    const { page, complaints } = await open(browser, files[i] as string,
      { width: 703, height: 1032, isDark: true });
    await page.emulateMedia({ media: "print" });
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");
    await checkTables(page, "#paper", given);
    const rows = await numbersIn(page, "#paper .experiment > .scroll");
    assert.equal(rows.length, given.results.reduce((sum: number, result: any) =>
      sum + rowsOf(result.document).length, 0));
    const cut = await page.$$eval("#paper *", (all) => all.filter((element) =>
      element.getBoundingClientRect().right > innerWidth + 1).map((element) => element.outerHTML));
    assert.deepEqual(cut, []);
    const ink = await inkOf(page, '#paper [data-picture="share-random"] canvas');
    assert.ok((ink["#1f5fbf"] ?? 0) > 1000);
    await page.evaluate(() => dispatchEvent(new Event("afterprint")));
    assert.equal(await page.locator("#paper > *").count(), 0);
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
    const pdf = (await page.pdf({ preferCSSPageSize: true })).toString("latin1");
    const boxes = [...pdf.matchAll(/\/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]/g)];
    assert.ok(boxes.length > 2 && boxes.every(([, w, h]) => Number(w) < Number(h)), "not upright");
    assert.deepEqual(complaints, []);
    await page.close();
  }
});

test("keys alone reach every control, and axe has no complaint", async () => {
  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  for (const isDark of [false, true]) {
    const { page } = await open(browser, files[1] as string, { isDark });
    await unfold(page, "summary");
    await page.locator(".rows td button").first().click();
    await page.locator(".drawing").first().focus();
    await page.keyboard.press("ArrowRight");
    await page.waitForSelector(".row-details");
    for (const { title, what } of documents[1]?.pictures ?? []) {
      const drawing = page.getByRole("application", { name: `${title}: ${what}` });
      assert.equal(await drawing.count(), 1);
    }
    await page.evaluate(axe);
    const violations = await page.evaluate(async () =>
      (await (globalThis as any).axe.run(document)).violations.map((found: any) =>
        `${found.id}: ${found.nodes.map((node: any) => node.html).join(" | ").slice(0, 300)}`));
    assert.deepEqual(violations, []);
    const unreachable = await page.$$eval(
      "#page :is(button, input, a[href], summary, .drawing, .scroll)",
      (all) => all.filter((element) => (element as HTMLElement).tabIndex < 0)
        .map((element) => element.outerHTML));
    assert.deepEqual(unreachable, []);
    await page.close();
  }
});

const damaged = madeUpResults();
delete damaged.results[0].document.context.cow_bench.format;
for (const [what, data, says] of [
  ["cut short", JSON.stringify(madeUpResults()).slice(0, 5000), /damaged/],
  ["of another format", damaged, /another libcow/],
  ["with an unknown picture", { ...madeUpResults(), pictures: [{ kind: "pie" }] }, /'pie'/],
] as const) {
  test(`results ${what}: a sentence in place of a blank page`, async () => {
    const { page, complaints } = await open(browser, await pageWith("bad-results.html", data));
    assert.match(await page.innerText("main"), says);
    assert.deepEqual(complaints, []);
    await page.close();
  });
}

test("points that a logarithmic axis has no place for are said, and in the table", async () => {
  const given = madeUpResults();
  given.pictures = [given.pictures[0]];
  given.pictures[0].series[0].points[0].y = 0;
  const { page, complaints } = await open(browser, await pageWith("zero.html", given));
  assert.match(await page.innerText("figure"), /1 point at zero or below/);
  await unfold(page, "figure summary");
  await checkTables(page, "#page", given);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a result without pictures, and pictures without series, are shown", async () => {
  const given = madeUpResults();
  given.pictures = given.pictures.map((picture: any) => (picture.kind === "heat"
    ? { ...picture, cells: [] } : { ...picture, series: [], marks: [] }));
  for (const pictures of [[], given.pictures]) {
    const file = await pageWith("few.html", { ...given, pictures });
    const { page, complaints } = await open(browser, file);
    assert.equal(await page.locator("figure").count(), pictures.length);
    assert.ok((await page.innerText(".rows")).includes("43 rows"));
    assert.deepEqual(complaints, []);
    await page.close();
  }
});

test("300 rows with 50,000 samples are shown", async () => {
  const given = madeUpResults();
  const { document } = given.results[0];
  [document.quantities, document.unmeasured] = [[], []];
  document.benchmarks = Array.from({ length: 300 }, (_, i) =>
    madeUpRow(`experiment ${i % 10}`, `workload ${i}`, "handler",
      Array.from({ length: 167 }, (_unused, k) => 1000 + ((k * 37 + i) % 500))));
  const { page, complaints } = await open(browser, await pageWith("many.html", given));
  assert.equal(await page.locator(".rows tbody tr").count(), 300);
  assert.deepEqual(complaints, []);
  await page.close();
});
