// A headless Chromium with one page in it, which notes everything that must not happen.

import { readFile, writeFile } from "node:fs/promises";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium, type Browser, type Page } from "playwright-core";

const named = (name: string): string => {
  const value = process.env[name];
  if (value === undefined || value === "") {
    throw new Error(`the tests in the browser need ${name}; see tests/scripts/page_test.py`);
  }
  return value;
};

/** A folder of pages that `cow demo --html FOLDER/` wrote. */
export const pagesFolder = (): string => named("COW_PAGES");

const scratch = mkdtempSync(join(tmpdir(), "cow-page-"));

export async function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: named("COW_CHROMIUM"),
    args: ["--no-sandbox", "--disable-gpu"] });
}

export interface Watched {
  page: Page;
  /** Messages, errors and requests that a page should not make. */
  complaints: string[];
}

export async function open(browser: Browser, file: string, options: {
  hash?: string; width?: number; height?: number; isDark?: boolean;
} = {}): Promise<Watched> {
  const page = await browser.newPage({
    viewport: { width: options.width ?? 1280, height: options.height ?? 720 },
    colorScheme: options.isDark ? "dark" : "light",
  });
  const complaints: string[] = [];
  const url = pathToFileURL(file).href;
  page.on("console", (message) => complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const asked = request.url().split("#")[0] ?? "";
    if (asked !== url && !asked.startsWith("data:")) complaints.push(`request: ${asked}`);
  });
  await page.goto(url + (options.hash === undefined ? "" : `#${options.hash}`));
  await page.waitForSelector("main");
  return { page, complaints };
}

/** Opens what is folded. The browser tells the page of it in a task of its own, and what was in it
 * is there only then. */
export async function unfold(page: Page, summaries: string): Promise<void> {
  const found = await page.$$(summaries);
  if (found.length === 0) throw new Error(`nothing to unfold: ${summaries}`);
  for (const summary of found) {
    await summary.click();
    await page.waitForFunction((opened) => (opened.parentElement?.childElementCount ?? 0) > 1,
      summary);
  }
}

/** The template with this in it. */
export async function pageWith(name: string, data: unknown): Promise<string> {
  const template = await readFile(named("COW_PAGE_TEMPLATE"), "utf8");
  const text = typeof data === "string" ? data : JSON.stringify(data);
  const file = join(scratch, name);
  await writeFile(file, template.replace("@COW_DATA@", () => text.replaceAll("<", "\\u003c")));
  return file;
}

/** What was recorded, as the page has it in it. */
export async function recordingIn(file: string): Promise<any> {
  const text = await readFile(file, "utf8");
  const found = /<script type="application\/json" id="recording">(.*?)<\/script>/s.exec(text);
  return JSON.parse(found?.[1] ?? "");
}

/** Everything that is drawn of pages and frames, read out of the document. */
export async function drawn(page: Page): Promise<{
  step: number; title: string; pages: string[]; frames: string[]; marked: string[];
}> {
  return page.evaluate(() => {
    const all = (selector: string): Element[] => [...document.querySelectorAll(selector)];
    const data = (element: Element): DOMStringMap => (element as HTMLElement).dataset;
    const cellText = (element: Element): string =>
      [...element.querySelectorAll("text")].map((text) => text.textContent).join("");
    return {
      step: Number(data(document.querySelector("main") as Element).step),
      title: document.querySelector(".words h2")?.textContent ?? "",
      pages: all("#page .page").map((cell) => `${data(cell).region} ${data(cell).page} ` +
        `${data(cell).state} ${data(cell).frame} ${cellText(cell)}`),
      frames: all("#page .frame").map((box) =>
        `${data(box).frame} ${data(box).owners} ${cellText(box)}`),
      marked: all("#page .page.marked").map((cell) => `${data(cell).region} ${data(cell).page}`),
    };
  });
}
