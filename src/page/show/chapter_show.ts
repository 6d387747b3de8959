// A chapter: each step was recorded with all that it shows.

import type { Chapter, FrameId, Look, Step } from "../data/types";
import type { Heat, Moment, Show } from "./show";

const writableLooks: readonly Look[] = ["private", "leased"];

const sameFrame = (a: FrameId | null, b: FrameId | null): boolean =>
  a === b || (a !== null && b !== null && a[0] === b[0] && a[1] === b[1]);

const keyOf = (region: string, page: number): string => `${region}\n${page}`;

function pagesOf(step: Step): Map<string, { state: Look; frame: FrameId | null }> {
  const pages = new Map<string, { state: Look; frame: FrameId | null }>();
  for (const region of step.regions) {
    region.shown.forEach((cell, i) => pages.set(keyOf(region.name, region.first_page + i), cell));
  }
  return pages;
}

/** Rows of the heat map: every page that is shown, region after region. */
function rowsOf(steps: readonly Step[]): Map<string, { label: string; title: string }> {
  const regions = new Map<string, Set<number>>();
  for (const step of steps) {
    for (const region of step.regions) {
      const pages = regions.get(region.name) ?? new Set<number>();
      region.shown.forEach((_, i) => pages.add(region.first_page + i));
      regions.set(region.name, pages);
    }
  }
  const rows = new Map<string, { label: string; title: string }>();
  for (const [name, pages] of regions) {
    let label = name;
    for (const page of [...pages].sort((a, b) => a - b)) {
      rows.set(keyOf(name, page), { label, title: `page ${page} of ${name}` });
      label = "";
    }
  }
  return rows;
}

function heatOf(steps: readonly Step[]): Heat {
  const rows = rowsOf(steps);
  const size = rows.size * steps.length;
  const copied = new Uint32Array(size);
  const taken = new Uint32Array(size);
  const heatSteps = new Int32Array(size).fill(-1);
  let before = new Map<string, { state: Look; frame: FrameId | null }>();
  steps.forEach((step, column) => {
    const now = pagesOf(step);
    let row = 0;
    for (const key of rows.keys()) {
      const cell = now.get(key);
      const earlier = before.get(key);
      const index = row++ * steps.length + column;
      if (cell === undefined || earlier === undefined) continue;
      if (!writableLooks.includes(cell.state)) continue;
      if (!sameFrame(cell.frame, earlier.frame)) copied[index] = 1;
      else if (!writableLooks.includes(earlier.state)) taken[index] = 1;
      else continue;
      heatSteps[index] = column;
    }
    before = now;
  });
  return { rows: [...rows.values()], columns: steps.length, copied, taken, steps: heatSteps,
    columnOf: (step) => step };
}

function isFault(step: Step): boolean {
  return step.focus === "fault" ||
    step.facts.some((fact) => fact.name === "fault" && !fact.value.startsWith("none"));
}

/** Whether a page became writable between two steps: a store in steps has its own for the fault. */
function hasFaultsUnseen(step: Step, before: Step | undefined): boolean {
  if (before === undefined || !["event", "table", "overview"].includes(step.focus)) return false;
  const earlier = pagesOf(before);
  return [...pagesOf(step)].some(([key, cell]) => {
    const page = earlier.get(key);
    return page !== undefined && cell.state === "private" && page.state !== "leased" &&
      (page.state !== "private" || !sameFrame(cell.frame, page.frame));
  });
}

export class ChapterShow implements Show {
  readonly unit = "step";
  readonly hidesWhatComes = true;
  readonly facts = [];
  readonly notices = [];
  readonly faults: readonly number[];
  readonly heat: Heat;

  constructor(private readonly chapter: Chapter) {
    this.heat = heatOf(chapter.steps);
    this.faults = chapter.steps.flatMap((step, i, all) =>
      (isFault(step) || hasFaultsUnseen(step, all[i - 1]) ? [i] : []));
  }

  get name(): string {
    return this.chapter.chapter;
  }
  get title(): string {
    return this.chapter.title;
  }
  get length(): number {
    return this.chapter.steps.length;
  }

  at(index: number): Moment {
    const step = this.step(index);
    return {
      title: step.title,
      sentence: step.sentence,
      facts: step.facts,
      times: step.times,
      table: step.table,
      question: step.question,
      answered: step.answered,
      mapping: step.mapping,
      picture: {
        regions: step.regions, frames: step.frames, framesLeftOut: 0, mark: step.mark,
      },
      strips: [],
      stripsLeftOut: 0,
      doubt: null,
    };
  }

  titleOf(index: number): string {
    return this.step(index).title;
  }

  asksAt(index: number): boolean {
    return this.step(index).question !== null;
  }

  private step(index: number): Step {
    const step = this.chapter.steps[index];
    if (step === undefined) throw new RangeError(`no step ${index}`);
    return step;
  }
}
