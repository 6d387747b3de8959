// What a traced program copied when: its regions in stretches of pages, the trace in stretches of
// events. Made from the events alone, without replaying them.

import type { Trace, TraceEvent } from "../data/types";
import type { Heat } from "./show";

const mostColumns = 96;
const mostRegions = 4;
const rowsOfRegion = 12;

interface Extent {
  readonly key: string;
  readonly name: string;
  pages: number;
  copied: number;
}

const keyOf = (event: TraceEvent): string => `${event.pid}/${event.family}/${event.space}`;

/** Of whoever stores: snapshots copy nothing. Those with most copies, in the order of the trace. */
function extentsOf(trace: Trace): Extent[] {
  const extents = new Map<string, Extent>();
  const severalProcesses = trace.events.some((event) => event.pid !== trace.events[0]?.pid);
  for (const event of trace.events) {
    if (event.kind !== "fault" && event.kind !== "collected") continue;
    const key = keyOf(event);
    const extent = extents.get(key) ?? {
      key, name: `R${event.space}${severalProcesses ? ` of ${event.pid}` : ""}`, pages: 0,
      copied: 0,
    };
    extent.pages = Math.max(extent.pages, event.page + Math.max(1, event.pages));
    extent.copied += Math.max(event.copied, 1);
    extents.set(key, extent);
  }
  for (const event of trace.events) {
    const extent = extents.get(keyOf(event));
    if (extent !== undefined && event.kind === "region_made") {
      extent.pages = Math.max(extent.pages, event.pages);
    }
  }
  const largest = [...extents.values()].sort((a, b) => b.copied - a.copied).slice(0, mostRegions);
  return [...extents.values()].filter((extent) => largest.includes(extent));
}

export function traceHeat(trace: Trace): Heat {
  const extents = extentsOf(trace);
  const columns = Math.min(mostColumns, trace.events.length);
  const columnOf = (step: number): number => Math.floor((step * columns) / trace.events.length);
  const rows: { label: string; title: string }[] = [];
  const firstRow = new Map<string, { row: number; perRow: number }>();
  for (const extent of extents) {
    const count = Math.min(rowsOfRegion, Math.max(1, extent.pages));
    const perRow = extent.pages / count;
    firstRow.set(extent.key, { row: rows.length, perRow });
    for (let i = 0; i < count; ++i) {
      const first = Math.floor(i * perRow);
      const last = Math.max(first, Math.ceil((i + 1) * perRow) - 1);
      const pages = last > first ? `pages ${first} to ${last}` : `page ${first}`;
      rows.push({ label: i === 0 ? extent.name : "", title: `${pages} of ${extent.name}` });
    }
  }
  const copied = new Uint32Array(rows.length * columns);
  const taken = new Uint32Array(rows.length * columns);
  const steps = new Int32Array(rows.length * columns).fill(-1);
  trace.events.forEach((event, step) => {
    const place = firstRow.get(keyOf(event));
    if (place === undefined || (event.kind !== "fault" && event.kind !== "collected")) return;
    const index = (place.row + Math.floor(event.page / place.perRow)) * columns + columnOf(step);
    copied[index] = (copied[index] ?? 0) + event.copied;
    if (event.copied === 0) taken[index] = (taken[index] ?? 0) + Math.max(1, event.pages);
    if (steps[index] === -1) steps[index] = step;
  });
  return { rows, columns, copied, taken, steps, columnOf };
}
