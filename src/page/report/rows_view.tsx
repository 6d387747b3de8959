// All rows of all results, a table for each experiment.

import { useMemo, useState } from "preact/hooks";
import type { JSX } from "preact";
import type { Named, ResultRow, Results } from "../data/results";
import { counted } from "../show/text";
import {
  intervalText, medianTexts, numberText, probabilityText, quantityText, ratioText,
} from "../show/units";
import { samplesText, SampleStrip } from "./samples";
import { DataTable, textCell, type Cell, type TableRow } from "./table";

interface Placed {
  result: number;
  label: string;
  row: ResultRow;
}

const keyOf = (placed: Placed): string => `${placed.result} ${placed.row.name}`;

/** Of single stores: how many of them faulted, where not all did. */
export function faultShare({ experiment, counts }: ResultRow): string {
  const faults = counts.find(({ name }) => name === "page faults")?.value;
  return experiment !== "faults" || faults === undefined || faults >= 0.995
    || faults <= 0 ? ""
    : `${quantityText(faults * 100, "%")} of the stores faulted`;
}

function median(row: ResultRow): Cell {
  const { median: value, interval, unit } = row;
  if (value === null) return { value, shown: "" };
  const { low, high } = interval ?? { low: value, high: value };
  const texts = medianTexts(value, low, high, unit);
  const faulted = faultShare(row);
  return { value, shown: (
    <>
      <b>{texts.median}</b>
      {interval !== null && <span class="interval">{` ${texts.interval}`}</span>}
      {faulted !== "" && <span class="interval">{`; ${faulted}`}</span>}
    </>
  ) };
}

function comparison({ against, atMost, isMet }: ResultRow): Cell {
  const aim = atMost === null ? ""
    : `; at most ${ratioText(atMost)} ${isMet ? "was reached" : "was not reached"}`;
  if (against === null) return { value: null, shown: aim.slice(2) };
  const { ratio, interval, test } = against;
  const isNone = test?.difference === "none";
  const words = isNone && test.isEnough === false ? "too few samples to tell apart"
    : isNone ? "no difference seen" : ratio === null ? "no ratio"
    : ratioText(ratio) + (interval === null ? ""
      : ` (${intervalText(interval.low, interval.high, "")})`);
  const more = [` ${isNone ? "from" : ratio === null ? "to" : "of"} ${against.mechanism}`,
    ...(test === null ? [] : [probabilityText(test.p)])].join(", ");
  return { value: ratio, shown: (
    <>
      {isNone || ratio === null ? words : <b>{words}</b>}
      <span class="interval">{more + aim}</span>
    </>
  ) };
}

function remarks(row: ResultRow): Cell {
  const texts = [...(row.status === "measured" ? [] : [row.reason]), ...row.warnings];
  return { value: texts.join(" "),
    shown: texts.map((text, i) => <p key={i} class={i > 0 || row.reason === "" ? "doubt" : ""}>
      {text}</p>) };
}

function Details({ row }: { row: ResultRow }): JSX.Element {
  const list = (title: string, of: readonly { name: string; value: number }[], unit: string):
    JSX.Element | false => of.length > 0 && (
    <p>{`${title}: ${of.map(({ name, value }) => `${name} ${quantityText(value, unit)}`)
      .join(", ")}`}</p>
  );
  return (
    <div class="row-details">
      {row.sample !== "" && <p>{`A sample: ${row.sample}`}</p>}
      <SampleStrip samples={row.samples} unit={row.unit} />
      {list("Percentiles", row.percentiles, row.unit)}
      {list("Parts, medians", row.parts, row.unit)}
      {list("Counted beside it", row.counts, "")}
      <p class="all-samples">
        {`Every sample in the order of taking, ${row.unit}: ${samplesText(row.samples)}`}
      </p>
    </div>
  );
}

function tableRow(placed: Placed, isOpen: boolean, hasLabels: boolean,
  onToggle: (() => void) | null): TableRow {
  const { row } = placed;
  const count: Cell = { value: row.samples.length, shown: onToggle === null
    || row.samples.length === 0 ? numberText(row.samples.length) : (
      <button type="button" aria-expanded={isOpen} onClick={onToggle}
        aria-label={`${counted(row.samples.length, "sample")} of ${row.workload}, ` +
          row.mechanism}>{numberText(row.samples.length)}</button>
    ) };
  return {
    key: keyOf(placed), mark: `status-${row.status}`,
    cells: [textCell(row.workload), textCell(row.mechanism),
      ...(hasLabels ? [textCell(placed.label)] : []), median(row), comparison(row), count,
      textCell(row.status), remarks(row)],
    ...(isOpen ? { detail: <Details row={row} /> } : {}),
  };
}

// The clock's own time is of the method, and what getrusage counts is there once more.
const isShown = (row: ResultRow, name: string): boolean => name !== "clock ns" &&
  (name !== "minor faults, getrusage" || row.counts.every((one) => one.name !== "minor faults"));

/** What a fault is made of, or what was counted beside it: a column for each. */
function Beside(props: {
  rows: readonly Placed[]; of: "parts" | "counts"; caption: string; hasLabels: boolean;
  isPaper: boolean;
}): JSX.Element | null {
  const valuesOf = ({ row }: Placed): readonly Named[] => (props.of === "parts" ? row.parts
    : row.counts.filter(({ name }) => isShown(row, name)));
  const having = props.rows.filter((placed) => valuesOf(placed).length > 0);
  if (having.length === 0) return null;
  const names = [...new Set(having.flatMap((placed) => valuesOf(placed).map(({ name }) => name)))];
  const rows = having.map((placed): TableRow => ({
    key: `${props.of} ${keyOf(placed)}`,
    cells: [textCell(placed.row.workload), textCell(placed.row.mechanism),
      ...(props.hasLabels ? [textCell(placed.label)] : []), ...names.map((name): Cell => {
        const value = valuesOf(placed).find((one) => one.name === name)?.value ?? null;
        return { value, shown: value === null ? ""
          : quantityText(value, props.of === "parts" ? placed.row.unit : "") };
      })],
  }));
  return (
    <div class={`beside ${props.of}`}>
      <DataTable caption={props.caption} isCaptionSeen isPaper={props.isPaper} rows={rows}
        heads={["workload", "mechanism", ...(props.hasLabels ? ["result"] : []), ...names]} />
    </div>
  );
}

function ExperimentRows(props: {
  experiment: string; rows: readonly Placed[]; hasLabels: boolean; isPaper: boolean;
}): JSX.Element {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const toggle = (key: string): void => {
    const next = new Set(open);
    if (!next.delete(key)) next.add(key);
    setOpen(next);
  };
  const rows = useMemo(() => props.rows.map((placed) => {
    const key = keyOf(placed);
    return tableRow(placed, open.has(key), props.hasLabels,
      props.isPaper ? null : () => toggle(key));
  }), [props.rows, open]);
  return (
    <section class="experiment">
      <DataTable caption={props.experiment} isCaptionSeen isPaper={props.isPaper} rows={rows}
        heads={["workload", "mechanism", ...(props.hasLabels ? ["result"] : []),
          "median and 95 % interval", "against", "samples", "status", "remarks"]} />
      <Beside {...props} of="parts" caption={`${props.experiment}: parts of a sample, medians`} />
      <Beside {...props} of="counts" caption={`${props.experiment}: counted for each sample`} />
    </section>
  );
}

function grouped(results: Results, wanted: string): Map<string, Placed[]> {
  const words = wanted.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const groups = new Map<string, Placed[]>();
  results.results.forEach(({ label, rows }, result) => {
    for (const row of rows) {
      const text = `${row.name} ${row.status} ${label}`.toLowerCase();
      if (!words.every((word) => text.includes(word))) continue;
      const group = groups.get(row.experiment);
      if (group === undefined) groups.set(row.experiment, [{ result, label, row }]);
      else group.push({ result, label, row });
    }
  });
  // A row of one result stands beside the same of the other.
  for (const group of groups.values()) {
    const order = new Map<string, number>();
    for (const { row } of group) if (!order.has(row.name)) order.set(row.name, order.size);
    group.sort((a, b) => (order.get(a.row.name) ?? 0) - (order.get(b.row.name) ?? 0));
  }
  return groups;
}

export function RowsView({ results, isPaper }: {
  results: Results; isPaper: boolean;
}): JSX.Element {
  const [wanted, setWanted] = useState("");
  const groups = useMemo(() => grouped(results, wanted), [results, wanted]);
  const found = [...groups.values()].reduce((sum, rows) => sum + rows.length, 0);
  return (
    <section class="rows" aria-labelledby={isPaper ? undefined : "rows-title"}>
      <h2 id={isPaper ? undefined : "rows-title"}>All rows</h2>
      {!isPaper && (
        <p class="find">
          <label>
            Find <input type="search" value={wanted} placeholder="random handler"
              onInput={(event) => setWanted(event.currentTarget.value)} />
          </label>
          {" "}<span role="status">{counted(found, "row")}</span>
        </p>
      )}
      {[...groups].map(([experiment, rows]) => (
        <ExperimentRows key={experiment} experiment={experiment} rows={rows} isPaper={isPaper}
          hasLabels={results.results.length > 1} />
      ))}
    </section>
  );
}
