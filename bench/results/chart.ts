/**
 * Renders the results as an SVG: a bar chart for each scenario.
 *
 * @module
 */
import { SCENARIOS } from "../plan.ts";
import { isLessBetter } from "../scenario.ts";
import { displayName } from "../subjects/registry.ts";
import { formatNumber } from "./format.ts";
import type { Result } from "./results.ts";

const WIDTH = 860;
const LABEL_WIDTH = 190;
const VALUE_WIDTH = 110;
const BAR_HEIGHT = 16;
const GAP = 5;
const HEAD_HEIGHT = 34;
const MARGIN = 20;

/** Renders the chart. It is readable on light and dark backgrounds. */
export function renderChart(results: readonly Result[]): string {
  const names = [...new Set(results.map(({ scenario }) => scenario))];
  let y = MARGIN;
  const parts: string[] = [];
  for (const name of names) {
    const own = results.filter(({ scenario }) => scenario === name);
    parts.push(renderPanel(name, own, y));
    y += HEAD_HEIGHT + own.length * (BAR_HEIGHT + GAP) + MARGIN;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" role="img" font-family="system-ui, sans-serif" font-size="12">
<title>Atlast beside its peers</title>
<style>
  text { fill: #24292f } .sub { fill: #57606a } .own { fill: #0969da } .other { fill: #8c959f }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .sub { fill: #9198a1 } .own { fill: #4493f8 } .other { fill: #656c76 }
  }
</style>
${parts.join("\n")}
</svg>
`;
}

function renderPanel(name: string, results: readonly Result[], y: number): string {
  // If all values are 0, the bars are empty.
  const greatest = Math.max(Number.MIN_VALUE, ...results.map(({ median }) => median));
  const unit = results[0]?.unit ?? "";
  const scenario = SCENARIOS.find((each) => each.name === name || each.second === name);
  const better = isLessBetter(unit) ? "less is better" : "more is better";
  const bars = results.map((result, i) =>
    renderBar(result, y + HEAD_HEIGHT + i * (BAR_HEIGHT + GAP), result.median / greatest)
  );
  return `<text x="${MARGIN}" y="${y + 12}" font-weight="600">${name}</text>
<text x="${MARGIN}" y="${y + 27}" class="sub">${scenario?.title ?? ""}, ${unit}, ${better}</text>
${bars.join("\n")}`;
}

function renderBar({ subject, median }: Result, y: number, share: number): string {
  const full = WIDTH - 2 * MARGIN - LABEL_WIDTH - VALUE_WIDTH;
  const width = Math.max(1, full * share).toFixed(1);
  const x = MARGIN + LABEL_WIDTH;
  const kind = subject === "atlast" ? "own" : "other";
  return `<text x="${x - 8}" y="${y + 12}" text-anchor="end">${displayName(subject)}</text>
<rect x="${x}" y="${y}" width="${width}" height="${BAR_HEIGHT}" rx="2" class="${kind}"/>
<text x="${x + Number(width) + 6}" y="${y + 12}">${formatNumber(median)}</text>`;
}
