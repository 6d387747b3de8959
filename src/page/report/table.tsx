// A table: sorted by a click on the head of a column, and as wide as it needs to be in a box that
// scrolls by itself.

import { Fragment, type ComponentChildren, type JSX } from "preact";
import { useMemo, useState } from "preact/hooks";

export interface Cell {
  /** What the cell is sorted by; null lies below all others. */
  value: number | string | null;
  shown: ComponentChildren;
}

export interface TableRow {
  key: string;
  cells: readonly Cell[];
  mark?: string;
  /** Over the width of the table, below the row. */
  detail?: ComponentChildren;
}

export const textCell = (text: string): Cell => ({ value: text, shown: text });

interface Order {
  column: number;
  isDown: boolean;
}

function compare(a: Cell["value"], b: Cell["value"]): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

function sorted(rows: readonly TableRow[], order: Order | null): readonly TableRow[] {
  if (order === null) return rows;
  return [...rows].sort((one, other) => {
    const a = one.cells[order.column]?.value ?? null;
    const b = other.cells[order.column]?.value ?? null;
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return order.isDown ? compare(b, a) : compare(a, b);
  });
}

function Heads(props: {
  heads: readonly string[]; order: Order | null; onOrder?: (order: Order | null) => void;
}): JSX.Element {
  const { order, onOrder } = props;
  const isSorted = (column: number): boolean => order?.column === column;
  // Up, down, and as it was.
  const next = (column: number): Order | null => (!isSorted(column) ? { column, isDown: false }
    : order?.isDown ? null : { column, isDown: true });
  return (
    <tr>
      {props.heads.map((head, column) => (
        <th key={column} scope="col" aria-sort={!isSorted(column) ? undefined
          : order?.isDown ? "descending" : "ascending"}>
          {onOrder === undefined ? head : (
            <button type="button" onClick={() => onOrder(next(column))}>
              {head}
              <span aria-hidden="true">
                {isSorted(column) ? (order?.isDown ? " ▼" : " ▲") : ""}
              </span>
            </button>
          )}
        </th>
      ))}
    </tr>
  );
}

function ShownCell({ cell, isFirst }: { cell: Cell; isFirst: boolean }): JSX.Element {
  const value = typeof cell.value === "number" ? String(cell.value) : undefined;
  if (isFirst) return <th scope="row" data-value={value}>{cell.shown}</th>;
  const isAmount = value !== undefined && typeof cell.shown === "string";
  return <td class={isAmount ? "amount" : ""} data-value={value}>{cell.shown}</td>;
}

export function DataTable(props: {
  caption: string; isCaptionSeen?: boolean; heads: readonly string[]; rows: readonly TableRow[];
  isPaper: boolean;
}): JSX.Element {
  const [order, setOrder] = useState<Order | null>(null);
  const rows = useMemo(() => sorted(props.rows, order), [props.rows, order]);
  const scroll = props.isPaper ? {}
    : { tabIndex: 0, role: "region" as const, "aria-label": props.caption };
  return (
    <div class="scroll" {...scroll}>
      <table class="data">
        <caption class={props.isCaptionSeen ? "" : "unseen"}>{props.caption}</caption>
        <thead>
          <Heads heads={props.heads} order={order}
            {...(props.isPaper ? {} : { onOrder: setOrder })} />
        </thead>
        <tbody>
          {rows.map((row) => (
            <Fragment key={row.key}>
              <tr class={row.mark ?? ""} data-row={row.key}>
                {row.cells.map((cell, i) => <ShownCell key={i} cell={cell} isFirst={i === 0} />)}
              </tr>
              {row.detail !== undefined && (
                <tr class="detail"><td colSpan={props.heads.length}>{row.detail}</td></tr>
              )}
            </Fragment>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What is long is there when it is asked for; on paper it is there. */
export function Disclosure(props: {
  summary: string; isPaper: boolean; children: () => ComponentChildren; class?: string;
}): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  if (props.isPaper) return <div class={props.class}>{props.children()}</div>;
  return (
    <details class={props.class} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{props.summary}</summary>
      {isOpen && props.children()}
    </details>
  );
}
