/**
 * Where one measurement takes place: a subject with its database, laid as the scenario wants it.
 *
 * @module
 */
import type postgres from "postgres";
import { setTimeout as sleep } from "node:timers/promises";
import { type Cost, cpuOfTree, type Databases } from "./database.ts";
import type { Amounts, Ground, Scenario } from "./plan.ts";
import { runWorker } from "./processes.ts";
import {
  BUSINESS_TABLE,
  EFFECT_TABLE,
  HANDLED_TABLE,
  type OpenOptions,
  type Subject,
} from "./subject.ts";
import { PEERS, type SubjectName } from "./subjects/load.ts";

/** What all measurements share. */
export interface Place {
  readonly databases: Databases;
  readonly redis: { readonly port: number; readonly pid: number | null } | null;
  readonly peers: string | null;
  readonly amounts: Amounts;
}

/** The grown databases there are: they are kept for all runs, since growing takes longer than measuring. */
const grownDatabases = new Set<string>();

/** A subject's place for one measurement. */
export class Stage {
  readonly subject: Subject;
  readonly amounts: Amounts;
  /** What orders to its processes have in common. */
  readonly of: { readonly subject: SubjectName; readonly open: OpenOptions };
  readonly #place: Place;
  readonly #ground: Ground;
  readonly #database: string;

  constructor(place: Place, { ground, load }: Scenario, name: SubjectName, subject: Subject) {
    this.subject = subject;
    this.amounts = place.amounts;
    this.#place = place;
    this.#ground = ground;
    const own = `bench_${name.replaceAll("-", "_")}`;
    this.#database = ground === "grown" ? `${own}_grown` : own;
    const sparse = load.kind === "latency" || load.kind === "idle";
    this.of = {
      subject: name,
      open: {
        url: place.databases.urlOf(this.#database),
        redisPort: place.redis?.port ?? null,
        peers: PEERS.includes(name) ? place.peers : null,
        sparse,
        awaits: sparse || load.kind === "whole",
        sent: load.kind === "whole" && load.records === 2,
      },
    };
  }

  /** Makes the database ready. */
  async lay(): Promise<void> {
    const { amounts, subject } = this;
    if (grownDatabases.has(this.#database)) {
      if (subject.clearSql !== null) await this.#run(subject.clearSql);
      return;
    }
    await this.#place.databases.create(this.#database);
    for (const table of [BUSINESS_TABLE, EFFECT_TABLE, HANDLED_TABLE]) await this.#run(table);
    await runWorker({ role: "prepare", ...this.of, create: true, side: "outbox", count: 0 });
    if (this.#ground === "grown") {
      for (const text of subject.growSql) await this.#run(text, amounts.grown);
      grownDatabases.add(this.#database);
    }
    if (this.#ground === "expired" && subject.expireSql !== undefined) {
      await this.#run(subject.expireSql, amounts.expired);
    }
  }

  /** Takes the database away again, unless it is kept. */
  async clear(): Promise<void> {
    if (this.#ground !== "grown") await this.#place.databases.drop(this.#database);
  }

  /** A client of the database. */
  client(): postgres.Sql {
    return this.#place.databases.open(this.#database);
  }

  /** A transaction that sees the database as it is now, as a report or a backup does. */
  async holdSnapshot(): Promise<postgres.Sql> {
    const sql = this.client();
    await sql.unsafe("begin isolation level repeatable read");
    await sql.unsafe("select 1 from pg_class limit 1");
    return sql;
  }

  /** The same start for all: statistics are fresh, and no checkpoint is due. */
  async settle(): Promise<Cost> {
    await this.#run("vacuum analyze");
    await this.#run("checkpoint");
    // The server's process for that connection is to be gone before its time is counted.
    await sleep(50);
    return await this.cost();
  }

  /** What the server has done so far for this subject. */
  async cost(): Promise<Cost> {
    const { databases, redis } = this.#place;
    if (this.subject.store === "postgres") return await databases.cost(this.#database);
    const cpuMs = redis?.pid ? cpuOfTree(redis.pid) : null;
    return { cpuMs, statements: null, walBytes: null };
  }

  async #run(text: string, ...values: readonly number[]): Promise<void> {
    const sql = this.client();
    try {
      await sql.unsafe(text, [...values]);
    } finally {
      await sql.end();
    }
  }
}
