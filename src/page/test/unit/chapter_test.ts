// Which steps of a chapter the list of faults leads to.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Look, Step } from "../../data/types";
import { ChapterShow } from "../../show/chapter_show";

const stepWith = (focus: string, state: Look, frame: number): Step => ({
  focus, title: "T", sentence: "S", facts: [], times: [], table: [], question: null,
  answered: null, mark: null, mapping: null, frames: [],
  regions: [{ name: "A", address: 0, pages: 1, first_page: 0,
    shown: [{ state, frame: [1, frame] }] }],
});

const faultsOf = (...steps: Step[]): readonly number[] =>
  new ChapterShow({ chapter: "c", title: "C", steps }).faults;

test("a page that has become writable between two steps had a fault", () => {
  assert.deepEqual(faultsOf(stepWith("overview", "shared", 0), stepWith("event", "private", 1)),
    [1]);
  assert.deepEqual(faultsOf(stepWith("overview", "sole owner", 0), stepWith("table", "private", 0)),
    [1]);
});

test("what was writable, is leased, or was put back, had none", () => {
  assert.deepEqual(faultsOf(stepWith("overview", "private", 0), stepWith("event", "private", 0)),
    []);
  assert.deepEqual(faultsOf(stepWith("overview", "shared", 0), stepWith("event", "leased", 1),
    stepWith("event", "private", 1)), []);
  assert.deepEqual(faultsOf(stepWith("event", "private", 1), stepWith("event", "shared", 0)), []);
});

test("a store in steps has one, at the step that shows it", () => {
  assert.deepEqual(faultsOf(stepWith("before", "shared", 0), stepWith("fault", "shared", 0),
    stepWith("map", "private", 1), stepWith("after", "private", 1)), [1]);
});
