// The page of results as a whole, on the screen and on paper.

import { render, type JSX } from "preact";
import { useLayoutEffect, useMemo } from "preact/hooks";
import type { Results } from "../data/results";
import { useTheme } from "../view/theme";
import { ChangesView } from "./changes_view";
import { EnvironmentView } from "./environment_view";
import { Figure } from "./figure";
import { looksOf } from "./looks";
import { RowsView } from "./rows_view";
import { counted } from "../show/text";
import { Disclosure } from "./table";

function Top({ results, isPaper }: { results: Results; isPaper: boolean }): JSX.Element {
  const warnings = results.results.flatMap(({ label, warnings: all }) =>
    all.map((text) => (results.results.length > 1 ? `${label}: ${text}` : text)));
  const notes = [...new Set([...results.notes, ...warnings])];
  return (
    <>
      {results.advice.length > 0 && (
        <section class="advice" aria-label="Which mechanism to take">
          {results.advice.map((text, i) => <p key={i} class="sentence">{text}</p>)}
        </section>
      )}
      {results.detailedAdvice.length > 0 && (
        <Disclosure class="advice-detailed" isPaper={isPaper}
          summary={`Which mechanism to take for each workload: ${counted(
            results.detailedAdvice.length, "sentence")}`}>
          {() => <ul>{results.detailedAdvice.map((text, i) => <li key={i}>{text}</li>)}</ul>}
        </Disclosure>
      )}
      {notes.length > 0 && (
        <section class="notes" aria-label="To be taken with care">
          {notes.map((text, i) => <p key={i} class="doubt">{text}</p>)}
        </section>
      )}
    </>
  );
}

function Contents({ results }: { results: Results }): JSX.Element {
  const hasChanges = results.changes.length > 0 || results.missing.length > 0;
  return (
    <nav class="on-this-page" aria-label="On this page">
      <ul>
        {results.pictures.map(({ id, title }) => (
          <li key={id}><a href={`#picture-${id}`}>{title}</a></li>
        ))}
        {hasChanges && <li><a href="#changes-title">What changed</a></li>}
        <li><a href="#rows-title">All rows</a></li>
      </ul>
    </nav>
  );
}

function Report({ results, isDark, isPaper }: {
  results: Results; isDark: boolean; isPaper: boolean;
}): JSX.Element {
  const looks = useMemo(() => looksOf(results), [results]);
  return (
    <>
      <Top results={results} isPaper={isPaper} />
      {!isPaper && <Contents results={results} />}
      <EnvironmentView results={results} isPaper={isPaper} />
      {!isPaper && results.pictures.length > 0 && (
        <p class="aside">
          Point at a picture, or go along it with the arrow keys, for values and samples.
        </p>
      )}
      <div class="pictures">
        {results.pictures.map((picture) => (
          <Figure key={picture.id} picture={picture} results={results} looks={looks}
            isDark={isDark} isPaper={isPaper} />
        ))}
      </div>
      <ChangesView results={results} isPaper={isPaper} />
      <RowsView results={results} isPaper={isPaper} />
    </>
  );
}

export function ReportPage({ results }: { results: Results }): JSX.Element {
  const [isDark, toggle] = useTheme();
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const isTyping = event.target instanceof Element && event.target.matches("input");
      if (event.key === "d" && !isTyping && !event.ctrlKey && !event.altKey && !event.metaKey) {
        toggle();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [isDark]);
  return (
    <>
      <header>
        <h1>{results.title}</h1>
        <div class="tools">
          <button type="button" aria-pressed={isDark} onClick={toggle}>dark</button>
        </div>
      </header>
      <main class="report">
        <Report results={results} isDark={isDark} isPaper={false} />
      </main>
    </>
  );
}

/** On paper everything is unfolded, in light. It is there while the page is printed. */
export function printReportOn(paper: HTMLElement, results: Results): void {
  const root = document.documentElement;
  let theme = root.dataset.theme ?? "light";
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme ?? "light";
    root.dataset.theme = "light";
    render(
      <article class="report on-paper">
        <h1>{results.title}</h1>
        <Report results={results} isDark={false} isPaper />
      </article>, paper);
  });
  addEventListener("afterprint", () => {
    root.dataset.theme = theme;
    render(null, paper);
  });
}
