/**
 * Prints the reconciliation.
 *
 * @module
 */
import type { CheckResult, Reconciliation } from "./reconcile.ts";
import type { Row } from "./table_reader.ts";
import type { Terminal } from "../terminal.ts";

/** How many of the things that break a check are listed. */
const MAX_LISTED = 5;

/** Prints the tables and the checks. */
export function printReconciliation(
  terminal: Terminal,
  { listings, checks }: Reconciliation,
): void {
  for (const [heading, rows] of Object.entries(listings)) {
    terminal.printLine();
    terminal.printLine(`  ${terminal.paint("bold", heading)}`);
    for (const [i, line] of formatTable(rows).entries()) {
      terminal.printLine(`  ${i === 0 ? terminal.paint("dim", line) : line}`);
    }
  }
  terminal.printLine();
  terminal.printLine(`  ${terminal.paint("bold", "Checks")}`);
  for (const check of Object.values(checks)) printCheck(terminal, check);
}

/** Formats the last line of the demo. */
export function formatTotals({ totals }: Reconciliation, redelivered: number): string {
  const { orders, succeeded, compensated, lost, doubled } = totals;
  return `demo: ${orders} orders, ${succeeded} succeeded, ${compensated} compensated, ` +
    `${redelivered} redelivered, ${lost} lost, ${doubled} doubled`;
}

function printCheck(terminal: Terminal, { claim, about, broken }: CheckResult): void {
  if (broken.length === 0) {
    terminal.printLine(
      `  ${terminal.paint("green", "✓")} ${claim} ${terminal.paint("dim", `(${about})`)}`,
    );
    return;
  }
  const named = broken.slice(0, MAX_LISTED).join(", ") + (broken.length > MAX_LISTED ? ", …" : "");
  terminal.printLine(
    `  ${terminal.paint("red", "✗")} ${claim}: ` +
      terminal.paint("red", `${broken.length} of ${about} break this: ${named}`),
  );
}

/** Formats rows as lines below a heading, the first column aligned left and the others right. */
function formatTable(rows: readonly Row[]): string[] {
  const columns = Object.keys(rows[0] ?? {});
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column])))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => (line[i] ?? "").length)));
  return cells.map((line) =>
    line.map((cell, i) => i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))
      .join("   ")
  );
}
