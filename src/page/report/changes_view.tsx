// Two results: what changed from the first to the second, and what that is beyond noise.

import { useMemo, useState } from "preact/hooks";
import type { JSX } from "preact";
import type { Change, Results } from "../data/results";
import { counted } from "../show/text";
import { intervalText, probabilityText, quantityText, ratioText } from "../show/units";
import { DataTable, textCell, type TableRow } from "./table";

/** All that is measured is a cost: less is better. */
function verdict({ difference, unit }: Change): { text: string; mark: string } {
  if (difference === "none") return { text: "no difference seen", mark: "" };
  const [less, more] = unit === "ns" ? ["faster", "slower"] : ["less", "more"];
  return difference === "less" ? { text: `▼ ${less}`, mark: "better" }
    : { text: `▲ ${more}`, mark: "worse" };
}

function tableRow(change: Change): TableRow {
  const { text, mark } = verdict(change);
  return {
    key: change.name, mark,
    cells: [
      textCell(change.name),
      { value: change.before, shown: quantityText(change.before, change.unit) },
      { value: change.after, shown: quantityText(change.after, change.unit) },
      { value: change.ratio, shown: (
        <>
          {ratioText(change.ratio)}
          <span class="interval">
            {` ${intervalText(change.interval.low, change.interval.high, "")}`}
          </span>
        </>
      ) },
      { value: change.p, shown: probabilityText(change.p) },
      textCell(text),
    ],
  };
}

export function ChangesView({ results, isPaper }: {
  results: Results; isPaper: boolean;
}): JSX.Element | null {
  const [isFiltered, setFiltered] = useState(false);
  const { changes, missing } = results;
  const rows = useMemo(() => changes.filter((change) =>
    !isFiltered || change.difference !== "none").map(tableRow), [changes, isFiltered]);
  if (changes.length === 0 && missing.length === 0) return null;
  const seen = changes.filter((change) => change.difference !== "none").length;
  return (
    <section class="changes" aria-labelledby={isPaper ? undefined : "changes-title"}>
      <h2 id={isPaper ? undefined : "changes-title"}>What changed</h2>
      <p>{`${counted(changes.length, "row")} in both results; ` +
        `${seen === 0 ? "none" : seen} changed beyond noise.`}</p>
      {!isPaper && (
        <p class="find">
          <label>
            <input type="checkbox" checked={isFiltered}
              onChange={(event) => setFiltered(event.currentTarget.checked)} />
            {" only what changed beyond noise"}
          </label>
        </p>
      )}
      {rows.length > 0 && (
        <DataTable caption="What changed from the first result to the second" isPaper={isPaper}
          heads={["row", "before", "after", "after to before, 95 % interval", "rank test",
            "beyond noise"]} rows={rows} />
      )}
      {missing.length > 0 && (
        <>
          <p>{`${counted(missing.length, "row")} of the first result without a counterpart:`}</p>
          <ul class="missing">{missing.map((name) => <li key={name}>{name}</li>)}</ul>
        </>
      )}
    </section>
  );
}
