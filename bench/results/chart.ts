/**
 * Renders the results as one SVG that answers how fast Atlast is beside its peers and the loop written by hand: a
 * line for each of ten scenarios, a mark for each subject, and Atlast in the middle of every line.
 *
 * @module
 */
import { SCENARIOS } from "../plan.ts";
import { isLessBetter } from "../scenario.ts";
import { displayName, PEERS, SUBJECT_NAMES, type SubjectName } from "../subjects/registry.ts";
import { formatNumber } from "./format.ts";
import type { Result } from "./results.ts";

/** The short titles of scenarios that compare subjects, in the order of a message's life. */
const TITLES: Readonly<Record<string, string>> = {
  "publish-1": "Publish, one call at a time",
  "publish-10": "Publish, 10 calls at once",
  "publish-50": "Publish, 50 calls at once",
  "bulk-1": "Publish 1,000 in each call",
  "bulk-4": "Publish 1,000 in each of 4 calls",
  "tx-10": "Publish in business transactions",
  "publish-grown": "Publish beside a large table",
  "drain-outbox": "Send a backlog",
  "drain-2-workers": "Send a backlog, two workers",
  "drain-outbox-grown": "Send beside a large table",
  "drain-outbox-snapshot": "Send under an old snapshot",
  "drain-inbox": "Handle a backlog, in batches",
  "drain-inbox-single": "Handle a backlog, one by one",
  "exactly-once": "Handlers that write, in batches",
  "exactly-once-single": "Handlers that write, one by one",
  "end-to-end": "Publish and handle in bulk",
  "latency-p50": "Latency, half are faster",
  "latency-p99": "Latency, 99 of 100 are faster",
  "latency-in-process-p50": "The same in one process, half",
  "latency-in-process-p99": "The same in one process, 99",
  "idle-statements": "Statements when idle",
  "edge-deliver": "Verify and store a delivery",
};
/** What users ask first. */
const QUESTIONS: readonly string[] = [
  "publish-1",
  "publish-50",
  "tx-10",
  "drain-outbox",
  "drain-inbox",
  "drain-inbox-single",
  "exactly-once-single",
  "latency-p50",
];
/** How many lines there are. */
const LINES = 10;

/** Marks are this many times as fast or slow at most; what is further away is drawn at the edge. */
const FARTHEST = 8;
const WIDTH = 830;
const TITLE_WIDTH = 250;
const VALUE_WIDTH = 130;
const LINE_HEIGHT = 30;
const HEAD_HEIGHT = 78;
const MARGIN = 16;
const TICKS: readonly [ratio: number, label: string][] = [
  [1 / 8, "8 times slower"],
  [1 / 4, "4"],
  [1 / 2, "2"],
  [1, "Atlast"],
  [2, "2"],
  [4, "4"],
  [8, "8 times faster"],
];

/** One line of the chart. */
export interface ChartLine {
  /** The scenario, or the name of its second value. */
  readonly name: string;
  /** The result of Atlast. */
  readonly own: Result;
  /** How many times as fast as Atlast the others are: more than 1 is faster. */
  readonly others: readonly { readonly subject: SubjectName; readonly ratio: number }[];
}

/**
 * Chooses the lines: the scenarios that users ask for first, and in the places that are left those in which others
 * are furthest ahead of Atlast.
 */
export function chartLines(results: readonly Result[]): ChartLine[] {
  const lines = [...new Set(results.map(({ scenario }) => scenario))]
    .flatMap((name) => lineOf(name, results) ?? []);
  const first = lines.filter(({ name }) => QUESTIONS.includes(name));
  const rest = lines.filter(({ name }) => !QUESTIONS.includes(name))
    .sort((a, b) => lead(b) - lead(a))
    .slice(0, Math.max(0, LINES - first.length));
  const order = Object.keys(TITLES);
  return [...first, ...rest].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

function lineOf(name: string, results: readonly Result[]): ChartLine | null {
  const all = results.filter(({ scenario }) => scenario === name);
  const own = all.find(({ subject }) => subject === "atlast");
  if (own === undefined || all.length < 2) return null;
  const others = all.filter((result) => result !== own).map(({ subject, median, unit }) => ({
    subject,
    ratio: isLessBetter(unit) ? divide(own.median, median) : divide(median, own.median),
  }));
  return { name, own, others };
}

/** Two zeros are equal, and a zero is infinitely far from anything else. */
function divide(a: number, b: number): number {
  return a === b ? 1 : a / b;
}

/** How far the fastest other subject is ahead. A peer counts more than the loop that was written by hand. */
function lead({ others }: ChartLine): number {
  const best = (kind: readonly SubjectName[]) =>
    Math.max(
      0,
      ...others.filter(({ subject }) => kind.includes(subject)).map(({ ratio }) => ratio),
    );
  return best(PEERS) > 1 ? 1_000 + best(PEERS) : best(["ref"]);
}

/** Renders the chart. It is readable on light and dark backgrounds, and without colours. */
export function renderChart(results: readonly Result[]): string {
  const lines = chartLines(results);
  const shown = SUBJECT_NAMES.filter((subject) =>
    lines.some(({ others }) => others.some((other) => other.subject === subject))
  );
  const height = HEAD_HEIGHT + lines.length * LINE_HEIGHT + MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" role="img" font-family="system-ui, sans-serif" font-size="13">
<title>How fast others are beside Atlast</title>
<style>
  text { fill: #1f2328 } .sub { fill: #59636e } .rule { stroke: #d1d9e0 } .own { fill: #0969da; stroke: #0969da }
  .ref { fill: #59636e } .pg-boss { fill: #bc4c00 } .graphile-worker { fill: #8250df }
  .pg-transactional-outbox { fill: #1a7f37 } .bullmq { fill: #cf222e }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .sub { fill: #9198a1 } .rule { stroke: #3d444d } .own { fill: #4493f8; stroke: #4493f8 }
    .ref { fill: #9198a1 } .pg-boss { fill: #f0883e } .graphile-worker { fill: #ab7df8 }
    .pg-transactional-outbox { fill: #3fb950 } .bullmq { fill: #f85149 }
  }
</style>
${renderLegend(shown)}
${renderAxis(height)}
${lines.map((line, i) => renderLine(line, HEAD_HEIGHT + i * LINE_HEIGHT)).join("\n")}
</svg>
`;
}

function renderLegend(subjects: readonly SubjectName[]): string {
  let x = MARGIN;
  const parts: string[] = [];
  for (const subject of subjects) {
    const name = displayName(subject);
    parts.push(renderMark(subject, x + 6, 20), `<text x="${x + 18}" y="25">${name}</text>`);
    x += 34 + name.length * 7.5;
  }
  return parts.join("\n");
}

function renderAxis(height: number): string {
  return TICKS.map(([ratio, label]) => {
    const x = xOf(ratio).toFixed(1);
    const kind = ratio === 1 ? "own" : "rule";
    const text = ratio === 1 ? "" : ` class="sub"`;
    return `<line x1="${x}" x2="${x}" y1="${HEAD_HEIGHT - 12}" y2="${
      height - MARGIN
    }" class="${kind}" stroke-width="${ratio === 1 ? 2 : 1}"/>
<text x="${x}" y="${HEAD_HEIGHT - 20}" text-anchor="middle"${text}>${label}</text>`;
  }).join("\n");
}

function renderLine({ name, own, others }: ChartLine, y: number): string {
  const middle = y + LINE_HEIGHT / 2;
  const scenario = SCENARIOS.find((each) => each.name === name || each.second === name);
  const title = TITLES[name] ?? name;
  const marks = others.toSorted((a, b) => b.ratio - a.ratio)
    .map(({ subject, ratio }) =>
      `<g><title>${displayName(subject)}: ${
        Number.isFinite(ratio) ? formatNumber(ratio) : "infinitely many"
      } times as fast</title>${renderMark(subject, xOf(ratio), middle)}</g>`
    );
  return `<text x="${MARGIN}" y="${middle + 4}">${title}<title>${
    scenario?.title ?? name
  }</title></text>
<line x1="${xOf(1 / FARTHEST)}" x2="${xOf(FARTHEST)}" y1="${middle}" y2="${middle}" class="rule"/>
${marks.join("\n")}
<text x="${WIDTH - MARGIN}" y="${middle + 4}" text-anchor="end">${
    formatNumber(own.median)
  } <tspan class="sub">${shortUnit(own.unit)}</tspan></text>`;
}

function shortUnit(unit: string): string {
  return unit.replace("messages/s", "msg/s").replace("transactions/s", "tx/s")
    .replace("statements/min", "stmt/min").replace("requests/s", "req/s");
}

/** Each subject has a shape of its own, for those who do not see the colours. */
function renderMark(subject: SubjectName, x: number, y: number): string {
  const at = (dx: number, dy: number) => `${(x + dx).toFixed(1)},${y + dy}`;
  const polygon = (...points: readonly string[]) =>
    `<polygon points="${points.join(" ")}" class="${subject}"/>`;
  switch (subject) {
    case "pg-boss":
      return polygon(at(-5, -5), at(5, -5), at(5, 5), at(-5, 5));
    case "graphile-worker":
      return polygon(at(0, -7), at(7, 0), at(0, 7), at(-7, 0));
    case "pg-transactional-outbox":
      return polygon(at(0, -6), at(6, 5), at(-6, 5));
    case "bullmq":
      return polygon(at(-6, -5), at(6, -5), at(0, 6));
    default:
      return `<circle cx="${x.toFixed(1)}" cy="${y}" r="5.5" class="${subject}"/>`;
  }
}

/** Where a ratio is on the axis, which is logarithmic: 2 and 1/2 are equally far from the middle. */
function xOf(ratio: number): number {
  const left = TITLE_WIDTH + 12;
  const right = WIDTH - VALUE_WIDTH - 12;
  const share = Math.log(Math.min(FARTHEST, Math.max(1 / FARTHEST, ratio))) / Math.log(FARTHEST);
  return (left + right) / 2 + share * (right - left) / 2;
}
