/**
 * The minimum written by hand with postgres.js, which shows what the database can do. Publishing is one
 * prepared INSERT. Handling is a lease, the handler and a DELETE: the least that delivers at least once
 * and keeps no transaction open while handlers run.
 *
 * @module
 */
import postgres from "postgres";
import { BUSINESS_NOTE } from "../fixtures/tables.ts";
import type { MessageBody } from "./message_body.ts";
import type { HandleOptions, OpenOptions, Session, Subject } from "./subject.ts";

/** The fastest of 100, 500 and 1,000 with two loops. */
const BATCH = 500;
const LOOPS = 2;
const LEASE = "60 seconds";
/** How long a loop waits after it found nothing. */
const POLL_MS = 1000;
const CONNECTIONS = 10;

interface Row {
  readonly id: string;
  readonly payload: MessageBody;
}

const insertMessages = (due: string, done: boolean) =>
  `insert into ref.message (topic, payload, due_at, done)
   select 'bench.measured', json_build_object('n', 0, 'at', 0, 'text', repeat('x', 150))::jsonb, ${due}, ${done}
   from generate_series(1, $1::int) as i`;

export const subject: Subject = {
  name: "ref",
  store: "postgres",
  allSettledSql: null,
  addGrownSql: [
    insertMessages("now()", true),
    insertMessages("now() + interval '1 year' + i * interval '1 millisecond'", false),
  ],
  deleteDueSql: "delete from ref.message where not done and due_at < now() + interval '1 hour'",
  open: (options) => Promise.resolve(new RefSession(options)),
};

class RefSession implements Session {
  readonly #sql;
  readonly #lowRate: boolean;
  #settled = 0;
  #isStopped = false;
  #loops: Promise<unknown> = Promise.resolve();
  #wake: () => void = () => {};

  constructor({ url, lowRate }: OpenOptions) {
    this.#lowRate = lowRate;
    this.#sql = postgres(url, { max: CONNECTIONS, onnotice: () => {} });
  }

  async setUp(): Promise<void> {
    await this.#sql`create schema ref`;
    await this.#sql`create table ref.message (
      id bigint generated always as identity primary key, topic text not null, payload jsonb not null,
      attempts integer not null default 0, due_at timestamptz not null default now(),
      done boolean not null default false)`;
    await this.#sql`create index message_due on ref.message (due_at) where not done`;
  }

  async publish(body: MessageBody): Promise<unknown> {
    const text = JSON.stringify(body);
    if (!this.#lowRate) return await this.#insert(this.#sql, text);
    return await this.#sql`with added as (
      insert into ref.message (topic, payload) values ('bench.measured', ${text}::text::jsonb)
    ) select pg_notify('ref', '')`;
  }

  async publishMany(bodies: readonly MessageBody[]): Promise<void> {
    await this.#sql`insert into ref.message (topic, payload)
      select 'bench.measured', unnest(${
      bodies.map((body) => JSON.stringify(body))
    }::text[])::jsonb`;
    // The loops of this process are woken directly, without a notification.
    this.#wake();
  }

  publishInTransaction(body: MessageBody): Promise<unknown> {
    return this.#sql.begin(async (tx) => {
      await tx`insert into business (note) values (${BUSINESS_NOTE})`;
      await this.#insert(tx, JSON.stringify(body));
    });
  }

  async startHandling(options: HandleOptions): Promise<void> {
    if (this.#lowRate) await this.#sql.listen("ref", () => this.#wake());
    this.#loops = Promise.all(Array.from({ length: LOOPS }, () => this.#loop(options)));
  }

  settledCount(): number {
    return this.#settled;
  }

  async close(): Promise<void> {
    this.#isStopped = true;
    this.#wake();
    await this.#loops;
    await this.#sql.end();
  }

  async #insert(sql: postgres.ISql, text: string): Promise<unknown> {
    return await sql`insert into ref.message (topic, payload)
      values ('bench.measured', ${text}::text::jsonb)`;
  }

  async #loop(options: HandleOptions): Promise<void> {
    while (!this.#isStopped) {
      const rows = await this.#claim();
      if (rows.length === 0) await this.#sleep();
      else if (options.writesRow && options.batched) await this.#handleBatch(rows, options);
      else if (options.writesRow) await this.#handleEach(rows, options);
      else await this.#handle(rows, options);
    }
  }

  async #claim(): Promise<readonly Row[]> {
    return await this.#sql<Row[]>`
      update ref.message set due_at = now() + ${LEASE}::text::interval, attempts = attempts + 1
      where id = any(array(
        select id from ref.message where not done and due_at <= now()
        order by due_at limit ${BATCH} for update skip locked))
      returning id, payload`;
  }

  async #handle(rows: readonly Row[], { onMessage }: HandleOptions): Promise<void> {
    for (const { payload } of rows) onMessage(payload);
    await this.#sql`delete from ref.message where id = any(${rows.map(({ id }) => id)}::bigint[])`;
    this.#settled += rows.length;
  }

  /** Handles each message in a transaction that writes its row and deletes the message. */
  async #handleEach(rows: readonly Row[], { onMessage }: HandleOptions): Promise<void> {
    await Promise.all(rows.map(({ id, payload }) =>
      this.#sql.begin(async (tx) => {
        await tx`insert into effect (n, note) values (${payload.n}, ${BUSINESS_NOTE})`;
        await tx`delete from ref.message where id = ${id}`;
        onMessage(payload);
      })
    ));
    this.#settled += rows.length;
  }

  /** Handles all messages in one transaction that writes a row for each and deletes the messages. */
  async #handleBatch(rows: readonly Row[], { onMessage }: HandleOptions): Promise<void> {
    await this.#sql.begin(async (tx) => {
      await Promise.all(rows.map(async ({ payload }) => {
        await tx`insert into effect (n, note) values (${payload.n}, ${BUSINESS_NOTE})`;
        onMessage(payload);
      }));
      await tx`delete from ref.message where id = any(${rows.map(({ id }) => id)}::bigint[])`;
    });
    this.#settled += rows.length;
  }

  #sleep(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, POLL_MS);
      const wakeOthers = this.#wake;
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
        wakeOthers();
        this.#wake = () => {};
      };
    });
  }
}
