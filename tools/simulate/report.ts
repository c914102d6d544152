/**
 * What `deno task simulate` prints at its end.
 *
 * @module
 */
import { FAULTS } from "../../tests/simulation/faults/fault.ts";
import { medianOf, MEDIANS, type Totals } from "./totals.ts";

/** How often each transition is to meet each fault in how many seeds. */
const WANTED = 1_000;
const WANTED_IN = 1_000_000;
/** The columns of the table. */
const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
/** The transitions that no seed shows, and why. */
const OUT_OF_REACH: Readonly<Record<string, string>> = {
  "outbox scheduled stopping failed": "its receiver would have to stop for ten minutes",
};
/** How many rare meetings are named. */
const NAMED = 20;

/** The report of all seeds, whose last line says if something did not hold. */
export function reportOf(totals: Totals, seconds: number): string {
  const { seeds, sums, failed, longestMs } = totals;
  const { faults = 0, ...others } = sums;
  const counts = Object.entries(others).map(([what, sum]) => `${what} ${sum}`).join(", ");
  return [
    ...coverageTable(totals),
    "",
    `medians of a seed: ${MEDIANS.map((what) => `${what} ${medianOf(totals, what)}`).join(", ")}`,
    `totals: ${counts}`,
    `settled ${(longestMs / 1_000).toFixed(0)} virtual seconds after the last fault at the latest`,
    `${seconds.toFixed(1)} s, ${(seeds / seconds).toFixed(1)} seeds a second`,
    `simulate: ${seeds} seeds, ${faults} faults, ${failed.length} violations`,
  ].join("\n");
}

/** Each transition of the life cycle by each fault that it met, and what is rare. */
function coverageTable({ coverage, seeds }: Totals): string[] {
  const rows = Object.entries(coverage);
  const width = Math.max(...rows.map(([row]) => row.length));
  const letters = [...LETTERS].slice(0, FAULTS.length);
  const columns = [...letters, "all"];
  const cells = rows.map(([row, counts]) => ({
    row,
    texts: counts.map((count) => count === 0 ? "." : String(count)),
    counts,
  }));
  const widths = columns.map((column, i) =>
    Math.max(column.length, ...cells.map(({ texts }) => (texts[i] ?? "").length))
  );
  const line = (first: string, texts: readonly string[]) =>
    `${first.padEnd(width)}  ${texts.map((text, i) => text.padStart(widths[i] ?? 0)).join(" ")}`;
  const within = cells.filter(({ row }) => OUT_OF_REACH[row] === undefined);
  const rare = within.flatMap(({ row, counts }) =>
    FAULTS.map((fault, i) => ({ name: `${row} × ${fault}`, count: counts[i] ?? 0 }))
  ).filter(({ count }) => count * WANTED_IN < WANTED * seeds).sort((a, b) => a.count - b.count);
  return [
    "transitions by the faults since the one before:",
    FAULTS.map((fault, i) => `${letters[i]} ${fault}`).join(", "),
    line("", columns),
    ...cells.map(({ row, texts }) => line(row, texts)),
    ...Object.entries(OUT_OF_REACH).map(([row, why]) => `not counted: ${row}: ${why}`),
    `${rare.length} of ${within.length * FAULTS.length} are below ${WANTED} in a million seeds` +
    (rare.length === 0 ? "" : ", such as:"),
    ...rare.slice(0, NAMED).map(({ name, count }) => `  ${name}: ${count}`),
  ];
}
