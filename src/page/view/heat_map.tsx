// What was copied when. A click goes to the step; the list of faults does the same with keys.

import type { JSX } from "preact";
import type { Heat } from "../show/show";
import { counted } from "../show/text";

const cell = 10;

function Cells(props: {
  heat: Heat; seen: number; onGo: (step: number) => void;
}): JSX.Element {
  const { heat } = props;
  const most = heat.copied.reduce((a, b) => Math.max(a, b), 1);
  const rects: JSX.Element[] = [];
  for (let index = 0; index < heat.steps.length; ++index) {
    const step = heat.steps[index] ?? -1;
    const copied = heat.copied[index] ?? 0;
    const taken = heat.taken[index] ?? 0;
    if (step === -1 || step > props.seen) continue;
    const row = Math.floor(index / heat.columns);
    const column = index % heat.columns;
    const strength = copied === 0 ? 1 : 0.35 + 0.65 * (Math.log1p(copied) / Math.log1p(most));
    const what = copied > 0 ? `${counted(copied, "page")} copied`
      : `${counted(taken, "page")} made writable without a copy`;
    rects.push(
      <rect key={index} class={copied > 0 ? "copied" : "taken"} x={column * cell + 0.5}
        y={row * cell + 0.5} width={cell - 1} height={cell - 1} opacity={strength}
        data-step={step} onClick={() => props.onGo(step)}>
        <title>{`${heat.rows[row]?.title ?? ""}: ${what}`}</title>
      </rect>);
  }
  return <>{rects}</>;
}

export function HeatMap(props: {
  heat: Heat; unit: string; step: number; seen: number; isWhole: boolean;
  onGo: (step: number) => void;
}): JSX.Element | null {
  const { heat } = props;
  if (heat.rows.length === 0) return null;
  const width = heat.columns * cell;
  const height = heat.rows.length * cell;
  const copies = heat.copied.reduce((sum, count, i) =>
    ((heat.steps[i] ?? -1) <= props.seen ? sum + count : sum), 0);
  const column = heat.columnOf(props.step);
  return (
    <section class="heat" aria-label="What was copied when">
      <h3>
        What was copied when
        <span class="aside">
          {` ${props.isWhole ? `${counted(copies, "page")} in all`
            : `${copies} of these pages so far`}; ` +
            `pages down, ${props.unit}s to the right`}
        </span>
      </h3>
      <div class="heat-body">
        <ul aria-hidden="true" class="heat-names">
          {heat.rows.map((row, i) => (
            <li key={i}>{row.label}</li>
          ))}
        </ul>
        <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img"
          aria-label={`${counted(copies, "page")} copied, in ${counted(heat.columns, "column")}` +
            " of time; the list of faults leads to each"}>
          <rect class="ground" x={0} y={0} width={width} height={height} />
          {heat.rows.map((row, i) => row.label !== "" && i > 0 && (
            <line key={i} class="between" x1={0} x2={width} y1={i * cell} y2={i * cell} />
          ))}
          <rect class="now" x={column * cell} y={0} width={cell} height={height} />
          <Cells heat={heat} seen={props.seen} onGo={props.onGo} />
        </svg>
      </div>
    </section>
  );
}
