/**
 * The crash run: two services of several processes each, over a real Postgres, under the faults of a plan. When
 * the faults are over, everything must settle within a bounded time, and the database is reconciled.
 *
 * @module
 */
import process from "node:process";
import type { Backend } from "./backends/backend.ts";
import { pgliteBackend } from "./backends/pglite.ts";
import { postgresBackend } from "./backends/postgres.ts";
import { redisBackend } from "./backends/redis.ts";
import type { Carrier } from "./carriers/carrier.ts";
import { HTTP } from "./carriers/http.ts";
import { qstashCarrier } from "./carriers/qstash.ts";
import { streamCarrier } from "./carriers/stream.ts";
import { Faults } from "./faults.ts";
import { Fleet } from "./fleet.ts";
import { judge } from "./judge.ts";
import type { CrashOptions } from "./options.ts";
import { moreFaults, type PlannedFault, planOf } from "./plan.ts";
import { SERVICES, type Standing } from "./protocol.ts";
import { randomFrom } from "../../tests/support/random.ts";
import { rest } from "./rest.ts";
import { type RestRedis, startRestRedis } from "./rest_redis.ts";
import { makeRunFolder, removeDeadRuns, removeRunFolder } from "./run_folder.ts";
import { SmallDisk } from "./small_disk.ts";
import { sumOfStandings } from "./standing.ts";
import { mountTmpfs } from "./tmpfs.ts";
import { InFlight } from "./watch.ts";

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

/** How large the tmpfs with the data of all servers may become where standbys take over, in bytes. */
const SERVERS_BYTES = 8 * 2 ** 30;

/** All running parts. */
interface Running {
  readonly backend: Backend;
  readonly carrier: Carrier;
  readonly disk: SmallDisk | null;
  readonly fleet: Fleet;
  readonly inFlight: InFlight;
}

/** Runs it; returns whether nothing was violated. */
export async function crashRun(options: CrashOptions): Promise<boolean> {
  const { store, transport, mode, seed, kills, restarts, failovers, messages } = options;
  const planned = `${kills} kills, ${restarts} restarts, ${failovers} failovers`;
  console.log(
    `crash: ${store} ${mode}, ${transport}, seed ${seed}, ${planned}, ${messages} messages`,
  );
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
  const { fleet, backend, carrier, disk, inFlight } = running;
  const faults = new Faults({
    fleet,
    backend,
    carrier,
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
  await settle(running);
  await fleet.stop();
  const named = await backend.verify();
  return await judge({ options, fleet, faults, backend, named, client: await backend.tables() });
}

async function start(
  options: CrashOptions,
  { closing, onBroken }: RunEnd,
): Promise<Running> {
  const { processes, seed, inFlight: least } = options;
  const folder = makeRunFolder();
  closing.push(() => removeRunFolder(folder));
  const { store, transport } = options;
  const redis = store === "redis" || transport === "stream" ? await startRestRedis(folder) : null;
  if (redis !== null) closing.push(() => redis.stop());
  const { backend, disk } = await startBackend(options, { folder, redis, onBroken });
  closing.push(() => backend.stop());
  const carrier = await startCarrier(options, redis);
  closing.push(() => carrier.stop());
  const fleet = await Fleet.start({ processes, backend, carrier, random: randomFrom(seed) });
  closing.push(() => fleet.close());
  const look = () => standingOfAll({ backend, carrier, fleet });
  const inFlight = InFlight.start(async () => (await look()).unsettled, (count) => {
    if (count > MAX_BACKLOG * least) fleet.publish(false);
    else if (count < MIN_BACKLOG * least) fleet.publish(true);
  });
  closing.push(() => inFlight.stop());
  return { backend, carrier, disk, fleet, inFlight };
}

async function startBackend(
  { store, mode, failovers, messages }: CrashOptions,
  { folder, redis, onBroken }: {
    readonly folder: string;
    readonly redis: RestRedis | null;
    readonly onBroken: (error: unknown) => void;
  },
): Promise<Pick<Running, "backend" | "disk">> {
  if (store === "pglite") return { backend: await pgliteBackend(folder), disk: null };
  if (store === "redis" && redis !== null) return { backend: redisBackend(redis), disk: null };
  const isApart = failovers > 0;
  const disk = isApart ? null : smallDisk(folder, messages);
  const backend = await postgresBackend({
    isApart,
    parent: isApart ? inMemory(folder) : folder,
    tablespace: disk?.folder ?? null,
    isPooled: mode !== "direct",
    prepare: mode !== "pgbouncer",
    onBroken,
  });
  return { backend, disk };
}

async function startCarrier(
  { store, transport }: CrashOptions,
  redis: RestRedis | null,
): Promise<Carrier> {
  if (transport === "qstash") return await qstashCarrier();
  // The store lets the server crash if it is its own.
  return redis !== null && transport === "stream" ? streamCarrier(redis, store !== "redis") : HTTP;
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

/** Waits until everything is settled, and retries what has failed. */
async function settle(running: Running): Promise<void> {
  const { fleet } = running;
  await running.inFlight.stop();
  const startedAt = performance.now();
  let quietRounds = 0;
  while (performance.now() - startedAt < SETTLE_MS && quietRounds < QUIET_ROUNDS) {
    await rest(SETTLE_ROUND_MS);
    fleet.publish(false);
    const { unsettled, failed } = await standingOfAll(running);
    if (unsettled > 0) quietRounds = 0;
    else if (failed > 0) {
      quietRounds = 0;
      for (const service of SERVICES) fleet.send(service, { kind: "retry" });
    } else quietRounds += 1;
  }
}

/** How all messages stand, also those on their way. */
async function standingOfAll(
  { backend, carrier, fleet }: Pick<Running, "backend" | "carrier" | "fleet">,
): Promise<Standing> {
  const parts = [backend.standing(fleet.serving), carrier.standing()];
  return sumOfStandings(await Promise.all(parts));
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
