// What is to be read at a moment: the narration, the question or the answer, facts, times, tables.

import type { JSX } from "preact";
import type { Fact, Mapping, Question, TimedPart } from "../data/types";
import type { Moment } from "../show/show";
import { timeText } from "../show/text";

function Facts({ facts }: { facts: readonly Fact[] }): JSX.Element | null {
  if (facts.length === 0) return null;
  return (
    <dl class="facts">
      {facts.map((fact, i) => (
        <div key={i}>
          <dt>{fact.name}</dt>
          <dd>{fact.value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The parts of what took time, as parts of one bar. */
export function Times({ times }: { times: readonly TimedPart[] }): JSX.Element | null {
  const whole = times.reduce((sum, part) => sum + part.ns, 0);
  if (times.length === 0 || whole === 0) return null;
  let from = 0;
  return (
    <div class="times">
      <svg viewBox="0 0 1000 40" preserveAspectRatio="none" aria-hidden="true">
        {times.map((part, i) => {
          const x = from;
          const width = (part.ns / whole) * 1000;
          from += width;
          return <rect key={i} class={`part part-${i % 5}${part.now ? " now" : ""}`} x={x} y={0}
            width={Math.max(2, width - 4)} height={40} />;
        })}
      </svg>
      <ul aria-label="Where the time went">
        {times.map((part, i) => (
          <li key={i} class={part.now ? "now" : ""}>
            <span class={`dot part-${i % 5}`} aria-hidden="true" />
            {part.name} <b>{timeText(part.ns)}</b>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Asking(props: {
  question: Question; isAnswered: boolean; onAnswer: () => void;
}): JSX.Element {
  return (
    <div class="question">
      <p class="asked">{props.question.text}</p>
      {props.isAnswered
        ? <p class="answer"><span class="what">The answer</span> {props.question.answer}</p>
        : (
          <p class="aside">
            Decide first. The next step lets it happen;{" "}
            <button type="button" onClick={props.onAnswer}>show the answer <kbd>a</kbd></button>
          </p>
        )}
    </div>
  );
}

export function Words(props: {
  moment: Moment; asks: boolean; isAnswered: boolean; onAnswer: () => void;
}): JSX.Element {
  const { moment } = props;
  return (
    <section class="words" aria-label="What happens">
      <div aria-live="polite" aria-atomic="true">
        <h2>{moment.title}</h2>
        {moment.sentence !== "" && <p class="sentence">{moment.sentence}</p>}
        {moment.question !== null && (
          <Asking question={moment.question} isAnswered={props.isAnswered}
            onAnswer={props.onAnswer} />
        )}
        {moment.answered !== null && props.asks && (
          <p class="answer"><span class="what">The answer</span> {moment.answered.answer}</p>
        )}
        {moment.doubt !== null && <p class="doubt">{moment.doubt}</p>}
      </div>
      <Facts facts={moment.facts} />
      <Times times={moment.times} />
    </section>
  );
}

export function Table({ lines }: { lines: readonly string[] }): JSX.Element | null {
  if (lines.length === 0) return null;
  // Wider than a narrow screen: it scrolls by itself, with keys too.
  const columns = Math.max(...lines.map((line) => line.length));
  return (
    <section class="table" aria-label="Numbers" tabIndex={0} style={{ "--columns": columns }}>
      <pre>{lines.join("\n")}</pre>
    </section>
  );
}

export function MapsLine({ mapping }: { mapping: Mapping | null }): JSX.Element | null {
  if (mapping === null) return null;
  const end = mapping.mark_column + mapping.mark_width;
  return (
    <p class="maps">
      <span class="what">/proc/self/maps</span>{" "}
      <code>
        {mapping.text.slice(0, mapping.mark_column)}
        <mark>{mapping.text.slice(mapping.mark_column, end)}</mark>
        {mapping.text.slice(end)}
      </code>
    </p>
  );
}
