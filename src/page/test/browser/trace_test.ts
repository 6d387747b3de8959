// A trace: counts at every event, forward and back, and what is drawn, against the plain replay.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import type { TraceEvent } from "../../data/types";
import { MadeUpProgram, PlainReplay, randomNumbers, type PlainFamily } from "../naive";
import { drawn, launch, open, pageWith } from "./browser";

let browser: Browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const made = new MadeUpProgram(600, randomNumbers(11)).run(300);
const document = { program: "cow", command: "trace", trace: made.about, events: made.events };

/** Pages as the page draws them, in the words of the plain replay. */
function pageInPlain(family: PlainFamily, name: string, page: number): string {
  const space = family.get(Number(name.slice(1)));
  const cell = space?.pages[page];
  if (space === undefined || cell === undefined) return "missing";
  const shownBy = [...family.values()].filter((other) =>
    cell.frame !== "" && other.pages[page]?.frame === cell.frame).length;
  const look = cell.writable ? "private" : cell.frame === "" ? "zero"
    : space.isSnapshot ? "kept" : shownBy > 1 ? "shared" : "sole owner";
  return `${look} ${cell.frame}`;
}

test("what is drawn of a made-up trace is what the plain replay has, at every event both ways",
  async () => {
    const file = await pageWith("trace.html", document);
    const { page, complaints } = await open(browser, file);
    const plain = new PlainReplay();
    const expectations: Map<string, string>[] = [];
    const owners: Map<string, number>[] = [];
    const check = async (index: number, family: PlainFamily | null): Promise<void> => {
      const now = await drawn(page);
      assert.equal(now.step, index);
      const known = family === null ? expectations[index] : new Map<string, string>();
      const counts = family === null ? owners[index] : new Map<string, number>();
      for (const line of now.pages) {
        const [name, number, ...rest] = line.split(" ");
        const key = `${name} ${number}`;
        if (family !== null) known?.set(key, pageInPlain(family, name ?? "", Number(number)));
        assert.ok(rest.join(" ").startsWith(known?.get(key) ?? "nothing"), `${index}: ${line}`);
      }
      for (const line of now.frames) {
        const [frame, count] = line.split(" ");
        const plainCount = [...(family?.values() ?? [])].filter((space) =>
          space.pages.some((cell) => cell.frame === frame)).length;
        if (family !== null) counts?.set(frame ?? "", plainCount);
        assert.equal(Number(count), counts?.get(frame ?? ""), `${index}: frame ${frame}`);
      }
      assert.equal(await page.locator(".words .doubt").count(), 0, `event ${index + 1}`);
      if (family !== null) {
        expectations[index] = known ?? new Map();
        owners[index] = counts ?? new Map();
      }
    };
    for (const [i, event] of made.events.entries()) {
      plain.apply(event);
      await check(i, plain.family(event.pid, event.family));
      await page.keyboard.press("ArrowRight");
    }
    for (let i = made.events.length - 1; i >= 0; --i) {
      await check(i, null);
      await page.keyboard.press("ArrowLeft");
    }
    assert.deepEqual(complaints, []);
    await page.close();
  });

test("n and p go from fault to fault", async () => {
  const { page } = await open(browser, await pageWith("trace.html", document));
  const faults = made.events.flatMap((event, i) => (event.kind === "fault" ? [i] : []))
    .slice(0, 20);
  for (const fault of faults) {
    await page.keyboard.press("n");
    assert.equal((await drawn(page)).step, fault);
  }
  for (const fault of faults.slice(0, -1).reverse()) {
    await page.keyboard.press("p");
    assert.equal((await drawn(page)).step, fault);
  }
  await page.close();
});

test("the heat map has every copy and leads to it", async () => {
  const { page } = await open(browser, await pageWith("trace.html", document));
  const cell = page.locator(".heat .copied").first();
  const step = Number(await cell.getAttribute("data-step"));
  await cell.click();
  assert.equal((await drawn(page)).step, step);
  assert.equal(made.events[step]?.kind, "fault");
  await page.close();
});

test("a recorded trace: the counts of the library at every event", async () => {
  const trace = JSON.parse(await readFile("test/recorded_trace.json", "utf8"));
  const { page, complaints } = await open(browser, await pageWith("recorded.html", trace));
  for (const event of trace.events as TraceEvent[]) {
    assert.equal(await page.locator(".words .doubt").count(), 0, `event ${event.number}`);
    assert.ok((await drawn(page)).pages.length > 0 || event.kind.endsWith("_gone"));
    assert.equal((await drawn(page)).title, event.title);
    await page.keyboard.press("ArrowRight");
  }
  assert.deepEqual(complaints, []);
  await page.close();
});

const bad: readonly [what: string, data: unknown, says: RegExp][] = [
  ["the template", "@COW_DATA@", /template/],
  ["damaged", '{"chapters": [', /damaged/],
  ["no steps", { chapters: [{ chapter: "c", title: "C", steps: [] }] }, /no steps/],
  ["an unknown kind", { ...document, events: [{ kind: "teleported" }] }, /teleported/],
];
for (const [what, data, says] of bad) {
  test(`${what}: a sentence in place of a blank page`, async () => {
    const { page, complaints } = await open(browser, await pageWith("bad.html", data));
    assert.match(await page.innerText("main"), says);
    assert.deepEqual(complaints, []);
    await page.close();
  });
}

test("an event that was lost is said where the counts no longer agree", async () => {
  const lost = made.events.findIndex((event) => event.kind === "fault" && event.copied > 0);
  const events = made.events.filter((_, i) => i !== lost);
  const file = await pageWith("lost.html", { ...document, events,
    trace: { ...made.about, lost: 3 } });
  const { page } = await open(browser, file, { hash: `trace/${lost + 1}` });
  assert.match(await page.innerText("main"), /3 events more are not in the trace/);
  const doubt = page.locator(".words .doubt");
  for (let i = lost; i < events.length && (await doubt.count()) === 0; ++i) {
    await page.keyboard.press("ArrowRight");
  }
  assert.match(await doubt.innerText(), /events are missing before it/);
  await page.close();
});
