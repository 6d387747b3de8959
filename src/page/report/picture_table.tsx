// The data of a picture as a table: every number that is drawn.

import type { JSX } from "preact";
import type { ResultPicture } from "../data/results";
import { counted } from "../show/text";
import { quantityText } from "../show/units";
import { cellText, shareOf } from "./spots";
import { DataTable, textCell, type Cell, type TableRow } from "./table";

interface Content {
  heads: string[];
  rows: Cell[][];
}

const mostOnPaper = 200;

const amount = (value: number, unit: string): Cell =>
  ({ value, shown: quantityText(value, unit) });
const amountOr = (value: number | null, unit: string): Cell =>
  (value === null ? { value, shown: "" } : amount(value, unit));

const or = (title: string, otherwise: string): string => (title === "" ? otherwise : title);

function contentOf(picture: ResultPicture): Content {
  switch (picture.kind) {
    case "lines": return {
      heads: ["series", or(picture.x.title, "x"), or(picture.y.title, "y"), "from", "to"],
      rows: picture.series.flatMap((series) => series.points.map((point) => [
        textCell(series.title), amount(point.x, picture.x.unit), amount(point.y, picture.y.unit),
        amountOr(point.low, picture.y.unit), amountOr(point.high, picture.y.unit)])),
    };
    case "histogram": return {
      heads: ["series", `${or(picture.x.title, "x")} from`, "to", "samples", "share"],
      rows: picture.series.flatMap((series) => series.counts.map((count, i) => [
        textCell(series.title), amount(series.edges[i] ?? 0, picture.x.unit),
        amount(series.edges[i + 1] ?? 0, picture.x.unit), amount(count, ""),
        textCell(quantityText(shareOf(series.counts, i), "%"))])),
    };
    case "heat": return {
      heads: [or(picture.x.title, "x"), or(picture.y.title, "y"), or(picture.value, "value")],
      rows: picture.cells.map(([x, y, value]) => [
        { value: x, shown: cellText(x, picture.x) }, { value: y, shown: cellText(y, picture.y) },
        amount(value, picture.unit)]),
    };
    default: return {
      heads: [or(picture.categoryTitle, "of"), picture.kind === "stack" ? "part" : "series",
        or(picture.y.title, "value"), "from", "to"],
      rows: picture.series.flatMap((series) => series.points.map((point) => [
        textCell(picture.categories[point.category] ?? ""), textCell(series.title),
        amount(point.y, picture.y.unit), amountOr(point.low, picture.y.unit),
        amountOr(point.high, picture.y.unit)])),
    };
  }
}

/** Columns in which no row has anything are left out. */
function withoutEmpty({ heads, rows }: Content): Content {
  const isUsed = heads.map((_, i) => rows.some((row) => row[i]?.value !== null));
  return { heads: heads.filter((_, i) => isUsed[i]),
    rows: rows.map((row) => row.filter((_, i) => isUsed[i])) };
}

export function PictureTable({ picture, isPaper }: {
  picture: ResultPicture; isPaper: boolean;
}): JSX.Element {
  const { heads, rows } = withoutEmpty(contentOf(picture));
  const shown = isPaper ? rows.slice(0, mostOnPaper) : rows;
  return (
    <>
      <DataTable caption={`${picture.title}: its data`} heads={heads} isPaper={isPaper}
        rows={shown.map((cells, i): TableRow => ({ key: String(i), cells }))} />
      {picture.kind === "lines" && picture.marks.length > 0 && (
        <ul class="marks">
          {picture.marks.map(({ x, text }, i) => (
            <li key={i}>{`${text}, at ${quantityText(x, picture.x.unit)}`}</li>
          ))}
        </ul>
      )}
      {shown.length < rows.length && (
        <p class="aside">
          {`${counted(rows.length - shown.length, "more row")} on the screen, not on paper`}
        </p>
      )}
    </>
  );
}

/** Of a histogram, below it: the figures that a picture alone does not give. */
export function Percentiles({ picture, isPaper }: {
  picture: ResultPicture; isPaper: boolean;
}): JSX.Element | null {
  if (picture.kind !== "histogram") return null;
  const names = [...new Set(picture.series.flatMap((series) =>
    series.percentiles.map(({ name }) => name)))];
  if (names.length === 0) return null;
  return (
    <div class="percentiles">
      <DataTable caption={`${picture.title}: percentiles`} heads={["series", ...names]}
        isPaper={isPaper} rows={picture.series.map((series, i): TableRow => ({
          key: String(i), cells: [textCell(series.title), ...names.map((name) => amountOr(
            series.percentiles.find((one) => one.name === name)?.value ?? null,
            picture.x.unit))],
        }))} />
    </div>
  );
}
