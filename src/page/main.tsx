// The script of the page: reads what was recorded out of the page itself and shows it.

import { render } from "preact";
import { Unreadable } from "./data/check";
import { readInput } from "./data/read";
import type { Input } from "./data/types";
import { printReportOn, ReportPage } from "./report/report_page";
import { ChapterShow } from "./show/chapter_show";
import type { Show } from "./show/show";
import { TraceShow } from "./show/trace_show";
import { App } from "./view/app";
import { Contents, Sorry } from "./view/other_pages";
import { printOn } from "./view/paper";

function showsOf(input: Extract<Input, { kind: "trace" | "chapters" }>): Show[] {
  return input.kind === "trace" ? [new TraceShow(input.trace)]
    : input.chapters.map((chapter) => new ChapterShow(chapter));
}

function start(root: HTMLElement, paper: HTMLElement, text: string): void {
  try {
    const input = readInput(text);
    if (input.kind === "contents") {
      document.title = "Copy on write";
      render(<Contents pages={input.pages} />, root);
      return;
    }
    if (input.kind === "results") {
      document.title = input.results.title;
      render(<ReportPage results={input.results} />, root);
      printReportOn(paper, input.results);
      return;
    }
    const shows = showsOf(input);
    document.title = `${shows.map((show) => show.title).join(", ")} – copy on write`;
    render(<App shows={shows} contents={input.kind === "chapters" ? input.contents : null} />,
      root);
    printOn(paper, shows);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    document.title = "Nothing to show";
    render(<Sorry why={error.message} />, root);
  }
}

const root = document.getElementById("page");
const paper = document.getElementById("paper");
const recording = document.getElementById("recording");
if (root !== null && paper !== null) start(root, paper, recording?.textContent ?? "");
