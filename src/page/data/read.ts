// Reads the document that a page was given. What cannot be shown is said in a sentence, not drawn
// wrongly: a page may be made by an older or newer program than this one.

import { asArray, asNumber, asObject, asText, Unreadable } from "./check";
import { readResults } from "./read_results";
import { readTrace } from "./read_trace";
import {
  looks, type Chapter, type Fact, type FrameBox, type FrameId, type Input, type Look, type Mapping,
  type Mark, type PageCell, type Question, type RegionRow, type Step, type TimedPart,
} from "./types";

// What stands in the template where a recording belongs.
const placeholder = /^@\w+@$/;

function readFrame(value: unknown, where: string): FrameId {
  const pair = asArray(value, where);
  return [asNumber(pair[0], `${where}[0]`), asNumber(pair[1], `${where}[1]`)];
}

function readCell(value: unknown, where: string): PageCell {
  const cell = asObject(value, where);
  const state = asText(cell.state, `${where}.state`);
  if (!(looks as readonly string[]).includes(state)) {
    throw new Unreadable(`${where} is '${state}', a state of a page that this page does not know`);
  }
  return {
    state: state as Look,
    frame: cell.frame === null ? null : readFrame(cell.frame, `${where}.frame`),
  };
}

function readRegion(value: unknown, where: string): RegionRow {
  const region = asObject(value, where);
  return {
    name: asText(region.name, `${where}.name`),
    address: asNumber(region.address, `${where}.address`),
    pages: asNumber(region.pages, `${where}.pages`),
    first_page: asNumber(region.first_page, `${where}.first_page`),
    shown: asArray(region.shown, `${where}.shown`).map((cell, i) =>
      readCell(cell, `${where}.shown[${i}]`)),
  };
}

function readFrameBox(value: unknown, where: string): FrameBox {
  const box = asObject(value, where);
  return {
    frame: readFrame(box.frame, `${where}.frame`),
    owners: asNumber(box.owners, `${where}.owners`),
  };
}

function readFact(value: unknown, where: string): Fact {
  const fact = asObject(value, where);
  return { name: asText(fact.name, `${where}.name`), value: asText(fact.value, `${where}.value`) };
}

function readPart(value: unknown, where: string): TimedPart {
  const part = asObject(value, where);
  return {
    name: asText(part.name, `${where}.name`),
    ns: asNumber(part.ns, `${where}.ns`),
    now: part.now === true,
  };
}

function readQuestion(value: unknown, where: string): Question | null {
  if (value === null || value === undefined) return null;
  const question = asObject(value, where);
  return {
    text: asText(question.text, `${where}.text`),
    answer: asText(question.answer, `${where}.answer`),
  };
}

function readMark(value: unknown, where: string): Mark | null {
  if (value === null || value === undefined) return null;
  const mark = asObject(value, where);
  return {
    region: asText(mark.region, `${where}.region`),
    page: asNumber(mark.page, `${where}.page`),
  };
}

function readMapping(value: unknown, where: string): Mapping | null {
  if (value === null || value === undefined) return null;
  const mapping = asObject(value, where);
  return {
    text: asText(mapping.text, `${where}.text`),
    mark_column: asNumber(mapping.mark_column, `${where}.mark_column`),
    mark_width: asNumber(mapping.mark_width, `${where}.mark_width`),
  };
}

function readStep(value: unknown, where: string): Step {
  const step = asObject(value, where);
  const list = <T>(name: string, read: (value: unknown, where: string) => T): T[] =>
    asArray(step[name], `${where}.${name}`).map((item, i) => read(item, `${where}.${name}[${i}]`));
  return {
    focus: asText(step.focus, `${where}.focus`),
    title: asText(step.title, `${where}.title`),
    sentence: asText(step.sentence, `${where}.sentence`),
    facts: list("facts", readFact),
    times: list("times", readPart),
    table: list("table", asText),
    question: readQuestion(step.question, `${where}.question`),
    answered: readQuestion(step.answered, `${where}.answered`),
    mark: readMark(step.mark, `${where}.mark`),
    mapping: readMapping(step.mapping, `${where}.mapping`),
    regions: list("regions", readRegion),
    frames: list("frames", readFrameBox),
  };
}

function readChapter(value: unknown, where: string): Chapter {
  const chapter = asObject(value, where);
  const name = asText(chapter.chapter, `${where}.chapter`);
  const steps = asArray(chapter.steps, `${where}.steps`);
  if (steps.length === 0) {
    throw new Unreadable(
      `the chapter '${name}' has no steps: it was left before its first one was shown`);
  }
  return {
    chapter: name,
    title: asText(chapter.title, `${where}.title`),
    steps: steps.map((step, i) => readStep(step, `${where}.steps[${i}]`)),
  };
}

function readContents(document: Record<string, unknown>): Input {
  const pages = asArray(document.pages, "pages").map((value, i) => {
    const page = asObject(value, `pages[${i}]`);
    return {
      file: asText(page.file, `pages[${i}].file`),
      title: asText(page.title, `pages[${i}].title`),
      about: asText(page.about, `pages[${i}].about`),
    };
  });
  return { kind: "contents", pages };
}

/** Throws Unreadable, whose message is a sentence for whoever looks at the page. */
export function readInput(text: string): Input {
  if (placeholder.test(text.trim()) || text.trim() === "") {
    throw new Unreadable("this is the template of a page, with nothing recorded in it; " +
      "'cow demo one-store --html FILE' makes a page of it");
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Unreadable("what was recorded cannot be read: the file is damaged or was cut short");
  }
  const document = asObject(parsed, "the document");
  if (document.kind === "results") return { kind: "results", results: readResults(document) };
  if (document.trace !== undefined) return { kind: "trace", trace: readTrace(document) };
  if (document.command === "contents") return readContents(document);
  if (document.chapters === undefined) {
    throw new Unreadable("the document has neither chapters nor a trace in it");
  }
  const chapters = asArray(document.chapters, "chapters");
  if (chapters.length === 0) throw new Unreadable("the document has no chapter in it");
  return {
    kind: "chapters",
    chapters: chapters.map((chapter, i) => readChapter(chapter, `chapters[${i}]`)),
    contents: typeof document.contents === "string" ? document.contents : null,
  };
}
