/**
 * The crash run: two services of several processes each, over a real Postgres, under the faults of a plan. When
 * the faults are over, everything must settle within a bounded time, and the database is reconciled.
 *
 * @module
 */
import process from "node:process";
import type postgres from "postgres";
import { startPgBouncer } from "../pgbouncer_server.ts";
import { type PrivateServer, startPostgres } from "../postgres_server.ts";
import { TABLES } from "./business.ts";
import { Faults, MIN_IN_FLIGHT } from "./faults.ts";
import { Fleet } from "./fleet.ts";
import { judge } from "./judge.ts";
import type { CrashOptions } from "./options.ts";
import { moreFaults, type PlannedFault, planOf } from "./plan.ts";
import { DATABASE, SERVICES } from "./protocol.ts";
import { randomFrom } from "../../tests/support/random.ts";
import { rest } from "./rest.ts";
import { SmallDisk } from "./small_disk.ts";
import { directly, InFlight, unsettled } from "./watch.ts";

/** Publishers pause above, and run again below, so many messages in flight. */
const MAX_BACKLOG = 4 * MIN_IN_FLIGHT;
const MIN_BACKLOG = 2 * MIN_IN_FLIGHT;
/** How long everything may take to settle after the last fault, in milliseconds. */
const SETTLE_MS = 180_000;
/** How often it is looked whether everything is settled, and how often in a row it must be. */
const SETTLE_ROUND_MS = 500;
const QUIET_ROUNDS = 3;
/** How often progress is printed, in milliseconds. */
const PROGRESS_MS = 10_000;
/** How many failed messages are retried at once. */
const MAX_RETRIED = 1_000;

/** Settings of the server: deadlocks are found soon, because they are wanted, and a crash has little to redo. */
const SETTINGS = ["max_connections=300", "deadlock_timeout=100ms", "checkpoint_timeout=30s"];

/** All running parts. */
interface Running {
  readonly server: PrivateServer;
  readonly disk: SmallDisk | null;
  readonly fleet: Fleet;
  readonly inFlight: InFlight;
  readonly sql: postgres.Sql;
}

/** Runs it; returns whether nothing was violated. */
export async function crashRun(options: CrashOptions): Promise<boolean> {
  const { mode, seed, kills, restarts, messages } = options;
  console.log(
    `crash: mode ${mode}, seed ${seed}, ${kills} kills, ${restarts} restarts, ${messages} messages`,
  );
  const closing: (() => unknown)[] = [];
  const broken = Promise.withResolvers<never>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => broken.reject(new Error(`Interrupted by ${signal}`)));
  }
  try {
    return await Promise.race([run(options, { closing, onBroken: broken.reject }), broken.promise]);
  } finally {
    for (const close of closing.reverse()) {
      await Promise.resolve().then(close).catch((error) => console.error(error));
    }
  }
}

/** The end of a run. */
interface RunEnd {
  /** What ends each part, in the order of their starts. */
  readonly closing: (() => unknown)[];
  /** Called when the run cannot go on. */
  readonly onBroken: (error: unknown) => void;
}

async function run(options: CrashOptions, end: RunEnd): Promise<boolean> {
  const { kills, messages, seed } = options;
  const running = await start(options, end);
  await running.fleet.ready();
  const { fleet, server, disk, inFlight } = running;
  const faults = new Faults({ fleet, server, disk, inFlight: () => inFlight.count });
  const progress = setInterval(() => report(running, faults), PROGRESS_MS);
  end.closing.push(() => clearInterval(progress));
  const more = moreFaults(seed);
  /** Goes on with other faults until a share of the messages is published. */
  const untilPublished = async (share: number) => {
    while (published(fleet) < messages * share) await injectOne(faults, more.next().value);
  };
  for (const planned of planOf(seed, options)) {
    if (planned.fault.kind === "kill") await untilPublished(faults.kills / kills);
    await injectOne(faults, planned);
  }
  await untilPublished(1);
  await faults.settled();
  console.log("crash: the faults have ended");
  fleet.publish(false);
  const retried = await settle(running);
  await fleet.stop();
  return await judge({ options, fleet, faults, sql: running.sql, retried });
}

async function start(
  options: CrashOptions,
  { closing, onBroken }: RunEnd,
): Promise<Running> {
  const { mode, messages, seed, processes } = options;
  const mounted = SmallDisk.mount(messages);
  const disk = typeof mounted === "string" ? null : mounted;
  if (disk !== null) closing.push(() => disk.unmount());
  else console.log(`crash: the full disk is left out: ${mounted}`);
  const server = await startPostgres({ settings: SETTINGS });
  closing.push(() => server.stop());
  const pooler = mode === "direct" ? null : await startPgBouncer(server.port);
  if (pooler !== null) {
    closing.push(() => pooler.stop());
    pooler.ended.catch(onBroken);
  }
  await createTables(server.port, disk);
  const fleet = await Fleet.start({
    processes,
    databasePort: pooler?.port ?? server.port,
    random: randomFrom(seed),
    prepare: mode !== "pgbouncer",
    chooseIsolation: mode === "direct",
  });
  closing.push(() => fleet.close());
  const inFlight = InFlight.start(server.port, (count) => {
    if (count > MAX_BACKLOG) fleet.publish(false);
    else if (count < MIN_BACKLOG) fleet.publish(true);
  });
  closing.push(() => inFlight.stop());
  const sql = directly(server.port);
  closing.push(() => sql.end({ timeout: 1 }).catch(() => {}));
  return { server, disk, fleet, inFlight, sql };
}

async function createTables(port: number, disk: SmallDisk | null): Promise<void> {
  const admin = directly(port, "postgres");
  if (disk !== null) await admin.unsafe(`create tablespace small_disk location '${disk.folder}'`);
  await admin.unsafe(`create database ${DATABASE} ${disk === null ? "" : "tablespace small_disk"}`);
  await admin.end();
  const sql = directly(port);
  for (const statement of TABLES) await sql.unsafe(statement);
  await sql.end();
}

async function injectOne(faults: Faults, { afterMs, fault }: PlannedFault): Promise<void> {
  await rest(afterMs);
  await faults.inject(fault);
}

/** Waits until everything is settled, and retries what has failed; returns the number of retries. */
async function settle({ fleet, sql, inFlight }: Running): Promise<number> {
  await inFlight.stop();
  const startedAt = performance.now();
  let retried = 0;
  let quietRounds = 0;
  while (performance.now() - startedAt < SETTLE_MS && quietRounds < QUIET_ROUNDS) {
    await rest(SETTLE_ROUND_MS);
    fleet.publish(false);
    if (await unsettled(sql) > 0) {
      quietRounds = 0;
      continue;
    }
    quietRounds += 1;
    for (const service of SERVICES) {
      for (const box of ["outbox", "inbox"] as const) {
        const rows = await sql.unsafe(`select id, subscriber_group from ${service}.${box}
          where state = 'failed' limit ${MAX_RETRIED}`);
        const messages = rows.map((row) => ({
          box,
          id: row["id"],
          group: row["subscriber_group"],
        }));
        if (messages.length === 0) continue;
        quietRounds = 0;
        retried += messages.length;
        fleet.send(service, { kind: "retry", messages });
      }
    }
  }
  return retried;
}

function published(fleet: Fleet): number {
  return fleet.all.reduce((sum, { counts }) => sum + counts.published, 0);
}

function report({ fleet, inFlight }: Running, faults: Faults): void {
  const { kills, restarts, stops, fullDisks } = faults;
  console.log(
    `crash: ${published(fleet)} published, ${inFlight.count} in flight, ${kills} kills, ` +
      `${restarts} restarts, ${fleet.cuts} cuts, ${stops} stops, ${fullDisks} full disks`,
  );
}
