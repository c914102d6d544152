/**
 * `deno task bench`: Atlast beside its peers and beside what can be done by hand, on one machine, in
 * one run.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { chartOf } from "./results/chart.ts";
import { Databases } from "./fixtures/databases.ts";
import { machine, versions } from "./results/machine.ts";
import { measure } from "./scenarios/measure_scenario.ts";
import { Unmeasurable } from "./measurements/measurement.ts";
import { type Options, readOptions } from "./options.ts";
import { installPeers } from "./peers/packages.ts";
import { type Scenario, SCENARIOS } from "./plan.ts";
import { startPostgres } from "../tools/postgres_server.ts";
import { startRedis } from "./redis_server.ts";
import { number, tableOf } from "./results/report.ts";
import { type Outcome, type ResultsFile, resultsOf, type Run } from "./results/results.ts";
import type { Place } from "./fixtures/fixture.ts";
import { loadSubject, ON_REDIS, PEERS, type SubjectName } from "./subjects/registry.ts";

const MINUTE_MS = 60_000;
const HOME = fileURLToPath(new URL("./", import.meta.url));

process.exitCode = await main(readOptions(process.argv.slice(2), HOME));

async function main(options: Options): Promise<number> {
  const startMs = performance.now();
  const stops: (() => unknown)[] = [];
  // Whoever breaks the bench off leaves no server behind.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      for (const stop of stops.toReversed()) stop();
      process.exit(1);
    });
  }
  try {
    const peers = options.subjects.some((name) => PEERS.includes(name)) ? installPeers() : null;
    const server = options.databaseUrl === null
      ? await startPostgres()
      : { url: options.databaseUrl, pid: null, stop: () => {} };
    stops.push(() => server.stop());
    const needsRedis = options.subjects.some((name) => ON_REDIS.includes(name)) ||
      options.scenarios.some(({ load }) => load.kind === "upstash-redis");
    const redis = needsRedis ? await startRedis() : null;
    stops.push(() => redis?.stop());
    const databases = new Databases(server.url, server.pid);
    stops.push(() => databases.end());
    await databases.prepare();
    const about = {
      machine: machine(),
      versions: versions(
        await databases.version(),
        redis?.version ?? null,
        peers,
        options.subjects,
      ),
    };
    console.log(`${about.machine}\n\n${about.versions}`);
    const place: Place = { databases, redis, peers, amounts: options.amounts };
    const outcomes = await measureAll(place, options, redis !== null);
    if (options.out !== null) save(options.out, about, outcomes);
    console.log(`Took ${((performance.now() - startMs) / MINUTE_MS).toFixed(1)} minutes`);
    return 0;
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}

async function measureAll(
  place: Place,
  options: Options,
  hasRedis: boolean,
): Promise<readonly Outcome[]> {
  const subjects = options.subjects.filter((name) => !ON_REDIS.includes(name) || hasRedis);
  const outcomes: Outcome[] = [];
  for (const scenario of options.scenarios) {
    const names = scenario.subjects.filter((name) => subjects.includes(name));
    const runs = new Map<SubjectName, Run[]>(names.map((name) => [name, []]));
    // Subjects take turns, so that what else the machine does falls on all of them.
    for (let round = 1; round <= options.amounts.runs; round++) {
      const turn = async (name: SubjectName) => {
        const run = await measureOnce(place, scenario, name, round);
        if (run !== null) runs.get(name)?.push(run);
      };
      // Those that rest do not disturb each other.
      if (scenario.load.kind === "idle") await Promise.all(names.map(turn));
      else for (const name of names) await turn(name);
    }
    const outcome = { scenario, runs };
    outcomes.push(outcome);
    console.log(`\n${tableOf(outcome, place.amounts)}`);
  }
  return outcomes;
}

/** Measures once; null when it failed, which is said and does not end the bench for the others. */
async function measureOnce(
  place: Place,
  scenario: Scenario,
  name: SubjectName,
  round: number,
): Promise<Run | null> {
  const subject = await loadSubject(name);
  const control = SCENARIOS.find((other) => other.name === scenario.control);
  try {
    const before = control === undefined ? null : await measure(place, control, name, subject);
    const measurement = await measure(place, scenario, name, subject);
    const { value, second } = measurement;
    const shown = [value, ...(second === null ? [] : [second])].map(number).join(" / ");
    console.log(`${scenario.name}  round ${round}  ${name}: ${shown} ${scenario.unit}`);
    return { round, measurement, control: before };
  } catch (error) {
    // A subject that fails here is a defect of ours; one of a peer is said and left out.
    if (!PEERS.includes(name) && !(error instanceof Unmeasurable)) throw error;
    console.error(`${scenario.name}  round ${round}  ${name}: ${error}`);
    return null;
  }
}

function save(
  folder: string,
  { machine, versions }: Omit<ResultsFile, "results">,
  outcomes: readonly Outcome[],
): void {
  mkdirSync(folder, { recursive: true });
  const results = outcomes.flatMap(resultsOf);
  // A line for each result, so that a diff shows what changed.
  const lines = results.map((result) => `    ${JSON.stringify(result)}`).join(",\n");
  const about = [
    `"machine": ${JSON.stringify(machine)}`,
    `"versions": ${JSON.stringify(versions)}`,
  ];
  writeFileSync(
    join(folder, "results.json"),
    `{\n  ${about.join(",\n  ")},\n  "results": [\n${lines}\n  ]\n}\n`,
  );
  writeFileSync(join(folder, "chart.svg"), chartOf(results));
  console.log(`Wrote ${join(folder, "results.json")} and chart.svg`);
}
