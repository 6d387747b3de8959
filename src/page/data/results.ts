// A page of results: what `cow report` writes of one or several result files of `cow bench`. The
// pictures are made there; the page draws what it is given.

export interface Interval {
  low: number;
  high: number;
}

export const differences = ["less", "more", "none"] as const;
/** `none`: no difference was seen. */
export type Difference = (typeof differences)[number];

export interface Against {
  mechanism: string;
  /** There is none to a median of 0. */
  ratio: number | null;
  interval: Interval | null;
  /** Where both rows were measured. */
  test: { p: number; difference: Difference; isEnough?: boolean } | null;
}

export const statuses = ["measured", "skipped", "failed"] as const;
export type Status = (typeof statuses)[number];

export interface Named {
  name: string;
  value: number;
}

export interface ResultRow {
  name: string;
  experiment: string;
  workload: string;
  mechanism: string;
  unit: string;
  /** What one sample is, in words. */
  sample: string;
  status: Status;
  reason: string;
  samples: number[];
  /** Of what was measured only. */
  median: number | null;
  interval: Interval | null;
  percentiles: Named[];
  against: Against | null;
  atMost: number | null;
  isMet: boolean;
  /** Medians, in the order of time. */
  parts: Named[];
  counts: Named[];
  warnings: string[];
}

/** A line of an environment; what lies deeper has the names above it before its own. */
export interface EnvironmentLine {
  name: string;
  text: string;
}

export interface Result {
  label: string;
  environment: EnvironmentLine[];
  warnings: string[];
  rows: ResultRow[];
}

export const scales = ["linear", "log"] as const;
export type Scale = (typeof scales)[number];

export interface Axis {
  title: string;
  unit: string;
  scale: Scale;
  /** Of threads, stores: nothing lies between whole numbers. */
  isWhole?: boolean;
}

/** The row of a result that something drawn is of, where there is one. */
export interface Origin {
  result: number;
  row: string | null;
}

export interface Point {
  x: number;
  y: number;
  low: number | null;
  high: number | null;
  row: string | null;
}

interface Series {
  name: string;
  title: string;
  result: number;
}

export interface LineSeries extends Series {
  /** In the order of x. */
  points: Point[];
}

export interface LineMark {
  x: number;
  text: string;
}

export interface BarPoint {
  category: number;
  y: number;
  low: number | null;
  high: number | null;
  row: string | null;
}

export interface BarSeries extends Series {
  points: BarPoint[];
}

export interface HistogramSeries extends Series {
  edges: number[];
  counts: number[];
  percentiles: Named[];
  row: string | null;
}

export interface CountedAxis {
  title: string;
  unit: string;
  count: number;
  /** What all of them are together, in the unit; null: not known. */
  span: number | null;
}

interface PictureBase {
  id: string;
  title: string;
  /** A sentence that says what is shown. */
  what: string;
}

export interface LinesPicture extends PictureBase {
  kind: "lines";
  x: Axis;
  y: Axis;
  series: LineSeries[];
  marks: LineMark[];
}

export interface BarsPicture extends PictureBase {
  kind: "bars" | "stack";
  categoryTitle: string;
  categories: string[];
  y: Axis;
  series: BarSeries[];
}

export interface HistogramPicture extends PictureBase {
  kind: "histogram";
  x: Axis;
  y: Axis;
  series: HistogramSeries[];
}

export interface HeatPicture extends PictureBase {
  kind: "heat";
  x: CountedAxis;
  y: CountedAxis;
  /** What a cell's value is, in words. */
  value: string;
  unit: string;
  cells: [x: number, y: number, value: number][];
}

export type ResultPicture = LinesPicture | BarsPicture | HistogramPicture | HeatPicture;

export interface Change {
  name: string;
  before: number;
  after: number;
  unit: string;
  ratio: number;
  interval: Interval;
  p: number;
  difference: Difference;
}

export interface Results {
  title: string;
  advice: string[];
  /** Of each workload. */
  detailedAdvice: string[];
  notes: string[];
  results: Result[];
  pictures: ResultPicture[];
  changes: Change[];
  missing: string[];
}
