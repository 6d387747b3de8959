// The trace of a program: each event is a step, and the state after it is replayed.

import type { Counts, Fact, TimedPart, Trace, TraceEvent } from "../data/types";
import { Replay } from "../replay/replay";
import type { Heat, Moment, Show } from "./show";
import { counted, timeText } from "./text";
import { traceHeat } from "./trace_heat";
import { pictureOf, stripsOf } from "./trace_picture";

const partNames: Readonly<Record<string, string>> = {
  locate: "locate", allocate: "allocate", copy: "copy", map: "map",
};

const countsText = (counts: Counts): string =>
  `${counted(counts.frames, "frame")}, ${counts.shared.toLocaleString("en-GB")} of them shared; ` +
  `${counted(counts.writable, "writable page")}`;

/** What the trace itself says is missing from it. */
function noticesOf(trace: Trace): string[] {
  const notices: string[] = [];
  const say = (count: number, what: string, whatOfMany: string): void => {
    if (count > 0) {
      notices.push(`${counted(count, "event")} ${count === 1 ? what : whatOfMany}.`);
    }
  };
  const { lost, cut_off, unfinished, unreadable, misfits } = trace.about;
  say(lost, "more is not in the trace, which was full",
    "more are not in the trace, which was full");
  say(cut_off, "is missing, as the file ends before it",
    "are missing, as the file ends before them");
  say(unfinished, "never finished: the program ended in the middle of it",
    "never finished: the program ended in the middle of them");
  say(unreadable, "is damaged and left out", "are damaged and left out");
  say(misfits, "does not fit what was before it: others are missing",
    "do not fit what was before them: others are missing");
  const gap = trace.events.findIndex((event, i) => i > 0 &&
    event.number <= (trace.events[i - 1]?.number ?? 0));
  if (gap !== -1) {
    notices.push(`Event ${trace.events[gap]?.number ?? 0} is out of order: from there on the ` +
      "pictures may be wrong.");
  }
  return notices;
}

function factsOf(event: TraceEvent, started: number, severalProcesses: boolean): Fact[] {
  const facts: Fact[] = [
    { name: "when", value: `${timeText(Math.max(0, event.ns - started))} after the first event` },
  ];
  const add = (name: string, value: string): number => facts.push({ name, value });
  if (event.address !== "" && event.kind === "fault") add("address", event.address);
  if (event.error_code !== "") add("error code", event.error_code);
  if (event.instruction_pointer !== "") add("instruction", `at ${event.instruction_pointer}`);
  if (event.kind === "fault" || event.kind === "collected") {
    add("copied", event.copied === 0 ? "nothing" : counted(event.copied, "page"));
  }
  if (event.whole_ns > 0) add("took", timeText(event.whole_ns));
  add("thread", severalProcesses ? `${event.tid} of process ${event.pid}` : `${event.tid}`);
  if (event.after !== null) add("in all", countsText(event.after));
  return facts;
}

function timesOf(event: TraceEvent): TimedPart[] {
  const times = Object.entries(event.parts_ns)
    .map(([name, ns]) => ({ name: partNames[name] ?? name, ns, now: false }));
  const rest = event.whole_ns - times.reduce((sum, part) => sum + part.ns, 0);
  if (times.length > 0 && rest > 0) times.push({ name: "the rest", ns: rest, now: false });
  return times;
}

export class TraceShow implements Show {
  readonly unit = "event";
  readonly hidesWhatComes = false;
  readonly facts: readonly Fact[];
  readonly notices: readonly string[];
  readonly faults: readonly number[];
  readonly heat: Heat;
  private readonly replay: Replay;
  private readonly started: number;
  private readonly severalProcesses: boolean;
  // Which family an event is about, and the page in question: the last ones, where it names none.
  private readonly families: Uint32Array;
  private readonly pages: Uint32Array;

  constructor(private readonly trace: Trace) {
    const { about, events } = trace;
    this.replay = new Replay(trace);
    this.heat = traceHeat(trace);
    this.notices = noticesOf(trace);
    this.started = events[0]?.ns ?? 0;
    this.severalProcesses = events.some((event) => event.pid !== events[0]?.pid);
    this.faults = events.flatMap((event, i) => (event.kind === "fault" ? [i] : []));
    this.families = new Uint32Array(events.length);
    this.pages = new Uint32Array(events.length);
    this.findPages();
    this.facts = [
      { name: "program", value: about.of },
      { name: "process", value: `${about.pid}` },
      { name: "began", value: about.started },
      { name: "kernel", value: `${about.kernel}, ${about.architecture}` },
    ];
  }

  get name(): string {
    return "trace";
  }
  get title(): string {
    return this.trace.about.of.split("/").pop() ?? this.trace.about.of;
  }
  get length(): number {
    return this.trace.events.length;
  }

  at(index: number): Moment {
    const event = this.event(index);
    this.replay.seek(index + 1);
    const family = this.replay.family(event.pid, this.families[index] ?? 0);
    const page = this.pages[index] ?? 0;
    const { strips, leftOut } = stripsOf(family, event, page);
    return {
      title: this.titleOf(index),
      sentence: event.sentence,
      facts: factsOf(event, this.started, this.severalProcesses),
      times: timesOf(event),
      table: [],
      question: null,
      answered: null,
      mapping: null,
      picture: pictureOf(family, this.replay.frames, event, page),
      strips,
      stripsLeftOut: leftOut,
      doubt: this.doubt(),
    };
  }

  titleOf(index: number): string {
    const event = this.event(index);
    return event.title === "" ? event.kind.replace("_", " ") : event.title;
  }

  asksAt(): boolean {
    return false;
  }

  private findPages(): void {
    const lastPage = new Map<string, number>();
    const lastFamily = new Map<number, number>();
    this.trace.events.forEach((event, i) => {
      if (event.family !== 0) lastFamily.set(event.pid, event.family);
      const begun = event.kind === "process_begun" ? lastFamily.get(event.other) : undefined;
      const family = event.family || (lastFamily.get(event.pid) ?? begun ?? 0);
      const key = `${event.pid}/${family}`;
      const hasPage = event.pages > 0 && !event.kind.endsWith("_made");
      if (hasPage || event.kind === "fault") lastPage.set(key, event.page);
      this.families[i] = family;
      this.pages[i] = lastPage.get(key) ?? 0;
    });
  }

  private doubt(): string | null {
    const disagreement = this.replay.disagreement();
    if (disagreement === null) return null;
    return `The picture may be wrong here, as events are missing before it: the program had ` +
      `${countsText(disagreement.counted)}; the replay has ` +
      `${countsText(disagreement.replayed)}.`;
  }

  private event(index: number): TraceEvent {
    const event = this.trace.events[index];
    if (event === undefined) throw new RangeError(`no event ${index}`);
    return event;
  }
}
