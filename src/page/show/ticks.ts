// Where an axis has its ticks: round numbers in the unit of the axis, no more than there is room
// for.

import type { Axis, Scale } from "../data/results";
import { isBinaryUnit, quantityText } from "./units";

type Range = readonly [low: number, high: number];

/** 1, 2, 5 times a power of ten, or a power of two: the first that is not below `least`. */
function roundStep(least: number, isBinary: boolean): number {
  if (isBinary) return 2 ** Math.ceil(Math.log2(least));
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10) * power;
}

function linearTicks([low, high]: Range, most: number, isBinary: boolean): number[] {
  if (!(high > low)) return [low];
  let step = roundStep((high - low) / most, isBinary);
  const first = (): number => Math.ceil(low / step - 1e-9);
  const count = (): number => Math.floor(high / step + 1e-9) - first() + 1;
  while (count() > most) step = roundStep(step * 1.5, isBinary);
  // Multiplied, not added up: 0.30000000000000004 is no tick.
  return Array.from({ length: count() }, (_, i) => Number(((first() + i) * step).toPrecision(12)));
}

function decimalTicks([low, high]: Range, factors: readonly number[], every: number): number[] {
  const ticks: number[] = [];
  const from = Math.floor(Math.log10(low) / every) * every;
  for (let power = from; 10 ** power <= high; power += every) {
    for (const factor of factors) {
      const tick = Number((factor * 10 ** power).toPrecision(12));
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}

function binaryTicks([low, high]: Range, every: number): number[] {
  const ticks: number[] = [];
  for (let power = Math.ceil(Math.log2(low) / every) * every; 2 ** power <= high; power += every) {
    ticks.push(2 ** power);
  }
  return ticks;
}

function logTicks(range: Range, most: number, isBinary: boolean): number[] {
  const choices = isBinary ? [1, 2, 3, 5, 10, 20].map((every) => () => binaryTicks(range, every))
    : [
      () => decimalTicks(range, [1, 2, 5], 1), () => decimalTicks(range, [1, 3], 1),
      ...[1, 2, 3, 6, 12, 24].map((every) => () => decimalTicks(range, [1], every)),
    ];
  const ticks = choices.map((choice) => choice()).find((some) => some.length <= most) ?? [];
  // Less than a decade may have no round power in it, and has ticks as on a linear axis.
  const isShort = range[1] / range[0] < 20;
  return ticks.length < 2 && isShort ? linearTicks(range, most, isBinary) : ticks;
}

export function ticksOf(range: Range, axis: Axis, most: number): number[] {
  const isBinary = isBinaryUnit(axis.unit);
  const ticks = axis.scale === "log" ? logTicks(range, most, isBinary)
    : linearTicks(range, most, isBinary);
  return axis.isWhole ? ticks.filter(Number.isInteger) : ticks;
}

export const tickText = (value: number, axis: Axis): string =>
  (value === 0 && axis.unit !== "%" ? "0" : quantityText(value, axis.unit));

export const fitsScale = (value: number, scale: Scale): boolean => scale === "linear" || value > 0;

/** What an axis shows so that all values have room. Amounts begin at zero on a linear one. */
export function rangeOf(values: readonly number[], scale: Scale, isAmount: boolean): Range {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!fitsScale(value, scale)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return scale === "log" ? [1, 10] : [0, 1];
  if (scale === "log") {
    const room = Math.max((high / low) ** 0.05, 1.1);
    return [low / room, high * room];
  }
  const room = (high - low) * 0.05 || Math.abs(high) * 0.1 || 1;
  if (!isAmount) return [low - room, high + room];
  return [low < 0 ? low - room : 0, Math.max(high, 0) + room];
}

/** A part of the axis, from 0 at its low end to 1 at its high one. */
export function placeOn(value: number, [low, high]: Range, scale: Scale): number {
  if (scale === "linear") return (value - low) / (high - low);
  return Math.log(value / low) / Math.log(high / low);
}

/** As many ticks as have room for their text, one beside the other. */
export function fittingTicks(range: Range, axis: Axis, length: number,
  widthOf: (text: string) => number): number[] {
  for (let most = 12; most > 2; --most) {
    const ticks = ticksOf(range, axis, most);
    let end = -Infinity;
    const fits = ticks.every((tick) => {
      const middle = placeOn(tick, range, axis.scale) * length;
      const half = widthOf(tickText(tick, axis)) / 2;
      const hasRoom = middle - half >= end;
      end = middle + half;
      return hasRoom;
    });
    if (fits) return ticks;
  }
  return ticksOf(range, axis, 2);
}
