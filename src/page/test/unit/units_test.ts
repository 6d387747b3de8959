// Quantities in words, and where axes have their ticks.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Axis } from "../../data/results";
import { fittingTicks, placeOn, rangeOf, tickText, ticksOf } from "../../show/ticks";
import {
  intervalText, medianTexts, numberText, probabilityText, quantityText, ratioText,
} from "../../show/units";

const quantities: readonly [value: number, unit: string, text: string][] = [
  [0, "ns", "0 ns"], [0.5, "ns", "0.5 ns"], [734, "ns", "734 ns"], [999.4, "ns", "999 ns"],
  [999.7, "ns", "1 µs"], [1234, "ns", "1.23 µs"], [-1234, "ns", "-1.23 µs"],
  [56_780_000, "ns", "56.8 ms"], [999_999, "ns", "1 ms"], [2.5e9, "ns", "2.5 s"],
  [1e13, "ns", "10,000 s"],
  [0, "bytes", "0 B"], [512, "bytes", "512 B"], [1023, "bytes", "1,020 B"],
  [1536, "bytes", "1.5 KiB"], [2 ** 20, "bytes", "1 MiB"], [2 ** 26, "bytes", "64 MiB"],
  [2 ** 30 - 1, "bytes", "1 GiB"], [3 * 2 ** 40, "bytes", "3 TiB"],
  [16, "MiB", "16 MiB"], [0.25, "MiB", "256 KiB"], [4096, "KiB", "4 MiB"], // not a page size
  [12.5, "%", "12.5 %"], [0.1, "%", "0.1 %"], [1234567, "", "1,234,567"], [7, "faults", "7 faults"],
];
for (const [value, unit, text] of quantities) {
  test(`${value} ${unit} is ${text}`, () => assert.equal(quantityText(value, unit), text));
}

test("intervals say their unit once where it is the same", () => {
  assert.equal(intervalText(1200, 3400, "ns"), "1.2 to 3.4 µs");
  assert.equal(intervalText(900, 1100, "ns"), "900 ns to 1.1 µs");
  assert.equal(intervalText(0.91, 1.1, ""), "0.91 to 1.1");
});

test("ratios, probabilities and small numbers", () => {
  assert.equal(ratioText(0.12345), "0.123×");
  assert.equal(ratioText(12.345), "12.3×");
  assert.equal(probabilityText(0.000001), "p < 0.001");
  assert.equal(probabilityText(0.0412), "p = 0.041");
  assert.equal(numberText(0.00001234), "1.23e-5");
});

const axis = (unit: string, scale: Axis["scale"]): Axis => ({ title: "", unit, scale });
const texts = (range: [number, number], of: Axis, most: number): string[] =>
  ticksOf(range, of, most).map((tick) => tickText(tick, of));

test("ticks are round in the unit of their axis", () => {
  assert.deepEqual(texts([0, 8.5e3], axis("ns", "linear"), 6),
    ["0", "2 µs", "4 µs", "6 µs", "8 µs"]);
  assert.deepEqual(texts([0, 0.35], axis("", "linear"), 5), ["0", "0.1", "0.2", "0.3"]);
  assert.deepEqual(texts([0, 3 * 2 ** 20], axis("bytes", "linear"), 4),
    ["0", "1 MiB", "2 MiB", "3 MiB"]);
  assert.deepEqual(texts([90, 2e6], axis("ns", "log"), 6),
    ["100 ns", "1 µs", "10 µs", "100 µs", "1 ms"]);
  assert.deepEqual(texts([0.09, 120], axis("%", "log"), 9),
    ["0.1 %", "0.3 %", "1 %", "3 %", "10 %", "30 %", "100 %"]);
  assert.deepEqual(texts([2 ** 12, 2 ** 30], axis("bytes", "log"), 5), // a size, and its ticks
    ["32 KiB", "1 MiB", "32 MiB", "1 GiB"]);
});

test("less than a decade has ticks, too", () => {
  assert.ok(ticksOf([310, 460], axis("ns", "log"), 6).length >= 3);
});

test("ticks lie on their axis, with room for each text, however narrow it is", () => {
  for (const scale of ["linear", "log"] as const) {
    for (const unit of ["ns", "bytes", "%", ""]) {
      for (let high = 2; high < 1e12; high *= 7.3) {
        for (const length of [150, 400, 1200]) {
          const range = rangeOf([1, high / 3, high], scale, true);
          const ticks = fittingTicks(range, axis(unit, scale), length, (text) => text.length * 8);
          assert.ok(ticks.length >= 1, `${scale} ${unit} ${high}`);
          let end = -Infinity;
          for (const tick of ticks) {
            const place = placeOn(tick, range, scale);
            assert.ok(place >= -1e-9 && place <= 1 + 1e-9);
            const half = tickText(tick, axis(unit, scale)).length * 4;
            assert.ok(place * length - half >= end - 1e-6, `${scale} ${unit} ${high} ${length}`);
            end = place * length + half;
          }
        }
      }
    }
  }
});

test("an axis has room for all its values, and zero where it is linear", () => {
  assert.equal(rangeOf([5, 10], "linear", true)[0], 0);
  const [low, high] = rangeOf([3, 700, 0, -1], "log", true);
  assert.ok(low > 0 && low < 3 && high > 700);
  assert.deepEqual(rangeOf([], "linear", true), [0, 1]);
  const [from, to] = rangeOf([5, 5], "linear", false);
  assert.ok(from < 5 && to > 5);
});

test("a median and its interval are in one unit", () => {
  assert.deepEqual(medianTexts(19.9, 10.8, 1670, "ns"),
    { median: "19.9 ns", interval: "10.8 to 1,670 ns" });
});
