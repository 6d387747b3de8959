// A chart of lines or a histogram on uPlot, with what uPlot has no word for drawn beside it:
// intervals, markers of different form, lines with words.

import uPlot from "uplot";
import { fittingTicks, placeOn, tickText, ticksOf } from "../show/ticks";
import { shownRules, type ChartSpec, type Curve } from "./chart_spec";
import { colourName, markerPath } from "./looks";

export interface ChartLook {
  width: number;
  height: number;
  /** Of a letter, in pixels. */
  letter: number;
  /** A colour of the style sheet, by its name there. */
  colour: (name: string) => string;
}

export interface DrawnChart {
  canvas: HTMLCanvasElement;
  /** In pixels of the element, or null for what is not drawn. */
  positionOf: (curve: number, place: number) => { left: number; top: number } | null;
  nearest: (left: number, top: number) => { row: number; index: number } | null;
  /** The series that is pointed at has lines that others have not. */
  point: (row: number | null) => void;
  destroy: () => void;
}

const family = 'system-ui, "Liberation Sans", Arial, sans-serif';
// With more points their intervals are a band in place of strokes.
const mostWhiskers = 6;

const lineHeight = 1.3;

type Context = CanvasRenderingContext2D;

interface PlacedMark {
  text: string;
  x: number;
  from: number;
  room: number;
  /** Lines of text above the plot, from 0 at its edge. */
  row: number;
}

function shortened(text: string, room: number, widthOf: (text: string) => number): string {
  let short = text;
  while (short.length > 1 && widthOf(short) > room) short = `${short.slice(0, -2)}…`;
  return short;
}

/** The words of marks, above one another where they are too close to stand in one line. */
function placedMarks(spec: ChartSpec, left: number, width: number, letter: number,
  widthOf: (text: string) => number): PlacedMark[] {
  const ends: number[] = [];
  // From the right: then a line from a mark to the plot crosses words of no lower row.
  return [...spec.marks].reverse().map((mark) => {
    const text = shortened(mark.text, width, widthOf);
    const room = widthOf(text);
    const x = left + placeOn(mark.x, spec.xRange, spec.x.scale) * width;
    const from = Math.min(Math.max(left, x - room / 2), left + width - room);
    let row = ends.findIndex((end) => from + room + letter <= end);
    if (row === -1) row = ends.length;
    ends[row] = from;
    return { text, x, from, room, row };
  });
}

class Drawing {
  private readonly unit: number;  // a pixel of the style sheet, in those of the canvas
  private readonly context: Context;

  constructor(private readonly plot: uPlot, private readonly spec: ChartSpec,
    private readonly look: ChartLook, private readonly pointed: number | null) {
    this.context = plot.ctx;
    this.unit = (uPlot.pxRatio * look.letter) / 14;
  }

  private x(value: number): number {
    return this.plot.valToPos(value, "x", true);
  }

  private y(value: number): number {
    // An interval may reach to zero, which a logarithmic axis does not.
    const [low] = this.spec.yRange;
    return this.plot.valToPos(Math.max(value, low), "y", true);
  }

  private colour(curve: { look: Curve["look"] }): string {
    return this.look.colour(colourName(curve.look));
  }

  /** Below the curves. */
  under(): void {
    this.context.save();
    for (const curve of this.spec.curves) {
      if (curve.xs.length > mostWhiskers) this.band(curve);
    }
    const { top, height } = this.plot.bbox;
    for (const rule of shownRules(this.spec, this.pointed)) {
      this.context.strokeStyle = this.colour(rule);
      this.context.lineWidth = this.unit;
      this.context.setLineDash([2 * this.unit, 4 * this.unit]);
      this.upright(this.x(rule.x), top, top + height);
    }
    this.context.restore();
  }

  /** Above them. */
  over(): void {
    this.context.save();
    for (const curve of this.spec.curves) {
      if (curve.xs.length <= mostWhiskers) this.whiskers(curve);
      if (!this.spec.isStepped) this.markers(curve);
    }
    this.marks();
    this.context.restore();
  }

  private band(curve: Curve): void {
    const points = curve.xs.flatMap((x, i) => {
      const [low, high] = [curve.lows[i], curve.highs[i]];
      return typeof low === "number" && typeof high === "number" ? [{ x, low, high }] : [];
    });
    if (points.length < 2) return;
    const path = new Path2D();
    points.forEach(({ x, high }) => path.lineTo(this.x(x), this.y(high)));
    points.reverse().forEach(({ x, low }) => path.lineTo(this.x(x), this.y(low)));
    this.context.globalAlpha = 0.16;
    this.context.fillStyle = this.colour(curve);
    this.context.fill(path);
    this.context.globalAlpha = 1;
  }

  private whiskers(curve: Curve): void {
    this.context.strokeStyle = this.colour(curve);
    this.context.lineWidth = 1.5 * this.unit;
    this.context.setLineDash([]);
    const arm = 4 * this.unit;
    curve.xs.forEach((value, i) => {
      const [low, high] = [curve.lows[i], curve.highs[i]];
      if (typeof low !== "number" || typeof high !== "number") return;
      const [x, bottom, top] = [this.x(value), this.y(low), this.y(high)];
      const path = new Path2D();
      for (const end of [bottom, top]) {
        path.moveTo(x - arm, end);
        path.lineTo(x + arm, end);
      }
      path.moveTo(x, bottom);
      path.lineTo(x, top);
      this.context.stroke(path);
    });
  }

  private markers(curve: Curve): void {
    const shape = new Path2D(markerPath(curve.look));
    const size = 4.5 * this.unit;
    this.context.setLineDash([]);
    this.context.strokeStyle = this.colour(curve);
    this.context.lineWidth = 0.4;
    this.context.fillStyle = curve.look.isSecond ? this.look.colour("--ground")
      : this.colour(curve);
    curve.xs.forEach((x, i) => {
      this.context.save();
      this.context.translate(this.x(x), this.y(curve.ys[i] as number));
      this.context.scale(size, size);
      this.context.fill(shape);
      this.context.stroke(shape);
      this.context.restore();
    });
  }

  private marks(): void {
    const { left, top, width, height } = this.plot.bbox;
    const size = this.look.letter * uPlot.pxRatio;
    this.context.font = `${size}px ${family}`;
    this.context.strokeStyle = this.look.colour("--ink");
    this.context.lineWidth = 1.2 * this.unit;
    this.context.textBaseline = "alphabetic";
    this.context.textAlign = "left";
    const placed = placedMarks(this.spec, left, width, size, (text) =>
      this.context.measureText(text).width);
    this.context.setLineDash([3 * this.unit, 3 * this.unit]);
    const lineOf = (row: number): number => top - row * size * lineHeight - size * 0.35;
    for (const { x, row } of placed) this.upright(x, lineOf(row) + size * 0.3, top + height);
    for (const { text, from, room, row } of placed) {
      const line = lineOf(row);
      this.context.fillStyle = this.look.colour("--ground");
      this.context.fillRect(from - size * 0.2, line - size, room + size * 0.4, size * 1.25);
      this.context.fillStyle = this.look.colour("--ink");
      this.context.fillText(text, from, line);
    }
  }

  private upright(x: number, top: number, bottom: number): void {
    this.context.beginPath();
    this.context.moveTo(x, top);
    this.context.lineTo(x, bottom);
    this.context.stroke();
  }
}

interface Room {
  yTicks: number[];
  left: number;
  width: number;
}

/** What the words of the y axis leave for the plot. */
function roomIn(spec: ChartSpec, look: ChartLook, widthOf: (text: string) => number): Room {
  const most = Math.max(3, Math.floor(look.height / (3 * look.letter)));
  const yTicks = ticksOf(spec.yRange, spec.y, most);
  const left = Math.ceil(look.letter +
    Math.max(...yTicks.map((tick) => widthOf(tickText(tick, spec.y))), 0));
  return { yTicks, left, width: look.width - left - 2 * look.letter };
}

function axes(spec: ChartSpec, look: ChartLook, room: Room,
  widthOf: (text: string) => number): uPlot.Axis[] {
  const { letter } = look;
  const { yTicks } = room;
  const shared = {
    stroke: look.colour("--dim"), font: `${letter}px ${family}`,
    grid: { stroke: look.colour("--rule"), width: letter / 14 },
    ticks: { stroke: look.colour("--rule"), width: letter / 14, size: letter / 3 },
    gap: letter / 3,
    filter: (_: uPlot, splits: number[]) => splits,
  };
  const xTicks = fittingTicks(spec.xRange, spec.x, room.width, (text) => widthOf(text) + letter);
  return [
    { ...shared, splits: () => xTicks, size: 2 * letter,
      values: () => xTicks.map((tick) => tickText(tick, spec.x)) },
    { ...shared, splits: () => yTicks, size: room.left,
      values: () => yTicks.map((tick) => tickText(tick, spec.y)) },
  ];
}

function options(spec: ChartSpec, look: ChartLook, ruler: Context,
  pointed: () => number | null): uPlot.Options {
  ruler.font = `${look.letter}px ${family}`;
  const widthOf = (text: string): number => ruler.measureText(text).width;
  const line = look.letter / 14;
  const room = roomIn(spec, look, widthOf);
  const rows = 1 + Math.max(-1, ...placedMarks(spec, room.left, room.width, look.letter, widthOf)
    .map(({ row }) => row));
  const above = (0.8 + lineHeight * rows) * look.letter;
  const stepped = spec.isStepped ? { paths: uPlot.paths.stepped?.({ align: 1 }) } : {};
  const drawing = (plot: uPlot): Drawing => new Drawing(plot, spec, look, pointed());
  const scale = ({ scale: kind }: { scale: string }, range: readonly [number, number]):
    uPlot.Scale => ({ time: false, distr: kind === "log" ? 3 : 1,
      range: () => [range[0], range[1]] });
  return {
    width: look.width, height: look.height + above,
    padding: [above, 2 * look.letter, 0, 0],
    legend: { show: false }, cursor: { show: false },
    scales: { x: scale(spec.x, spec.xRange), y: scale(spec.y, spec.yRange) },
    axes: axes(spec, look, room, widthOf),
    series: [{}, ...spec.curves.map((curve): uPlot.Series => {
      const width = line * (curve.look.isSecond ? 1.4 : 2.2);
      const colour = look.colour(colourName(curve.look));
      return { stroke: colour, width, dash: curve.look.dash.map((part) => part * width),
        // A colour of six digits, and how much of it covers what lies behind.
        ...(spec.isStepped ? { fill: `${colour}26` } : {}),
        points: { show: false }, ...stepped } as uPlot.Series;
    })],
    hooks: {
      drawAxes: [(plot) => drawing(plot).under()],
      draw: [(plot) => drawing(plot).over()],
    },
  };
}

export function drawChart(element: HTMLElement, spec: ChartSpec, look: ChartLook): DrawnChart {
  let pointed: number | null = null;
  const ruler = document.createElement("canvas").getContext("2d") as Context;
  const data = spec.curves.length === 0 ? [[]] as unknown as uPlot.AlignedData
    : uPlot.join(spec.curves.map((curve) => [curve.xs, curve.ys] as uPlot.AlignedData));
  const plot = new uPlot(options(spec, look, ruler, () => pointed), data, element);
  const middle = (curve: Curve, i: number): number => {
    const x = curve.xs[i] as number;
    const next = curve.xs[i + 1];
    if (!spec.isStepped || next === undefined) return plot.valToPos(x, "x");
    return (plot.valToPos(x, "x") + plot.valToPos(next, "x")) / 2;
  };
  const position = (curve: Curve, i: number): { left: number; top: number } => ({
    left: middle(curve, i) + plot.over.offsetLeft,
    top: plot.valToPos(curve.ys[i] as number, "y") + plot.over.offsetTop,
  });
  return {
    canvas: plot.ctx.canvas,
    positionOf: (row, place) => {
      const curve = spec.curves[row];
      const i = curve?.places.indexOf(place) ?? -1;
      return curve === undefined || i === -1 ? null : position(curve, i);
    },
    nearest: (left, top) => {
      let best: { row: number; index: number; distance: number } | null = null;
      spec.curves.forEach((curve, row) => {
        // The last edge of a histogram is no bar.
        const count = curve.xs.length - (spec.isStepped ? 1 : 0);
        for (let i = 0; i < count; ++i) {
          const at = position(curve, i);
          const distance = (at.left - left) ** 2 + (at.top - top) ** 2;
          if (best === null || distance < best.distance) {
            best = { row, index: curve.places[i] as number, distance };
          }
        }
      });
      return best;
    },
    point: (row) => {
      if (row === pointed) return;
      pointed = row;
      if (spec.rules.length > 0) plot.redraw(false, false);
    },
    destroy: () => plot.destroy(),
  };
}
