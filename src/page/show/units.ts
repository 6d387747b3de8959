// Quantities as people read them: three digits, in the unit that suits the size.

interface Step {
  readonly from: number;
  readonly unit: string;
}

const times: readonly Step[] = [
  { from: 1, unit: "ns" }, { from: 1e3, unit: "µs" }, { from: 1e6, unit: "ms" },
  { from: 1e9, unit: "s" },
];
const sizes: readonly Step[] = [
  { from: 1, unit: "B" }, { from: 2 ** 10, unit: "KiB" }, { from: 2 ** 20, unit: "MiB" },
  { from: 2 ** 30, unit: "GiB" }, { from: 2 ** 40, unit: "TiB" },
];

const stepsOf = (unit: string): readonly Step[] | null =>
  (unit === "ns" ? times : unit === "bytes" ? sizes : null);

/** Units of which people take powers of two. */
export const isBinaryUnit = (unit: string): boolean =>
  unit === "bytes" || sizes.some((step) => step.unit === unit);

const rounded = (value: number): number => Number(value.toPrecision(3));

/** Three digits, and all digits of a whole number. */
export function numberText(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) return value.toExponential(2);
  if (size >= 1000 || Number.isInteger(value)) {
    return Math.round(value).toLocaleString("en-GB");
  }
  return rounded(value).toLocaleString("en-GB", { maximumFractionDigits: 7 });
}

/** `unit` as in a document: ns, bytes and MiB are scaled, others said behind the number. */
export function quantityText(value: number, unit: string): string {
  const multiple = sizes.find((step) => step.unit === unit);
  if (multiple !== undefined) return quantityText(value * multiple.from, "bytes");
  const steps = stepsOf(unit);
  if (steps === null) return unit === "" ? numberText(value) : `${numberText(value)} ${unit}`;
  // 999.7 ns is 1 µs: the unit is chosen after rounding.
  const suits = (step: Step): boolean => Math.abs(rounded(value / step.from)) >= 1;
  let best = [...steps].reverse().find(suits) ?? (steps[0] as Step);
  const above = steps[steps.indexOf(best) + 1];
  const size = rounded(value / best.from);
  if (above !== undefined && Math.abs(size) * best.from >= above.from) best = above;
  return `${numberText(rounded(value / best.from))} ${best.unit}`;
}

export function intervalText(low: number, high: number, unit: string): string {
  const [from, to] = [quantityText(low, unit), quantityText(high, unit)];
  const space = to.lastIndexOf(" ");
  // The unit once, where it is the same.
  const start = space > 0 && from.endsWith(to.slice(space)) ? from.slice(0, from.lastIndexOf(" "))
    : from;
  return `${start} to ${to}`;
}

/** A median and its interval in one unit, that of the median. */
export function medianTexts(value: number, low: number, high: number, unit: string):
  { median: string; interval: string } {
  const median = quantityText(value, unit);
  const shown = median.slice(median.lastIndexOf(" ") + 1);
  const step = stepsOf(unit)?.find((one) => one.unit === shown);
  if (step === undefined) return { median, interval: intervalText(low, high, unit) };
  const [from, to] = [low, high].map((end) => numberText(rounded(end / step.from)));
  return { median, interval: `${from} to ${to} ${shown}` };
}

export const ratioText = (ratio: number): string => `${numberText(rounded(ratio))}×`;

export const probabilityText = (p: number): string =>
  (p < 0.001 ? "p < 0.001" : `p = ${numberText(Number(p.toPrecision(2)))}`);
