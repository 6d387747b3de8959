// Every chapter, forward to its end and back: what is drawn is what was recorded, at every step.

import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import type { Chapter, FrameId, Look, Step } from "../../data/types";
import { drawn, launch, open, pageWith, pagesFolder, recordingIn } from "./browser";

let browser: Browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const letters: Record<Look, string> = { unmapped: "", zero: "z", shared: "s", "sole owner": "o",
  private: "w", leased: "l", kept: "k" };

function label(frame: FrameId, step: Step): string {
  const [file, number] = frame;
  const text = (file === 0 ? number % 0x1000 : number).toString(16);
  return file === step.frames[0]?.frame[0] ? text : `+${text}`;
}

/** What the recording says should be drawn. */
function expected(step: Step, index: number): Awaited<ReturnType<typeof drawn>> {
  const marked: string[] = [];
  const pages = step.regions.flatMap((region) => region.shown.map((cell, i) => {
    const page = region.first_page + i;
    if (step.mark?.region === region.name && step.mark.page === page) {
      marked.push(`${region.name} ${page}`);
    }
    const frame = cell.frame === null ? "" : cell.frame.join(":");
    const text = cell.state === "unmapped" ? ""
      : `${cell.frame === null ? "–" : label(cell.frame, step)}${letters[cell.state]}`;
    return `${region.name} ${page} ${cell.state} ${frame} ${text}`;
  }));
  const frames = step.regions.length === 0 ? [] : step.frames.map((box) =>
    `${box.frame.join(":")} ${box.owners} ${label(box.frame, step)}${box.owners}`);
  return { step: index, title: step.title, pages, frames, marked };
}

const files = readdirSync(pagesFolder()).filter((name) =>
  name.endsWith(".html") && name !== "index.html");

test("there is a page of every chapter, each below 1 MiB, and a table of contents", async () => {
  const { page, complaints } = await open(browser, join(pagesFolder(), "index.html"));
  const links = await page.$$eval("main a", (all) => all.map((a) => a.getAttribute("href")));
  assert.deepEqual([...links].sort(), [...files].sort());
  assert.ok(files.length >= 13);
  for (const name of files) assert.ok(statSync(join(pagesFolder(), name)).size < 2 ** 20, name);
  assert.deepEqual(complaints, []);
  await page.close();
});

for (const name of files) {
  for (const width of [1280, 360]) {
    test(`${name}, ${width} wide: forward and back, as recorded`, async () => {
      const file = join(pagesFolder(), name);
      const chapter = (await recordingIn(file)).chapters[0] as Chapter;
      const { page, complaints } = await open(browser, file, { width });
      const last = chapter.steps.length - 1;
      const check = async (index: number): Promise<void> => assert.deepEqual(await drawn(page),
        expected(chapter.steps[index] as Step, index), `step ${index + 1}`);
      for (let i = 0; i <= last; ++i) {
        await check(i);
        await page.keyboard.press("ArrowRight");
      }
      await check(last);
      for (let i = last; i >= 0; --i) {
        await check(i);
        await page.keyboard.press("ArrowLeft");
      }
      await page.keyboard.press("End");
      await check(last);
      await page.keyboard.press("Home");
      await check(0);
      assert.deepEqual(complaints, []);
      await page.close();
    });
  }
}

test("the step that asks does not tell; the answer comes on a key, and with the next step",
  async () => {
    const file = join(pagesFolder(), "one-store.html");
    const chapter = (await recordingIn(file)).chapters[0] as Chapter;
    const asking = chapter.steps.findIndex((step) => step.question !== null);
    const question = chapter.steps[asking]?.question;
    assert.ok(question);
    const { page } = await open(browser, file, { hash: `one-store/${asking + 1}` });
    const text = (): Promise<string> => page.innerText("#page");
    assert.ok((await text()).includes(question.text));
    assert.ok(!(await page.content()).split('id="recording"')[0]?.includes(question.answer));
    assert.equal(await page.$$eval(".heat .copied, .heat .taken", (all) => all.length), 0);
    await page.keyboard.press("a");
    assert.ok((await text()).includes(question.answer));
    const answered = chapter.steps.findIndex((step) => step.answered !== null);
    await page.evaluate((step) => (location.hash = `#one-store/${step + 1}`), answered);
    await page.waitForSelector(`main[data-step="${answered}"]`);
    assert.ok((await text()).includes(question.answer));
    // Without questions nothing is asked, and nothing answered.
    await page.keyboard.press("q");
    assert.ok(!(await text()).includes(question.answer));
    await page.keyboard.press("Home");
    const seen: number[] = [];
    for (let i = 0; i < chapter.steps.length; ++i) {
      seen.push((await drawn(page)).step);
      await page.keyboard.press(" ");
    }
    assert.ok(!seen.includes(asking));
    assert.ok(seen.includes(chapter.steps.length - 1));
    await page.close();
  });

test("several chapters in one file: each has its own steps and addresses", async () => {
  const chapters = (await Promise.all(["tree", "fork"].map((name) =>
    recordingIn(join(pagesFolder(), `${name}.html`))))).map((data) => data.chapters[0] as Chapter);
  const [tree, fork] = chapters as [Chapter, Chapter];
  const { page, complaints } = await open(browser, await pageWith("two.html", { chapters }));
  const shown = (): Promise<string> => page.$eval("main", (main) => main.dataset.show ?? "");
  await page.keyboard.press("ArrowRight");
  assert.deepEqual(await drawn(page), expected(tree.steps[1] as Step, 1));
  await page.keyboard.press("]");
  assert.equal(await shown(), "fork");
  assert.deepEqual(await drawn(page), expected(fork.steps[0] as Step, 0));
  await page.getByLabel("Chapter").selectOption({ label: tree.title });
  assert.equal(await shown(), "tree");
  await page.evaluate(() => (location.hash = "#fork/4"));
  await page.waitForSelector('main[data-show="fork"]');
  assert.deepEqual(await drawn(page), expected(fork.steps[3] as Step, 3));
  await page.reload();
  await page.waitForSelector('main[data-show="fork"]');
  assert.equal((await drawn(page)).step, 3);
  assert.deepEqual(complaints, []);
  await page.close();
});
