// Where and how the results were measured; with several, what differs is marked.

import type { JSX } from "preact";
import type { Results } from "../data/results";
import { counted } from "../show/text";
import { DataTable, Disclosure, textCell, type TableRow } from "./table";

interface Line {
  name: string;
  texts: string[];
  differs: boolean;
}

export function environmentLines(results: Results): Line[] {
  const names = [...new Set(results.results.flatMap((result) =>
    result.environment.map(({ name }) => name)))];
  const maps = results.results.map((result) =>
    new Map(result.environment.map(({ name, text }) => [name, text])));
  return names.map((name) => {
    const texts = maps.map((map) => map.get(name) ?? "");
    return { name, texts, differs: texts.some((text) => text !== texts[0]) };
  });
}

export function EnvironmentView({ results, isPaper }: {
  results: Results; isPaper: boolean;
}): JSX.Element {
  const lines = environmentLines(results);
  const isSeveral = results.results.length > 1;
  const differing = lines.filter((line) => line.differs).length;
  const summary = isSeveral
    ? `The environments: ${differing} of ${counted(lines.length, "line")} differ`
    : `The environment: ${counted(lines.length, "line")}`;
  return (
    <section class="environment">
      {isPaper && <h2>{summary}</h2>}
      <Disclosure summary={summary} isPaper={isPaper}>
        {() => (
          <DataTable caption={summary} isPaper={isPaper}
            heads={["name", ...results.results.map(({ label }) => label)]}
            rows={lines.map((line): TableRow => ({
              key: line.name, mark: line.differs ? "differs" : "",
              cells: [{ value: line.name, shown: (
                <>{line.name}{line.differs && <span class="unseen">, differs</span>}</>
              ) }, ...line.texts.map(textCell)],
            }))} />
        )}
      </Disclosure>
    </section>
  );
}
