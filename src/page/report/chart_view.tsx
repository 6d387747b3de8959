// A chart on the page: as wide as there is room, drawn anew when that or the colours change.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { JSX } from "preact";
import { drawChart, type ChartLook, type DrawnChart } from "./chart";
import type { ChartSpec } from "./chart_spec";
import type { Place } from "./spots";

// A printer has finer dots than a screen: on paper a chart is drawn larger, and shrunk.
const paperScale = 3;
const paperWidth = 690;

function lookAt(element: HTMLElement, isPaper: boolean): ChartLook {
  const style = getComputedStyle(element);
  const scale = isPaper ? paperScale : 1;
  const width = isPaper ? paperWidth : element.clientWidth;
  const letter = isPaper ? 12 : Math.round(Math.max(12, parseFloat(style.fontSize) * 0.78));
  const tallest = isPaper ? 270 : Math.max(240, innerHeight * 0.62);
  const height = Math.round(Math.min(Math.max(15 * letter, width * 0.58), tallest));
  return { width: width * scale, height: height * scale, letter: letter * scale,
    colour: (name) => style.getPropertyValue(name).trim() };
}

function useWidth(element: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const box = element.current;
    if (box === null) return undefined;
    setWidth(box.clientWidth);
    const observer = new ResizeObserver(() => setWidth(box.clientWidth));
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  return width;
}

export function ChartView(props: {
  spec: ChartSpec; place: Place | null; isDark: boolean; isPaper: boolean;
  onPlace: (place: Place | null) => void;
}): JSX.Element {
  const { spec, place, isDark, isPaper } = props;
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<DrawnChart | null>(null);
  const [ring, setRing] = useState<{ left: number; top: number } | null>(null);
  const width = useWidth(box);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null || (!isPaper && element.clientWidth === 0)) return undefined;
    const drawn = drawChart(element, spec, lookAt(element, isPaper));
    chart.current = drawn;
    if (isPaper) {
      drawn.canvas.classList.add("on-paper");
      element.replaceChildren(drawn.canvas);
    }
    return () => {
      chart.current = null;
      drawn.destroy();
    };
  }, [spec, isDark, isPaper, width]);
  useLayoutEffect(() => {
    chart.current?.point(place?.row ?? null);
    setRing(place === null ? null : chart.current?.positionOf(place.row, place.index) ?? null);
  }, [place, spec, width]);
  const onPointer = (event: JSX.TargetedPointerEvent<HTMLDivElement>): void => {
    const frame = event.currentTarget.getBoundingClientRect();
    const found = chart.current?.nearest(event.clientX - frame.left, event.clientY - frame.top);
    if (found) props.onPlace({ row: found.row, index: found.index });
  };
  return (
    <div class="chart" aria-hidden="true" onPointerMove={onPointer} onPointerDown={onPointer}>
      <div ref={box} />
      {ring !== null && <span class="ring" style={{ left: ring.left, top: ring.top }} />}
    </div>
  );
}
