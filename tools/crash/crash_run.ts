/**
 * The crash run: two services of several processes each, over a real Postgres, under the faults of a plan. When
 * the faults are over, everything must settle within a bounded time, and the database is reconciled.
 *
 * @module
 */
import process from "node:process";
import { fromPostgresJs } from "@atlast/bus/postgres";
import { copyStock } from "./copy_tables.ts";
import { Databases } from "./databases.ts";
import { type Named, namedByVerify } from "./failover_judge.ts";
import { Faults } from "./faults.ts";
import { Fleet } from "./fleet.ts";
import { judge } from "./judge.ts";
import type { CrashOptions } from "./options.ts";
import { moreFaults, type PlannedFault, planOf } from "./plan.ts";
import { SERVICES } from "./protocol.ts";
import { randomFrom } from "../../tests/support/random.ts";
import { rest } from "./rest.ts";
import { makeRunFolder, removeDeadRuns, removeRunFolder } from "./run_folder.ts";
import { SmallDisk } from "./small_disk.ts";
import { mountTmpfs } from "./tmpfs.ts";
import { closeConnections, type Connections, connections, InFlight, unsettled } from "./watch.ts";

/** Publishers pause above, and run again below, so many times what must be in flight at a kill. */
const MAX_BACKLOG = 4;
const MIN_BACKLOG = 2;
/** How long everything may take to settle after the last fault, in milliseconds. */
const SETTLE_MS = 180_000;
/** How often it is looked whether everything is settled, and how often in a row it must be. */
const SETTLE_ROUND_MS = 500;
const QUIET_ROUNDS = 3;
/** How often progress is printed, in milliseconds. */
const PROGRESS_MS = 10_000;
/** How many failed messages are retried at once. */
const MAX_RETRIED = 1_000;

/** How large the tmpfs with the data of all servers may become where standbys take over, in bytes. */
const SERVERS_BYTES = 8 * 2 ** 30;

/** All running parts. */
interface Running {
  readonly databases: Databases;
  readonly disk: SmallDisk | null;
  readonly fleet: Fleet;
  readonly inFlight: InFlight;
  /** Connections of this process, past all faults but the servers'. */
  readonly connections: Connections;
}

/** Runs it; returns whether nothing was violated. */
export async function crashRun(options: CrashOptions): Promise<boolean> {
  const { mode, seed, kills, restarts, failovers, messages } = options;
  const planned = `${kills} kills, ${restarts} restarts, ${failovers} failovers`;
  console.log(`crash: mode ${mode}, seed ${seed}, ${planned}, ${messages} messages`);
  for (const folder of await removeDeadRuns()) {
    console.log(`crash: removed what a run that was killed had left in ${folder}`);
  }
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
  const { fleet, databases, disk, inFlight } = running;
  const faults = new Faults({
    fleet,
    databases,
    disk,
    inFlight: () => inFlight.count,
    minInFlight: options.inFlight,
  });
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
  const { failovers } = databases;
  const named: Named = failovers.length === 0
    ? new Map()
    : await namedByVerify(running.connections);
  const client = fromPostgresJs(running.connections.orders);
  if (options.failovers > 0) await copyStock(fromPostgresJs(running.connections.stock), client);
  return await judge({ options, fleet, faults, client, failovers, named, retried });
}

async function start(
  options: CrashOptions,
  { closing, onBroken }: RunEnd,
): Promise<Running> {
  const { mode, failovers, seed, processes } = options;
  const folder = makeRunFolder();
  closing.push(() => removeRunFolder(folder));
  const isApart = failovers > 0;
  const disk = isApart ? null : smallDisk(folder, options.messages);
  const databases = await Databases.start({
    isApart,
    parent: isApart ? inMemory(folder) : folder,
    tablespace: disk?.folder ?? null,
    isPooled: mode !== "direct",
    onBroken,
  });
  closing.push(() => databases.stop());
  const fleet = await Fleet.start({
    processes,
    databasePortsOf: (service) => databases.portsOf(service),
    random: randomFrom(seed),
    prepare: mode !== "pgbouncer",
    chooseIsolation: mode === "direct",
  });
  closing.push(() => fleet.close());
  const own = connections((service) => databases.addressOf(service));
  closing.push(() => closeConnections(own));
  const inFlight = InFlight.start(own, (count) => {
    if (count > MAX_BACKLOG * options.inFlight) fleet.publish(false);
    else if (count < MIN_BACKLOG * options.inFlight) fleet.publish(true);
  });
  closing.push(() => inFlight.stop());
  return { databases, disk, fleet, inFlight, connections: own };
}

function smallDisk(folder: string, messages: number): SmallDisk | null {
  const disk = SmallDisk.mount(folder, messages);
  if (typeof disk !== "string") return disk;
  console.log(`crash: the full disk is left out: ${disk}`);
  return null;
}

/** A folder in memory for the servers, where there can be one: a standby is a copy of everything. */
function inMemory(folder: string): string {
  console.log("crash: the full disk is left out: all data of the servers is in one place");
  const mounted = mountTmpfs(folder, SERVERS_BYTES);
  return "folder" in mounted ? mounted.folder : folder;
}

async function injectOne(faults: Faults, { afterMs, fault }: PlannedFault): Promise<void> {
  await rest(afterMs);
  await faults.inject(fault);
}

/** Waits until everything is settled, and retries what has failed; returns the number of retries. */
async function settle({ fleet, connections, inFlight }: Running): Promise<number> {
  await inFlight.stop();
  const startedAt = performance.now();
  let retried = 0;
  let quietRounds = 0;
  while (performance.now() - startedAt < SETTLE_MS && quietRounds < QUIET_ROUNDS) {
    await rest(SETTLE_ROUND_MS);
    fleet.publish(false);
    if (await unsettled(connections) > 0) {
      quietRounds = 0;
      continue;
    }
    quietRounds += 1;
    for (const service of SERVICES) {
      for (const box of ["outbox", "inbox"] as const) {
        const rows = await connections[service].unsafe(
          `select id, subscriber_group from ${service}.${box}
          where state = 'failed' limit ${MAX_RETRIED}`,
        );
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
