// Documents that cannot be shown are refused in a sentence.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Unreadable } from "../../data/check";
import { readInput } from "../../data/read";
import { MadeUpProgram, randomNumbers } from "../naive";

const step = {
  focus: "event", title: "A", sentence: "S", facts: [], times: [], table: [], question: null,
  answered: null, mark: null, mapping: null, regions: [], frames: [],
};
const chapters = (steps: unknown): string =>
  JSON.stringify({ chapters: [{ chapter: "c", title: "C", steps }] });
const trace = (events: unknown): string => JSON.stringify({ trace: { of: "/p" }, events });

const refused: readonly [what: string, text: string, says: RegExp][] = [
  ["the template", "@COW_DATA@", /template/],
  ["nothing", " ", /template/],
  ["half a document", '{"chapters": [', /damaged/],
  ["a list", "[]", /object belongs/],
  ["neither", "{}", /neither chapters nor a trace/],
  ["no chapter", '{"chapters": []}', /no chapter/],
  ["no steps", chapters([]), /'c' has no steps/],
  ["a step without a title", chapters([{ ...step, title: undefined }]), /steps\[0\]\.title/],
  ["an unknown state", chapters([{ ...step, regions: [{ name: "A", address: 0, pages: 1,
    first_page: 0, shown: [{ state: "frozen", frame: null }] }] }]), /frozen/],
  ["a trace without events", trace([]), /no events/],
  ["an unknown kind", trace([{ number: 1, kind: "teleported" }]), /teleported/],
  ["a page beyond those that are shown", trace([{ number: 1, kind: "region_made", pages: 1e15 }]),
    /1000000.* up to page 268435456 only/],
  ["half a page", trace([{ number: 1, kind: "fault", page: 0.5 }]), /no count/],
  ["an unknown entry", trace([{ number: 1, kind: "fault",
    entries: [[1, 0, 1, 1, 1, "odd"]] }]), /odd/],
];

for (const [what, text, says] of refused) {
  test(`${what}: said in a sentence`, () => {
    assert.throws(() => readInput(text), (error) =>
      error instanceof Unreadable && says.test(error.message));
  });
}

test("a chapter, a trace and a table of contents are told apart", () => {
  assert.equal(readInput(chapters([step])).kind, "chapters");
  const made = new MadeUpProgram(4, randomNumbers(1)).run(3);
  assert.equal(readInput(JSON.stringify({ trace: made.about, events: made.events })).kind, "trace");
  const contents = { command: "contents", pages: [{ file: "f", title: "t", about: "a" }] };
  assert.equal(readInput(JSON.stringify(contents)).kind, "contents");
});

test("fields that mean nothing may be left out of an event", () => {
  const input = readInput(trace([{ number: 1, pid: 1, kind: "region_made", space: 1, pages: 4 }]));
  assert.ok(input.kind === "trace" && input.trace.events[0]?.pages === 4);
});
