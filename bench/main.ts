/**
 * `deno task bench`: measures Atlast, its peers and the hand-written minimum `ref` on one machine, in one
 * run.
 *
 * 1. `options.ts` reads which scenarios of `plan.ts` and which subjects are asked for.
 * 2. `scenarios/` measures them round by round. A measurement sets up a fixture (`fixtures/`), starts
 *    workers (`workers/`), which do the work with a subject (`subjects/`), and yields the figures of
 *    `measurements/`.
 * 3. `results/` sums the measurements up: a table for each scenario, `results.json` and `chart.svg`.
 *
 * @module
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { startPostgres } from "../tools/postgres_server.ts";
import { redisVersion, startRedis } from "../tools/redis_server.ts";
import { Databases } from "./fixtures/databases.ts";
import type { Environment } from "./fixtures/fixture.ts";
import { type Options, readOptions } from "./options.ts";
import { installPeers } from "./peers/packages.ts";
import { describeMachine, describeVersions } from "./results/machine.ts";
import { formatScenario } from "./results/report.ts";
import type { ScenarioRuns } from "./results/results.ts";
import { writeResults } from "./results/write.ts";
import { measureRounds } from "./scenarios/measure_rounds.ts";
import { ON_REDIS, PEERS } from "./subjects/registry.ts";

const MINUTE_MS = 60_000;
const BENCH_FOLDER = fileURLToPath(new URL("./", import.meta.url));

process.exitCode = await main(readOptions(process.argv.slice(2), BENCH_FOLDER));

async function main(options: Options): Promise<number> {
  const startMs = performance.now();
  const stops: (() => unknown)[] = [];
  // An interrupted bench stops its servers too.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, async () => {
      for (const stop of stops.toReversed()) await stop();
      process.exit(1);
    });
  }
  try {
    const peers = options.subjects.some((name) => PEERS.includes(name)) ? installPeers() : null;
    const server = options.databaseUrl === null
      ? await startPostgres()
      : { url: options.databaseUrl, pid: null, stop: () => {} };
    stops.push(() => server.stop());
    const redis = await startRedisFor(options);
    stops.push(() => redis?.stop());
    const databases = new Databases(server.url, server.pid);
    stops.push(() => databases.end());
    await databases.enableStatementCounts();
    const machine = describeMachine();
    const versions = describeVersions(
      await databases.version(),
      redis === null ? null : redisVersion(),
      peers,
      options.subjects,
    );
    console.log(`${machine}\n\n${versions}`);
    const environment: Environment = { databases, redis, peers, amounts: options.amounts };
    const all: ScenarioRuns[] = [];
    for (const scenario of options.scenarios) {
      const measured = await measureRounds(environment, scenario, options.subjects);
      console.log(`\n${formatScenario(measured, options.amounts)}`);
      all.push(measured);
    }
    if (options.out !== null) writeResults(options.out, { machine, versions }, all);
    console.log(`Took ${((performance.now() - startMs) / MINUTE_MS).toFixed(1)} minutes`);
    return 0;
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}

/**
 * Starts a Redis server if a subject or a scenario needs one and it is installed. It writes every command
 * to disk before it answers, as Postgres does.
 */
async function startRedisFor({ subjects, scenarios }: Options) {
  const isNeeded = subjects.some((name) => ON_REDIS.includes(name)) ||
    scenarios.some(({ workload }) => workload.kind === "upstash-redis");
  return isNeeded && redisVersion() !== null ? await startRedis({ appendOnly: true }) : null;
}
