/**
 * The comparison as a picture: a small bar chart for each scenario.
 *
 * @module
 */
import { isLessBetter, SCENARIOS } from "../plan.ts";
import { labelOf, number } from "./report.ts";
import type { Result } from "./results.ts";

const WIDTH = 860;
const LABELS = 190;
const VALUES = 110;
const BAR = 16;
const GAP = 5;
const HEAD = 34;
const MARGIN = 20;

/** The chart as SVG, readable on light and dark grounds. */
export function chartOf(results: readonly Result[]): string {
  const names = [...new Set(results.map(({ scenario }) => scenario))];
  let y = MARGIN;
  const parts: string[] = [];
  for (const name of names) {
    const own = results.filter(({ scenario }) => scenario === name);
    parts.push(panel(name, own, y));
    y += HEAD + own.length * (BAR + GAP) + MARGIN;
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

function panel(name: string, results: readonly Result[], y: number): string {
  // Nothing at all is no bar.
  const greatest = Math.max(Number.MIN_VALUE, ...results.map(({ median }) => median));
  const unit = results[0]?.unit ?? "";
  const scenario = SCENARIOS.find((each) => each.name === name || each.second === name);
  const better = isLessBetter(unit) ? "less is better" : "more is better";
  const bars = results.map((result, i) =>
    bar(result, y + HEAD + i * (BAR + GAP), result.median / greatest)
  );
  return `<text x="${MARGIN}" y="${y + 12}" font-weight="600">${name}</text>
<text x="${MARGIN}" y="${y + 27}" class="sub">${scenario?.title ?? ""}, ${unit}, ${better}</text>
${bars.join("\n")}`;
}

function bar({ subject, median }: Result, y: number, share: number): string {
  const full = WIDTH - 2 * MARGIN - LABELS - VALUES;
  const width = Math.max(1, full * share).toFixed(1);
  const x = MARGIN + LABELS;
  const kind = subject === "atlast" ? "own" : "other";
  return `<text x="${x - 8}" y="${y + 12}" text-anchor="end">${labelOf(subject)}</text>
<rect x="${x}" y="${y}" width="${width}" height="${BAR}" rx="2" class="${kind}"/>
<text x="${x + Number(width) + 6}" y="${y + 12}">${number(median)}</text>`;
}
