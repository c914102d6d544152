/**
 * Operations and check-backs of the same half messages at the same time, on a real Postgres: the
 * transaction of one is open, and the other's session waits for it in the database.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type postgres from "postgres";
import { inProcessTransport } from "../../adapters/memory/mod.ts";
import { postgresFence, postgresStore } from "../../adapters/postgres/mod.ts";
import { createBus, DEFAULT_CHECK, type HalfOutcome, subscribe } from "../../mod.ts";
import { faulty } from "../support/faulty.ts";
import { Gate } from "../support/gate.ts";
import { Paid } from "../support/half_world.ts";
import { heldInChecks } from "../support/held_postgres.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { connect, dropSchema, freshSchema, NO_POSTGRES, postgresUrl } from "../support/postgres.ts";
import { SEED } from "../support/property.ts";
import { randomFrom } from "../support/random.ts";
import { skipFor } from "../support/skip.ts";
import { newDatabase } from "../support/two_databases.ts";

const url = await postgresUrl();
const ROUNDS = 66;
const PAIRS_AT_ONCE = 8;
/** Looks at the server until it says that a session waits: far more than any wait takes. */
const MAX_LOOKS = 5_000;

/** How one operation and the check of its message meet. */
interface Pair {
  readonly id: string;
  /** Whose transaction is open, with the row written, while the other comes. */
  readonly first: "operation" | "check" | "whoever";
  /** Whether the operation fails at its end. */
  readonly fails: boolean;
  /** How many turns of the event loop come before the operation, where nobody is first. */
  readonly turns: number;
  readonly operationInside: Gate;
  readonly checkInside: Gate;
}

describe("operation and check-back at once on Postgres", () => {
  it(
    `${ROUNDS * PAIRS_AT_ONCE} pairs: committed and delivered, or aborted and cancelled`,
    url === null ? { skip: skipFor(NO_POSTGRES) } : {},
    async () => {
      const races = await Races.begin(url as string);
      try {
        for (let round = 0; round < ROUNDS; round++) await races.round(round);
        await races.mustHaveMet();
      } finally {
        await races.end();
      }
    },
  );
});

class Races {
  readonly #random = randomFrom(SEED);
  readonly #clock = new ManualClock();
  readonly #schema = freshSchema();
  readonly #delivered: string[] = [];
  readonly #pairs = new Map<string, Pair>();
  /** How often each kind of end came, by who was first. */
  readonly #ends = new Map<string, number>();
  readonly #own: Awaited<ReturnType<typeof newDatabase>>;
  readonly #clients: postgres.Sql[];
  readonly #watcher: postgres.Sql;
  readonly #store;
  readonly #active;
  readonly #recovery;

  static async begin(url: string): Promise<Races> {
    const own = await newDatabase(url);
    const races = new Races(url, own);
    await races.#watcher.unsafe(`create table payment (id text not null)`);
    return races;
  }

  private constructor(url: string, own: Awaited<ReturnType<typeof newDatabase>>) {
    this.#own = own;
    const messages = connect(url, { max: 6 });
    const operations = connect(own.url, { max: PAIRS_AT_ONCE + 2 });
    const checks = connect(own.url, { max: PAIRS_AT_ONCE + 2 });
    this.#watcher = connect(own.url, { max: PAIRS_AT_ONCE });
    this.#clients = [messages, operations, checks, this.#watcher];
    const heldChecks = heldInChecks(checks, (id, pid) => this.#inCheck(id, pid));
    const waitMs = 20_000;
    const newStore = () => postgresStore(messages, { schema: this.#schema });
    this.#store = faulty(newStore());
    const shared = { clock: this.#clock, transport: inProcessTransport(), random: this.#random };
    this.#active = createBus({
      ...shared,
      store: this.#store.part,
      fence: postgresFence(operations, { waitMs }),
    });
    const fence = postgresFence(heldChecks, { waitMs });
    const ask = fence.check.bind(fence);
    fence.check = async (question, signal) => {
      await this.#beforeCheck(question.id);
      return await ask(question, signal);
    };
    this.#recovery = createBus({ ...shared, store: newStore(), fence }, [
      subscribe(Paid, { group: "shop" }, (_body, { message }) => {
        this.#delivered.push(message.id);
      }),
    ]);
  }

  async round(round: number): Promise<void> {
    const pairs = Array.from({ length: PAIRS_AT_ONCE }, (_, i) => this.#newPair(`${round}-${i}`));
    const halves = pairs.map(({ id }) => this.#active.prepare(Paid, { n: 1 }, { id }));
    await Promise.all(halves);
    this.#clock.advance(DEFAULT_CHECK.immunityMs);
    // Some results are lost on their way: check-back makes up for them.
    if (this.#random() < 0.5) this.#store.lose("find", "request", { times: 2 });
    const operations = pairs.map((pair) => this.#operate(pair));
    await this.#recovery.tick();
    // Every check is over: an operation that still waits for one would do so for ever.
    for (const { checkInside } of pairs) void checkInside.pass();
    const ends = await Promise.all(operations);
    this.#store.heal();
    this.#clock.advance(10 * 60_000);
    await this.#recovery.tick();
    for (const [i, pair] of pairs.entries()) await this.#mustAgree(pair, ends[i]!);
  }

  /** Asserts that what was raced for was raced: each order, with each end that it can have. */
  mustHaveMet(): void {
    for (
      const end of [
        "operation: committed",
        "operation: aborted",
        "check: aborted",
        "whoever: committed",
        "whoever: aborted",
      ]
    ) {
      assert.ok((this.#ends.get(end) ?? 0) >= 10, `${end}: ${this.#ends.get(end)} times`);
    }
    assert.equal(this.#ends.get("check: committed"), undefined);
  }

  async end(): Promise<void> {
    const [messages] = this.#clients;
    await dropSchema(messages as postgres.Sql, this.#schema);
    await Promise.all(this.#clients.map((client) => client.end()));
    await this.#own.drop();
  }

  #newPair(id: string): Pair {
    const firsts = ["operation", "check", "whoever"] as const;
    const pair: Pair = {
      id,
      first: firsts[Math.floor(this.#random() * firsts.length)] as Pair["first"],
      fails: this.#random() < 0.3,
      turns: Math.floor(this.#random() * 12),
      operationInside: new Gate(),
      checkInside: new Gate(),
    };
    this.#pairs.set(id, pair);
    return pair;
  }

  async #operate(pair: Pair): Promise<HalfOutcome<void>> {
    const { id, first, fails, turns, operationInside, checkInside } = pair;
    if (first === "check") await checkInside.reached();
    else if (first === "whoever") await turnsOf(turns);
    return await this.#active.transact(Paid, { n: 1 }, async (tx) => {
      await tx`insert into payment (id) values (${id})`;
      if (first === "operation") {
        void operationInside.pass();
        const [row] = await tx`select pg_backend_pid()::int as pid`;
        await this.#untilBlocking(row?.["pid"] as number);
      }
      if (fails) throw new Error("declined");
    }, { id });
  }

  async #beforeCheck(id: string): Promise<void> {
    const { first, operationInside, turns } = this.#pairs.get(id) as Pair;
    if (first === "operation") await operationInside.reached();
    else if (first === "whoever") await turnsOf(12 - turns);
  }

  async #inCheck(id: string, pid: number): Promise<void> {
    const { first, checkInside } = this.#pairs.get(id) as Pair;
    if (first !== "check") return;
    void checkInside.pass();
    await this.#untilBlocking(pid);
  }

  /** Waits until another session really waits for the one of a transaction. */
  async #untilBlocking(pid: number): Promise<void> {
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      const waiting = await this.#watcher`
        select 1 from pg_stat_activity
        where wait_event_type = 'Lock' and datname = current_database()
          and ${pid}::int = any(pg_blocking_pids(pid))`;
      if (waiting.length > 0) return;
    }
    throw new Error("Cannot go on: nobody waits for this transaction, want one that does");
  }

  async #mustAgree({ id, first }: Pair, end: HalfOutcome<void>): Promise<void> {
    const { outcome } = end;
    this.#ends.set(`${first}: ${outcome}`, (this.#ends.get(`${first}: ${outcome}`) ?? 0) + 1);
    const rows = await this.#watcher`select id from payment where id = ${id}`;
    const record = await this.#recovery.store.find("outbox", { id, group: "" });
    const seen = {
      outcome,
      paid: rows.length,
      state: record?.state,
      delivered: this.#delivered.filter((delivered) => delivered === id).length,
    };
    const wanted = outcome === "committed"
      ? { outcome, paid: 1, state: "succeeded", delivered: 1 }
      : { outcome: "aborted", paid: 0, state: "cancelled", delivered: 0 };
    assert.deepEqual(seen, wanted, `seed ${SEED}, pair ${id}, first ${first}`);
  }
}

async function turnsOf(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
}
