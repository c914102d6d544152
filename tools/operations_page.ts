/**
 * Writes the figures in `docs/operations.md` from `bench/table_options.json`. `deno task docs` calls it, and
 * `tests/laws/pages_test.ts` fails when the page is not current.
 *
 * @module
 */
import type {
  StatementTimes,
  TableOptionsResults,
  TableOptionsRun,
} from "../bench/results/table_options.ts";
import { formatNumber } from "../bench/results/format.ts";
import { type GeneratedPage, readSource, tableOf, withPart } from "./docs/markdown.ts";

const MIB = 2 ** 20;

/** The page for operators. Its figures are generated. */
export const operationsPage: GeneratedPage = {
  path: "docs/operations.md",
  text: (current) => {
    const results = JSON.parse(readSource("bench/table_options.json")) as TableOptionsResults;
    return withPart(current, "table-options", partOf(results));
  },
};

function partOf({ machine, postgres, minutes, rate, history, runs }: TableOptionsResults): string {
  return [
    `\`deno task bench:table-options\` measures it: ${
      formatNumber(history)
    } settled messages in each of outbox ` +
    `and inbox, with bodies of about 160 bytes, then ${rate} messages a second for ${minutes} minutes, with a retention of a day. Sizes are of ` +
    `both tables with their indexes, times are means at the server. All candidates ran at the same time. ` +
    `Machine: ${machine}. Postgres ${postgres}.`,
    tableOf(["vacuum begins at", ...runs.map(({ name }) => name)], [
      ["vacuums", ...runs.map(({ autovacuums }) => String(autovacuums))],
      ["bytes for each record at the start", ...runs.map(({ start }) => bytesOf(start, history))],
      ["size at the start", ...runs.map(({ start }) => sizeOf(start))],
      ["size at the end", ...runs.map(({ end }) => sizeOf(end))],
      ["dead rows at the end", ...runs.map(({ end }) => deadOf(end))],
      ["claim, first and last ten minutes", ...runs.map((run) => timesOf(run, "claimMs"))],
      ["settle", ...runs.map((run) => timesOf(run, "settleMs"))],
      ["insert", ...runs.map((run) => timesOf(run, "insertMs"))],
      ["prune", ...runs.map((run) => timesOf(run, "pruneMs"))],
    ]),
  ].join("\n\n");
}

function sizeOf(tables: TableOptionsRun["start"]): string {
  const bytes = tables.reduce((sum, table) => sum + table.tableBytes + table.indexBytes, 0);
  return `${formatNumber(bytes / MIB)} MiB`;
}

/** Both tables have the same number of records at the start. */
function bytesOf(tables: TableOptionsRun["start"], history: number): string {
  const bytes = tables.reduce((sum, table) => sum + table.tableBytes + table.indexBytes, 0);
  return formatNumber(bytes / (tables.length * history));
}

function deadOf(tables: TableOptionsRun["start"]): string {
  return formatNumber(tables.reduce((sum, { deadRows }) => sum + deadRows, 0));
}

function timesOf({ first, last }: TableOptionsRun, field: keyof StatementTimes): string {
  const show = (ms: number | null) => ms === null ? "–" : `${formatNumber(ms)} ms`;
  return `${show(first[field])}, ${show(last[field])}`;
}
