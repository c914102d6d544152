/**
 * One measurement of one subject in one scenario, in fresh processes on a fresh database.
 *
 * @module
 */
import type postgres from "postgres";
import { setTimeout as sleep } from "node:timers/promises";
import { type Cost, cpuOfTree, type Databases } from "./database.ts";
import type { Order } from "./order.ts";
import type { Amounts, Load, Scenario } from "./plan.ts";
import { type ReportOf, runWorker, Worker } from "./processes.ts";
import {
  BUSINESS_TABLE,
  EFFECT_TABLE,
  HANDLED_TABLE,
  type OpenOptions,
  type Subject,
} from "./subject.ts";
import { PEERS, type SubjectName } from "./subjects/load.ts";

/** What a measurement gave. */
export interface Measurement {
  readonly value: number;
  /** The second value of scenarios that have one. */
  readonly second: number | null;
  /** For 1,000 messages, in milliseconds of processor time. */
  readonly cpuMs: number | null;
  readonly serverCpuMs: number | null;
  /** For one message. */
  readonly statements: number | null;
  readonly walBytes: number | null;
}

/** Where measurements take place. */
export interface Place {
  readonly databases: Databases;
  readonly redis: { readonly port: number; readonly pid: number | null } | null;
  readonly peers: string | null;
  readonly amounts: Amounts;
}

/** A backlog that is not worked off within this time is given up. */
const PATIENCE_MS = 180_000;
/** How often the database is asked whether all is settled, where the subject cannot say. */
const LOOK_EVERY_MS = 3;

/** Measures. */
export async function measure(
  place: Place,
  scenario: Scenario,
  name: SubjectName,
  subject: Subject,
): Promise<Measurement> {
  const { load } = scenario;
  const { publishMs } = place.amounts;
  if (load.kind === "core") return await rateOf({ role: "core", durationMs: publishMs });
  if (load.kind === "edge") {
    return await rateOf({ role: "edge", bare: name === "ref", durationMs: publishMs });
  }
  const session = new Session(place, scenario, name, subject);
  return await session.measure(load);
}

async function rateOf(order: Order): Promise<Measurement> {
  const worker = await runWorker(order);
  const { rate } = await worker.hears("rate");
  return {
    value: rate,
    second: null,
    cpuMs: null,
    serverCpuMs: null,
    statements: null,
    walBytes: null,
  };
}

type Done = ReportOf<"done">;

class Session {
  readonly #place: Place;
  readonly #scenario: Scenario;
  readonly #subject: Subject;
  readonly #database: string;
  readonly #of: { readonly subject: SubjectName; readonly open: OpenOptions };

  constructor(place: Place, scenario: Scenario, name: SubjectName, subject: Subject) {
    this.#place = place;
    this.#scenario = scenario;
    this.#subject = subject;
    // A grown database is kept for all runs: growing takes longer than measuring.
    const own = `bench_${name.replaceAll("-", "_")}`;
    this.#database = scenario.ground === "grown" ? `${own}_grown` : own;
    this.#of = {
      subject: name,
      open: {
        url: place.databases.urlOf(this.#database),
        redisPort: place.redis?.port ?? null,
        peers: PEERS.includes(name) ? place.peers : null,
        sparse: scenario.load.kind === "latency",
      },
    };
  }

  async measure(load: Exclude<Load, { kind: "core" | "edge" }>): Promise<Measurement> {
    const { databases } = this.#place;
    const isKept = await this.#lay();
    const snapshot = this.#scenario.ground === "snapshot" ? await this.#holdSnapshot() : null;
    try {
      if (snapshot !== null) await this.#pass();
      const measured = await this.#measured(load);
      return measured;
    } finally {
      await snapshot?.end();
      if (!isKept) await databases.drop(this.#database);
    }
  }

  /** Makes the database ready, and says whether it stays. */
  async #lay(): Promise<boolean> {
    const { databases, amounts } = this.#place;
    const isGrown = this.#scenario.ground === "grown";
    if (isGrown && grownDatabases.has(this.#database)) {
      const sql = databases.open(this.#database);
      if (this.#subject.clearSql !== null) await sql.unsafe(this.#subject.clearSql);
      await sql.end();
      return true;
    }
    await databases.create(this.#database);
    const sql = databases.open(this.#database);
    for (const table of [BUSINESS_TABLE, EFFECT_TABLE, HANDLED_TABLE]) await sql.unsafe(table);
    await runWorker({ role: "prepare", ...this.#of, create: true, side: "outbox", count: 0 });
    if (isGrown) {
      for (const text of this.#subject.growSql) await sql.unsafe(text, [amounts.grown]);
      grownDatabases.add(this.#database);
    }
    await sql.end();
    return isGrown;
  }

  /** A transaction that sees the database as it is now, as a report or a backup does. */
  async #holdSnapshot(): Promise<postgres.Sql> {
    const sql = this.#place.databases.open(this.#database);
    await sql.unsafe("begin isolation level repeatable read");
    await sql.unsafe("select 1 from pg_class limit 1");
    return sql;
  }

  /** Lets messages pass, a backlog at a time. */
  async #pass(): Promise<void> {
    const { passed, backlog } = this.#place.amounts;
    for (let done = 0; done < passed; done += backlog) {
      await this.#drain(Math.min(backlog, passed - done), 1, "outbox", false);
    }
  }

  async #measured(load: Exclude<Load, { kind: "core" | "edge" }>): Promise<Measurement> {
    const { amounts } = this.#place;
    switch (load.kind) {
      case "publish":
        return await this.#publish(load);
      case "drain": {
        const count = load.effect ? amounts.effects : amounts.backlog;
        return await this.#drain(count, load.workers, load.side, load.effect);
      }
      case "whole":
        return await this.#handled(amounts.backlog, [
          { role: "whole", ...this.#of, count: amounts.backlog },
        ]);
      case "latency":
        return await this.#latency();
    }
  }

  async #publish({ how, concurrency }: Extract<Load, { kind: "publish" }>): Promise<Measurement> {
    const { publishMs } = this.#place.amounts;
    const worker = new Worker({
      role: "publish",
      ...this.#of,
      how,
      concurrency,
      durationMs: publishMs,
    });
    await worker.hears("ready");
    const before = await this.#settle();
    worker.tell();
    const done = await worker.hears("done");
    const measurement = await this.#measurement(before, [done], done.count, done.elapsedMs);
    await worker.end();
    return measurement;
  }

  async #drain(
    count: number,
    workers: number,
    side: "outbox" | "inbox",
    effect: boolean,
  ): Promise<Measurement> {
    await runWorker({ role: "prepare", ...this.#of, create: false, side, count });
    const order: Order = { role: "handle", ...this.#of, side, effect, latency: false };
    return await this.#handled(count, Array.from({ length: workers }, () => order));
  }

  /** Has processes handle `count` messages, and takes the time until all are settled. */
  async #handled(count: number, orders: readonly Order[]): Promise<Measurement> {
    const progress = orders.map(() => ({ handled: 0, settled: 0 }));
    const workers = orders.map((order, i) =>
      new Worker(order, ({ handled, settled }) => {
        progress[i] = { handled, settled: settled ?? 0 };
      })
    );
    const sum = (field: "handled" | "settled") =>
      progress.reduce((total, own) => total + own[field], 0);
    try {
      await Promise.all(workers.map((worker) => worker.hears("ready")));
      const before = await this.#settle();
      const startMs = performance.now();
      for (const worker of workers) worker.tell();
      // None of them ever says a rate: this only hears of one that ends badly.
      const failed = Promise.race(workers.map((worker) => worker.hears("rate")));
      failed.catch(() => {});
      const { settledSql } = this.#subject;
      const sql = settledSql === null ? null : this.#place.databases.open(this.#database);
      const isSettled = async () =>
        sql === null || settledSql === null
          ? sum(this.#subject.store === "redis" ? "handled" : "settled") >= count
          : sum("handled") >= count && (await sql.unsafe(settledSql))[0]?.["settled"] === true;
      while (!await isSettled()) {
        if (performance.now() - startMs > PATIENCE_MS) {
          throw new Error("Cannot drain: it takes too long");
        }
        await Promise.race([sleep(LOOK_EVERY_MS), failed]);
      }
      const elapsedMs = performance.now() - startMs;
      await sql?.end();
      const cost = await this.#cost();
      for (const worker of workers) worker.tell();
      const done = await Promise.all(workers.map((worker) => worker.hears("done")));
      await Promise.all(workers.map((worker) => worker.end()));
      const total = done.reduce((all, own) => all + own.count, 0);
      if (total !== count) {
        console.error(`  ${this.#subject.name} handled ${total} times for ${count} messages`);
      }
      return measurementOf(before, cost, done, count, count / elapsedMs * 1000);
    } finally {
      for (const worker of workers) worker.kill();
    }
  }

  async #latency(): Promise<Measurement> {
    const { latencyMs } = this.#place.amounts;
    let handled = 0;
    const worker = new Worker(
      { role: "handle", ...this.#of, side: "both", effect: false, latency: true },
      (report) => handled = report.handled,
    );
    const publisher = new Worker({ role: "pace", ...this.#of, durationMs: latencyMs });
    try {
      await Promise.all([worker.hears("ready"), publisher.hears("ready")]);
      worker.tell();
      // Whoever polls or listens has begun by then.
      await sleep(1000);
      const before = await this.#settle();
      publisher.tell();
      const paced = await publisher.hears("done");
      for (let waitedMs = 0; handled < paced.count && waitedMs < 10_000; waitedMs += 10) {
        await sleep(10);
      }
      worker.tell();
      const done = await worker.hears("done");
      const cost = await this.#cost();
      const times = done.latenciesMs.toSorted((a, b) => a - b);
      const at = (share: number) => times[Math.floor(times.length * share)] ?? NaN;
      await Promise.all([worker.end(), publisher.end()]);
      return {
        ...measurementOf(before, cost, [done, paced], paced.count, at(0.5)),
        second: at(0.99),
      };
    } finally {
      worker.kill();
      publisher.kill();
    }
  }

  /** The same start for all: statistics are fresh, and no checkpoint is due. */
  async #settle(): Promise<Cost> {
    const sql = this.#place.databases.open(this.#database);
    await sql.unsafe("vacuum analyze");
    await sql.unsafe("checkpoint");
    await sql.end();
    // The server's process for that connection is to be gone before its time is counted.
    await sleep(50);
    return await this.#cost();
  }

  async #cost(): Promise<Cost> {
    const { databases, redis } = this.#place;
    if (this.#subject.store === "postgres") return await databases.cost(this.#database);
    const cpuMs = redis?.pid ? cpuOfTree(redis.pid) : null;
    return { cpuMs, statements: null, walBytes: null };
  }

  async #measurement(
    before: Cost,
    done: readonly Done[],
    count: number,
    elapsedMs: number,
  ): Promise<Measurement> {
    return measurementOf(before, await this.#cost(), done, count, count / elapsedMs * 1000);
  }
}

/** The grown databases there are. */
const grownDatabases = new Set<string>();

function measurementOf(
  before: Cost,
  after: Cost,
  done: readonly Done[],
  count: number,
  value: number,
): Measurement {
  const per = (field: keyof Cost, messages: number) => {
    const [from, to] = [before[field], after[field]];
    return from === null || to === null ? null : (to - from) / count * messages;
  };
  return {
    value,
    second: null,
    cpuMs: done.reduce((total, { cpuMs }) => total + cpuMs, 0) / count * 1000,
    serverCpuMs: per("cpuMs", 1000),
    statements: per("statements", 1),
    walBytes: per("walBytes", 1),
  };
}
