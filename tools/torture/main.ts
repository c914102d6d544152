/**
 * `deno task torture`: two services of several processes each, over a real Postgres, while processes are
 * killed, the server crashes and connections are cut at random bytes. At the end both databases are
 * reconciled. Exit code 0 means: no message lost, no effect duplicated, no process ended by an uncaught
 * error, and no pool hung.
 *
 * @module
 */
import process from "node:process";
import postgres from "postgres";
import { randomFrom } from "../../tests/support/random.ts";
import { startPgBouncer } from "../pgbouncer_server.ts";
import { startPostgres } from "../postgres_server.ts";
import { TABLES } from "./business.ts";
import { CuttingProxy } from "./cutting_proxy.ts";
import { readOptions, type TortureOptions } from "./options.ts";
import { type Findings, reconcile, waiting } from "./reconcile.ts";
import { databaseOf, type ServiceName, type WorkerConfig } from "./worker_config.ts";
import { type Ending, WorkerProcess } from "./worker_process.ts";

const SERVICES: readonly ServiceName[] = ["orders", "stock"];
/**
 * The time without an answer after which a pool counts as hung, in milliseconds. A crash of the server takes a
 * few seconds.
 */
const HUNG_MS = 45_000;
/** How long everything may take to settle after the last fault, in milliseconds. */
const SETTLE_MS = 240_000;

/** All running parts. */
class Torture {
  readonly #options: TortureOptions;
  readonly #random: () => number;
  readonly #workers: WorkerProcess[] = [];
  readonly #finished: WorkerProcess[] = [];
  #isOver = false;
  kills = 0;
  crashes = 0;

  constructor(options: TortureOptions) {
    this.#options = options;
    this.#random = randomFrom(options.seed);
  }

  async run(): Promise<boolean> {
    const { mode, minutes, seed } = this.#options;
    console.log(`torture: mode ${mode}, ${minutes} minutes, seed ${seed}`);
    const server = await startPostgres({ settings: ["max_connections=200"] });
    const pooler = mode === "direct" ? null : await startPgBouncer(server.port);
    const database = await CuttingProxy.start(() => [pooler?.port ?? server.port], this.#random);
    const urls = await this.#frontDoors();
    const sqls = SERVICES.map((service) => direct(server.port, service));
    try {
      await createDatabases(server.port);
      for (const service of SERVICES) {
        for (let i = 0; i < this.#options.processes; i++) {
          this.#start(this.#configOf(service, database.port, urls));
        }
      }
      const refusal = await this.#allReady();
      if (refusal !== null) {
        console.log(`torture: every process refused to start: ${refusal}`);
        return true;
      }
      await Promise.all([
        this.#every(this.#options.cutEveryMs, () => database.cut()),
        this.#every(this.#options.killEveryMs, () => this.#kill()),
        this.#every(this.#options.crashEveryMs, async () => {
          await server.crash();
          this.crashes += 1;
        }),
        this.#every(10_000, () => this.#report(database.cuts)),
        rest(minutes * 60_000).then(() => this.#isOver = true),
      ]);
      const published = this.#published();
      const hung = await this.#settle(sqls);
      const findings = await reconcile(sqls[0]!, sqls[1]!);
      await Promise.all(this.#workers.map((worker) => worker.stop()));
      this.#finished.push(...this.#workers);
      return this.#judge(findings, hung, published, database.cuts);
    } finally {
      await Promise.all(this.#workers.map((worker) => worker.ending ?? worker.kill()));
      await Promise.all(sqls.map((sql) => sql.end({ timeout: 1 }).catch(() => {})));
      await database.stop();
      for (const { proxy } of this.#doors) await proxy.stop();
      await pooler?.stop();
      server.stop();
    }
  }

  #doors: { readonly service: ServiceName; readonly proxy: CuttingProxy }[] = [];

  /** One address for each service, in front of its current processes. */
  async #frontDoors(): Promise<Record<ServiceName, string>> {
    for (const service of SERVICES) {
      const ports = () =>
        this.#workers.filter(({ config, port }) => config.service === service && port !== null)
          .map(({ port }) => port as number);
      this.#doors.push({ service, proxy: await CuttingProxy.start(ports, this.#random) });
    }
    const urlOf = (wanted: ServiceName) => {
      const { proxy } = this.#doors.find(({ service }) => service === wanted)!;
      return `http://127.0.0.1:${proxy.port}/deliver`;
    };
    return { orders: urlOf("orders"), stock: urlOf("stock") };
  }

  #configOf(
    service: ServiceName,
    databasePort: number,
    urls: Readonly<Record<ServiceName, string>>,
  ): WorkerConfig {
    return {
      service,
      databasePort,
      peerUrl: urls[service === "orders" ? "stock" : "orders"],
      signingKey: btoa("a key of 24 bytes at least"),
      seed: Math.floor(this.#random() * 2 ** 31),
      prepare: this.#options.mode !== "pgbouncer",
    };
  }

  #start(config: WorkerConfig): void {
    this.#workers.push(new WorkerProcess(config));
  }

  /** Waits until every process serves; returns the reason if all refused. */
  async #allReady(): Promise<string | null> {
    for (;;) {
      const refused = this.#workers.filter(({ ending }) => ending === "refused");
      if (refused.length === this.#workers.length) return refused[0]!.refusal;
      const broken = this.#workers.find(({ ending }) => ending === "uncaught error");
      if (broken !== undefined) throw new Error(`A process did not start:\n${broken.text}`);
      if (this.#workers.every(({ port }) => port !== null)) return null;
      await rest(100);
    }
  }

  async #kill(): Promise<void> {
    this.#revive();
    const victims = this.#workers.filter(({ port }) => port !== null);
    const victim = victims[Math.floor(this.#random() * victims.length)];
    if (victim === undefined) return;
    await victim.kill();
    this.kills += 1;
    this.#revive();
  }

  /** Replaces each process that ended. */
  #revive(): void {
    for (const worker of this.#workers.filter(({ ending }) => ending !== null)) {
      this.#workers.splice(this.#workers.indexOf(worker), 1);
      this.#finished.push(worker);
      this.#start({ ...worker.config, seed: Math.floor(this.#random() * 2 ** 31) });
    }
  }

  async #every(everyMs: number, fault: () => unknown): Promise<void> {
    while (!this.#isOver) {
      await rest(everyMs * (0.5 + this.#random()));
      if (!this.#isOver) await fault();
    }
  }

  /** Waits until all records are settled; returns the number of hung pools. */
  async #settle(sqls: readonly postgres.Sql[]): Promise<number> {
    console.log("torture: the faults have ended");
    this.#revive();
    const startedAt = performance.now();
    let quietRounds = 0;
    while (performance.now() - startedAt < SETTLE_MS && quietRounds < 3) {
      this.#revive();
      await rest(2_000);
      for (const worker of this.#workers) {
        if (worker.config.service === "orders") worker.pausePublishing();
      }
      // A connection that a server crash ended fails once.
      const counts = await Promise.all(sqls.map((sql) => waiting(sql).catch(() => NaN)));
      const left = counts.reduce((a, b) => a + b);
      quietRounds = left === 0 ? quietRounds + 1 : 0;
    }
    const all = [...this.#finished, ...this.#workers];
    return all.filter(({ longestSilenceMs }) => longestSilenceMs > HUNG_MS).length;
  }

  #published(): number {
    return [...this.#finished, ...this.#workers].reduce((sum, { published }) => sum + published, 0);
  }

  #report(cuts: number): void {
    const { kills, crashes } = this;
    console.log(
      `torture: ${this.#published()} published, ${kills} kills, ${crashes} crashes, ${cuts} cuts`,
    );
  }

  #judge(found: Findings, hung: number, published: number, cuts: number): boolean {
    const endings = (ending: Ending) => this.#finished.filter((each) => each.ending === ending);
    const uncaught = endings("uncaught error");
    for (const { config, text } of uncaught) {
      console.log(`torture: a process of ${config.service} ended by itself:\n${text}`);
    }
    const stuck = endings("did not stop").length;
    const { kills, crashes } = this;
    console.log(
      JSON.stringify({ kills, crashes, cuts, published, ...found, hung, stuck }, null, 2),
    );
    const isGood = found.lost === 0 && found.doubled === 0 && found.ghosts === 0 &&
      found.waiting === 0 && uncaught.length === 0 && hung === 0 && stuck === 0;
    console.log(
      `torture: ${found.lost} lost, ${found.doubled} doubled, ${found.ghosts} of no order, ` +
        `${uncaught.length} ended by an uncaught error, ${hung + stuck} hung: ` +
        `${isGood ? "passed" : "FAILED"}`,
    );
    return isGood;
  }
}

async function createDatabases(port: number): Promise<void> {
  const admin = postgres(`postgres://postgres@127.0.0.1:${port}/postgres`, {
    max: 1,
    fetch_types: false,
  });
  for (const service of SERVICES) {
    await admin.unsafe(`create database ${databaseOf(service)}`);
    const sql = direct(port, service);
    for (const statement of TABLES[service]) await sql.unsafe(statement);
    await sql.end();
  }
  await admin.end();
}

function direct(port: number, service: ServiceName): postgres.Sql {
  return postgres(`postgres://postgres@127.0.0.1:${port}/${databaseOf(service)}`, {
    max: 1,
    fetch_types: false,
    onnotice: () => {},
  });
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

process.exit(await new Torture(readOptions(process.argv.slice(2))).run() ? 0 : 1);
