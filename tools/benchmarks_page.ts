/**
 * Writes the figures in `docs/benchmarks.md` from the results files in `bench/`, so that none is copied by hand.
 * `deno task docs` calls it, and `tests/laws/pages_test.ts` fails when the page is not current.
 *
 * @module
 */
import type { InboxMemoryResults } from "../bench/results/inbox_memory.ts";
import { SCENARIOS } from "../bench/plan.ts";
import { isLessBetter } from "../bench/scenario.ts";
import { formatNumber } from "../bench/results/format.ts";
import type { Result, ResultsFile } from "../bench/results/results.ts";
import { displayName } from "../bench/subjects/registry.ts";
import { type GeneratedPage, readSource, tableOf, withPart } from "./docs/markdown.ts";

/** Shown where nothing was measured. */
const NONE = "–";

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
    "Where others are ahead of Atlast, by the medians:",
    othersAhead(results),
  ].join("\n\n");
}

/** A line for each result in which another subject is faster or needs less. */
function othersAhead(results: readonly Result[]): string {
  const lines = results.filter(({ subject }) => subject === "atlast").flatMap((own) => {
    const ahead = results.filter(({ scenario, subject, median }) =>
      scenario === own.scenario && subject !== "atlast" &&
      (isLessBetter(own.unit) ? median < own.median : median > own.median)
    ).map(({ subject, median }) => {
      const ratio = isLessBetter(own.unit) ? own.median / median : median / own.median;
      return `${displayName(subject)} ${ratio.toFixed(2)} times`;
    });
    return ahead.length === 0 ? [] : [`- \`${own.scenario}\`: ${ahead.join(", ")}`];
  });
  return lines.length === 0 ? "- nowhere" : lines.join("\n");
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
        return result === undefined ? NONE : formatResult(result);
      }),
    ]),
  );
}

/** The median, with the least and the greatest value if there is more than one. */
function formatResult({ median, min, max, runs }: Result): string {
  if (runs === 1) return formatNumber(median);
  return `${formatNumber(median)} (${formatNumber(min)}–${formatNumber(max)})`;
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
