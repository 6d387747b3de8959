// A table of contents of pages, and what stands where nothing can be shown.

import type { JSX } from "preact";
import type { PageLink } from "../data/types";
import { useTheme } from "./theme";

export function Contents({ pages }: { pages: readonly PageLink[] }): JSX.Element {
  const [isDark, toggle] = useTheme();
  return (
    <>
      <header>
        <h1>Copy on write</h1>
        <div class="tools">
          <button type="button" aria-pressed={isDark} onClick={toggle}>dark</button>
        </div>
      </header>
      <main class="contents">
        <p class="sentence">Recorded runs of cow demo, a chapter a page.</p>
        <ol>
          {pages.map((page) => (
            <li key={page.file}>
              <a href={page.file}>{page.title}</a> <span class="aside">{page.about}</span>
            </li>
          ))}
        </ol>
      </main>
    </>
  );
}

export function Sorry({ why }: { why: string }): JSX.Element {
  useTheme();
  return (
    <main class="sorry">
      <h1>Nothing to show</h1>
      <p class="sentence" role="alert">{`${why[0]?.toUpperCase() ?? ""}${why.slice(1)}.`}</p>
    </main>
  );
}
