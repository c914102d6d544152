/**
 * The reconciliation as it is printed.
 *
 * @module
 */
import type { CheckResult, Reconciliation } from "./reconciliation.ts";
import type { Row } from "./side.ts";
import type { Terminal } from "./terminal.ts";

/** How many of the things that break a check are named. */
const MAX_NAMED = 5;

/** Prints the tables and the checks. */
export function printReconciliation(
  terminal: Terminal,
  { listings, checks }: Reconciliation,
): void {
  for (const [heading, rows] of Object.entries(listings)) {
    terminal.line();
    terminal.line(`  ${terminal.paint("bold", heading)}`);
    for (const [i, line] of tableOf(rows).entries()) {
      terminal.line(`  ${i === 0 ? terminal.paint("dim", line) : line}`);
    }
  }
  terminal.line();
  terminal.line(`  ${terminal.paint("bold", "Checks")}`);
  for (const check of Object.values(checks)) printCheck(terminal, check);
}

/** The closing line. */
export function closingLine({ totals }: Reconciliation, redelivered: number): string {
  const { orders, succeeded, compensated, lost, doubled } = totals;
  return `demo: ${orders} orders, ${succeeded} succeeded, ${compensated} compensated, ` +
    `${redelivered} redelivered, ${lost} lost, ${doubled} doubled`;
}

function printCheck(terminal: Terminal, { claim, about, broken }: CheckResult): void {
  if (broken.length === 0) {
    terminal.line(
      `  ${terminal.paint("green", "✓")} ${claim} ${terminal.paint("dim", `(${about})`)}`,
    );
    return;
  }
  const named = broken.slice(0, MAX_NAMED).join(", ") + (broken.length > MAX_NAMED ? ", …" : "");
  terminal.line(
    `  ${terminal.paint("red", "✗")} ${claim}: ` +
      terminal.paint("red", `${broken.length} of ${about} are not so: ${named}`),
  );
}

/** Rows as lines: a heading and one line each; the first column to the left, the others to the right. */
function tableOf(rows: readonly Row[]): string[] {
  const columns = Object.keys(rows[0] ?? {});
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column])))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => (line[i] ?? "").length)));
  return cells.map((line) =>
    line.map((cell, i) => i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))
      .join("   ")
  );
}
