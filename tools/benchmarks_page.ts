/**
 * Writes the figures in `docs/benchmarks.md` from the results files in `bench/`, so that none is copied by hand.
 * `deno task docs` calls it, and `tests/laws/pages_test.ts` fails when the page is not current.
 *
 * @module
 */
import type { InboxMemoryResults } from "../bench/results/inbox_memory.ts";
import { SCENARIOS } from "../bench/plan.ts";
import { formatNumber } from "../bench/results/format.ts";
import type { Result, ResultsFile } from "../bench/results/results.ts";
import { displayName } from "../bench/subjects/registry.ts";
import { type GeneratedPage, readSource, tableOf, withPart } from "./docs/markdown.ts";

const NONE = "";

/** The page of benchmarks. Its results are generated. */
export const benchmarksPage: GeneratedPage = {
  path: "docs/benchmarks.md",
  text: (current) => {
    const file = JSON.parse(readSource("bench/results.json")) as ResultsFile;
    const memory = JSON.parse(readSource("bench/inbox_memory.json")) as InboxMemoryResults;
    return withPart(
      withPart(current, "results", resultsOf(file)),
      "inbox-memory",
      memoryOf(memory),
    );
  },
};

function resultsOf({ machine, versions, results }: ResultsFile): string {
  const rounds = Math.max(...results.map(({ runs }) => runs));
  return [
    `Rounds: ${rounds}. Machine: ${machine}. Versions: ${versions}.`,
    resultsTable(results),
  ].join("\n\n");
}

/** A line for each result of each scenario, a column for each subject. */
function resultsTable(results: readonly Result[]): string {
  const lines = SCENARIOS.flatMap(({ name, title, second, labels }) => [
    { name, title: labels === undefined ? title : `${title}: ${labels[0]}` },
    ...(second === undefined ? [] : [{ name: second, title: `${title}: ${labels?.[1]}` }]),
  ]).map((line) => ({ ...line, own: results.filter(({ scenario }) => scenario === line.name) }))
    .filter(({ own }) => own.length > 0);
  const subjects = [...new Set(lines.flatMap(({ own }) => own.map(({ subject }) => subject)))];
  return tableOf(
    ["scenario", "unit", ...subjects.map(displayName)],
    lines.map(({ title, name, own }) => [
      `${title} (\`${name}\`)`,
      own[0]!.unit,
      ...subjects.map((subject) => {
        const result = own.find((one) => one.subject === subject);
        return result === undefined ? NONE : formatNumber(result.median);
      }),
    ]),
  );
}

function memoryOf({ machine, keys, rememberDays, postgres, redis }: InboxMemoryResults): string {
  const { heapBytesPerKey, keyIndexBytesPerKey, arrivalIndexBytesPerKey } = postgres;
  const total = heapBytesPerKey + keyIndexBytesPerKey + arrivalIndexBytesPerKey;
  const { billedToRemember, billedToAddUnlessKnown } = redis;
  const late = billedToAddUnlessKnown.records;
  return [
    `Messages remembered: ${
      formatNumber(keys)
    }, for ${rememberDays} days. Machine: ${machine}. Versions: ` +
    `Postgres ${postgres.version}, Redis ${redis.version}.`,
    tableOf(["what", "Postgres", "Redis"], [
      [
        "bytes for each message",
        `${total.toFixed(1)} (${heapBytesPerKey} in the table, ${keyIndexBytesPerKey} and ` +
        `${arrivalIndexBytesPerKey} in its indexes)`,
        String(redis.bytesPerKey),
      ],
      [
        `billed commands to remember ${formatNumber(billedToRemember.records)} messages`,
        NONE,
        String(billedToRemember.commands),
      ],
      [
        `billed commands to receive ${late} late messages`,
        NONE,
        String(billedToAddUnlessKnown.commands),
      ],
      [`time to receive ${late} late messages (median)`, `${postgres.addUnlessKnownMs} ms`, NONE],
    ]),
  ].join("\n\n");
}
