/**
 * The practical limit: what must at least be done, by hand, through postgres.js. Publishing is one
 * prepared INSERT. Working is a lease, the handler, a DELETE: the least that is at-least-once and
 * holds no transaction while handlers run.
 *
 * @module
 */
import postgres from "postgres";
import { type Body, BUSINESS_NOTE, type OpenOptions, type Session, type Work } from "./subject.ts";
import type { Subject } from "./subject.ts";

/** Of 100, 500 and 1,000 the best together with two loops; see the note on baselines. */
const BATCH = 500;
const LOOPS = 2;
const LEASE = "60 seconds";
/** How long a loop rests when it found nothing. */
const POLL_MS = 1000;
const CONNECTIONS = 10;

interface Row {
  readonly id: string;
  readonly payload: Body;
}

const grown = (due: string, done: boolean) =>
  `insert into ref.message (topic, payload, due_at, done)
   select 'bench.measured', json_build_object('n', 0, 'at', 0, 'text', repeat('x', 150))::jsonb, ${due}, ${done}
   from generate_series(1, $1::int) as i`;

export const subject: Subject = {
  name: "ref",
  store: "postgres",
  packages: ["postgres"],
  settledSql: null,
  growSql: [
    grown("now()", true),
    grown("now() + interval '1 year' + i * interval '1 millisecond'", false),
  ],
  clearSql: "delete from ref.message where not done and due_at < now() + interval '1 hour'",
  open: (options) => Promise.resolve(new RefSession(options)),
};

class RefSession implements Session {
  readonly #sql;
  readonly #sparse: boolean;
  #settled = 0;
  #isStopped = false;
  #loops: Promise<unknown> = Promise.resolve();
  #wake: () => void = () => {};

  constructor({ url, sparse }: OpenOptions) {
    this.#sparse = sparse;
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

  async publish(body: Body): Promise<unknown> {
    const text = JSON.stringify(body);
    if (!this.#sparse) return await this.#insert(this.#sql, text);
    return await this.#sql`with added as (
      insert into ref.message (topic, payload) values ('bench.measured', ${text}::text::jsonb)
    ) select pg_notify('ref', '')`;
  }

  async publishMany(bodies: readonly Body[]): Promise<void> {
    await this.#sql`insert into ref.message (topic, payload)
      select 'bench.measured', unnest(${
      bodies.map((body) => JSON.stringify(body))
    }::text[])::jsonb`;
    // The loops of this process need no notification.
    this.#wake();
  }

  publishInTransaction(body: Body): Promise<unknown> {
    return this.#sql.begin(async (tx) => {
      await tx`insert into business (note) values (${BUSINESS_NOTE})`;
      await this.#insert(tx, JSON.stringify(body));
    });
  }

  async work(work: Work): Promise<void> {
    if (this.#sparse) await this.#sql.listen("ref", () => this.#wake());
    this.#loops = Promise.all(Array.from({ length: LOOPS }, () => this.#loop(work)));
  }

  settled(): number {
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

  async #loop(work: Work): Promise<void> {
    while (!this.#isStopped) {
      const rows = await this.#claim();
      if (rows.length === 0) await this.#sleep();
      else if (work.effect) await this.#handleEach(rows, work);
      else await this.#handle(rows, work);
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

  async #handle(rows: readonly Row[], { onMessage }: Work): Promise<void> {
    for (const { payload } of rows) onMessage(payload);
    await this.#sql`delete from ref.message where id = any(${rows.map(({ id }) => id)}::bigint[])`;
    this.#settled += rows.length;
  }

  /** Each effect with its own mark, in a transaction of its own. */
  async #handleEach(rows: readonly Row[], { onMessage }: Work): Promise<void> {
    await Promise.all(rows.map(({ id, payload }) =>
      this.#sql.begin(async (tx) => {
        await tx`insert into effect (n, note) values (${payload.n}, ${BUSINESS_NOTE})`;
        await tx`delete from ref.message where id = ${id}`;
        onMessage(payload);
      })
    ));
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
