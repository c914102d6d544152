/**
 * Judges a crash run: prints what was violated, what was done to the services, and the last line.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus/ports";
import type { Backend } from "./backends/backend.ts";
import { failoverLines, judgeFailovers, type Named } from "./failover_judge.ts";
import type { Faults } from "./faults.ts";
import type { Fleet } from "./fleet.ts";
import type { CrashOptions } from "./options.ts";
import type { WorkerCounts } from "./protocol.ts";
import { historyOf, reconcile, type Reconciled, type Wrong } from "./reconcile.ts";
import type { Ending } from "./worker_process.ts";

/**
 * The time without an answer after which a pool counts as hung, in milliseconds. A crash of the server takes a
 * few seconds.
 */
const HUNG_MS = 45_000;
/** The least share of kills within 50 ms of a COMMIT, and from how many kills on it is required. */
const CLOSE_SHARE = 0.3;
const ENOUGH_KILLS = 100;

/** A run that is over. */
export interface FinishedRun {
  readonly options: CrashOptions;
  readonly fleet: Fleet;
  readonly faults: Faults;
  /** A connection to the tables of both services. */
  readonly client: SqlClient;
  readonly backend: Backend;
  /** What `verify` says; empty without failovers. */
  readonly named: Named;
}

/** Prints the result; returns whether nothing was violated. */
export async function judge(run: FinishedRun): Promise<boolean> {
  const { options, fleet, faults, client, backend: { failovers, portsOf }, named } = run;
  const found = await reconcile(client, failovers.flatMap(({ lost }) => lost));
  const violations = [
    ...processViolations(fleet),
    ...await recordViolations(found, client),
    ...(failovers.length === 0 ? [] : await judgeFailovers(client, named)),
  ];
  const isAll = faults.kills >= options.kills && faults.restarts >= options.restarts &&
    failovers.length >= options.failovers;
  if (!isAll) violations.push("not every planned kill, restart and failover has happened");
  const inFlight = faults.inFlightAtKills.toSorted((a, b) => a - b);
  if (inFlight.length > 0 && inFlight[0]! < options.inFlight) {
    violations.push(`a kill with ${inFlight[0]} messages in flight`);
  }
  const { kills, restarts, closeKills, stops, fullDisks } = faults;
  if (portsOf !== null && kills >= ENOUGH_KILLS && closeKills < kills * CLOSE_SHARE) {
    violations.push(`only ${closeKills} of ${kills} kills within 50 ms of a COMMIT`);
  }
  const counts = sumOf(fleet.all.map((process) => process.counts));
  const median = inFlight[Math.floor(inFlight.length / 2)] ?? 0;
  console.log(
    `crash: in flight at kills: ${inFlight[0] ?? 0} least, ${median} median; ` +
      `${closeKills} of ${kills} kills within 50 ms of a COMMIT\n` +
      `crash: ${fleet.cuts} cuts, ${stops} stops past the lease, ${fullDisks} full disks, ` +
      `${counts.deadlocks} deadlocks, ${counts.unserializable} not serializable, ` +
      `${counts.diskFull} failed on the full disk, ${counts.retried} failed visibly and were retried`,
  );
  if (failovers.length > 0) console.log(failoverLines(failovers, named).join("\n"));
  for (const violation of violations) console.log(`crash: violated: ${violation}`);
  const took = failovers.length === 0 ? "" : `${failovers.length} failovers, `;
  console.log(
    `crash: ${found.messages} messages, ${kills} kills, ${restarts} restarts, ${took}` +
      `${countOf(found, "lost")} lost, ${countOf(found, "doubled")} doubled`,
  );
  return violations.length === 0;
}

function processViolations(fleet: Fleet): string[] {
  const endings = (ending: Ending) => fleet.all.filter((each) => each.ending === ending);
  const hung = fleet.all.filter(({ longestSilenceMs }) => longestSilenceMs > HUNG_MS);
  return [
    ...endings("uncaught error").map(({ config, text }) =>
      `a process of ${config?.service ?? "no service"} ended by itself:\n${text}`
    ),
    ...endings("did not stop").map(({ config, text }) =>
      `a process of ${config?.service} did not stop:\n${text}`
    ),
    ...hung.map(({ config, longestSilenceMs, waitedFor }) =>
      `a pool or a call of ${config?.service} hung: no answer for ${
        Math.round(longestSilenceMs)
      } ms; ${waitedFor}`
    ),
  ];
}

async function recordViolations(found: Reconciled, client: SqlClient): Promise<string[]> {
  const violations: string[] = [];
  for (const { wrong, what, count, samples } of found.findings) {
    const histories = await Promise.all(samples.map((id) => historyOf(client, id)));
    violations.push(`${wrong}: ${count} ${what}, such as\n${histories.flat().join("\n")}`);
  }
  return violations;
}

function countOf({ findings }: Reconciled, wrong: Wrong): number {
  return findings.filter((each) => each.wrong === wrong)
    .reduce((sum, { count }) => sum + count, 0);
}

function sumOf(all: readonly WorkerCounts[]): WorkerCounts {
  const sum = { published: 0, retried: 0, deadlocks: 0, unserializable: 0, diskFull: 0 };
  for (const counts of all) {
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += counts[name];
  }
  return sum;
}
