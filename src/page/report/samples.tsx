// Every sample of a row: a strip from the least to the largest, and all of them as numbers.

import type { JSX } from "preact";
import { counted } from "../show/text";
import { intervalText, quantityText } from "../show/units";

const columns = 240;
const height = 30;

/** Ticks, the taller the more samples lie in their place; on a logarithm where they span much. */
function stripPath(samples: readonly number[], low: number, high: number): string {
  const isLog = low > 0 && high / low > 20;
  const place = (value: number): number => (isLog ? Math.log(value / low) / Math.log(high / low)
    : (value - low) / (high - low || 1));
  const counts = new Map<number, number>();
  for (const sample of samples) {
    const column = Math.round(place(sample) * columns);
    counts.set(column, (counts.get(column) ?? 0) + 1);
  }
  const most = Math.max(...counts.values());
  return [...counts].map(([column, count]) =>
    `M${column} ${height}v-${Math.round((6 + (height - 6) * Math.sqrt(count / most)) * 10) / 10}`)
    .join("");
}

export function SampleStrip({ samples, unit }: {
  samples: readonly number[]; unit: string;
}): JSX.Element {
  if (samples.length === 0) return <p class="aside">no samples</p>;
  let [low, high] = [Infinity, -Infinity];
  for (const sample of samples) {
    low = Math.min(low, sample);
    high = Math.max(high, sample);
  }
  const words = `${counted(samples.length, "sample")}, ${intervalText(low, high, unit)}`;
  return (
    <div class="samples" data-samples={samples.length}>
      <svg viewBox={`-2 0 ${columns + 4} ${height}`} preserveAspectRatio="none" role="img"
        aria-label={words}>
        <path d={stripPath(samples, low, high)} />
      </svg>
      <p aria-hidden="true">
        <span>{quantityText(low, unit)}</span>
        <span>{counted(samples.length, "sample")}</span>
        <span>{quantityText(high, unit)}</span>
      </p>
    </div>
  );
}

/** In the order in which they were taken. */
export const samplesText = (samples: readonly number[]): string => samples.join(" ");
