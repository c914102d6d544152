/**
 * The fence in SQL, for every driver: one table in the business database, with one row for each decided half
 * message.
 *
 * @module
 */
import type { CheckAnswer } from "../../core/lifecycle/check_back.ts";
import { AtlastError } from "../../core/errors.ts";
import type { AbortSignalLike, SqlClient } from "../../core/ports/platform.ts";
import type { CheckQuestion, Fence, FenceOutcome, FenceRow } from "../../core/ports/fence.ts";
import { propertyOf } from "../../core/user_code/thrown.ts";
import { hasToken } from "./transaction_proof.ts";
import { type Database, explained } from "./database.ts";
import { Preparation } from "./preparation.ts";
import type { Run } from "./run.ts";
import { quotedSchema } from "./schema_name.ts";

/** Another transaction locks the row for longer than this one may wait (`lock_not_available`). */
const LOCK_TIMEOUT = "55P03";

/** The parts of a {@linkcode SqlFence}. */
interface SqlFenceParts<Tx> {
  readonly database: Database<Tx>;
  readonly schema: string;
  /** How long to wait for a running operation, in milliseconds. */
  readonly waitMs: number;
  /** The source of the time, in Unix milliseconds. */
  readonly now: () => number;
  /** Creates or checks the table. */
  readonly prepare: () => Promise<void>;
}

/** The fence in a table. */
export class SqlFence<Tx> implements Fence<Tx> {
  readonly #parts: SqlFenceParts<Tx>;
  readonly #table: string;
  readonly #preparation: Preparation;

  constructor(parts: SqlFenceParts<Tx>) {
    this.#parts = parts;
    this.#preparation = new Preparation(parts.prepare);
    this.#table = `${quotedSchema(parts.schema)}.fence`;
  }

  ready(): Promise<void> {
    return this.#preparation.ready();
  }

  async commit(id: string, nowMs: number, tx: Tx | SqlClient): Promise<void> {
    const { database } = this.#parts;
    const joined = database.joining(tx);
    const run = this.#runIn(joined);
    const proof = database.proofIn(joined);
    const isWritten = proof === null
      ? await this.#write(run, id, "committed", nowMs)
      : await proof.write(async (token) => {
        if (await this.#write(run, id, "committed", nowMs, token)) return true;
        return await this.#read(run, id) === "unknown" ? null : false;
      });
    if (isWritten) return;
    const written = await this.#read(run, id);
    throw new AtlastError(
      "fenced_off",
      written === "committed"
        ? `Cannot run the operation of half message "${id}" again: it has committed before`
        : `Cannot run the operation of half message "${id}": the message was cancelled meanwhile; ` +
          `want the transaction rolled back`,
    );
  }

  /** A running operation locks the row. This waits for a while, and then answers `unknown`. */
  async check({ id }: CheckQuestion, signal: AbortSignalLike): Promise<CheckAnswer> {
    await this.ready();
    if (signal.aborted) return "unknown";
    try {
      return await this.#parts.database.transaction(async (tx) => {
        const run = this.#runIn(tx);
        await run("select set_config('lock_timeout', $1::text, true)", [`${this.#parts.waitMs}ms`]);
        await this.#write(run, id, "aborted", this.#parts.now());
        return await this.#read(run, id);
      }, true);
    } catch (error) {
      if (propertyOf(error, "code") === LOCK_TIMEOUT) return "unknown";
      throw error;
    }
  }

  transaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result> {
    return this.#parts.database.transaction(work);
  }

  async writtenBefore(
    beforeMs: number,
    after: FenceRow | null,
    limit: number,
  ): Promise<FenceRow[]> {
    await this.ready();
    const rows = await this.#run(
      `select message_id, written_at_ms from ${this.#table}
where written_at_ms < $1::text::bigint
  and (written_at_ms, message_id) > ($2::text::bigint, $3::text)
order by written_at_ms, message_id
limit $4::text::bigint`,
      [Math.floor(beforeMs), after?.writtenAtMs ?? -1, after?.id ?? "", limit],
    );
    return rows.map(([id, writtenAtMs]) => ({
      id: id as string,
      writtenAtMs: Number(writtenAtMs),
    }));
  }

  async outcomes(ids: readonly string[]): Promise<(FenceOutcome | null)[]> {
    if (ids.length === 0) return [];
    await this.ready();
    const rows = await this.#run(
      `select message_id, outcome from ${this.#table}
where message_id in (select json_array_elements_text($1::text::json))`,
      [JSON.stringify(ids)],
    );
    const written = new Map(rows.map(([id, outcome]) => [id as string, outcome as FenceOutcome]));
    return ids.map((id) => written.get(id) ?? null);
  }

  async prune(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.ready();
    await this.#run(
      `delete from ${this.#table}
where message_id in (select json_array_elements_text($1::text::json))`,
      [JSON.stringify(ids)],
    );
  }

  /**
   * Writes an outcome if there is none, and with a token only if the transaction has it; returns whether it
   * wrote.
   */
  async #write(
    run: Run,
    id: string,
    outcome: FenceOutcome,
    nowMs: number,
    token?: string,
  ): Promise<boolean> {
    const values = [id, outcome, Math.ceil(nowMs)];
    const rows = await run(
      `insert into ${this.#table} (message_id, outcome, written_at_ms)
select $1::text, $2::text, $3::text::bigint${token === undefined ? "" : `\nwhere ${hasToken("$4")}`}
on conflict do nothing
returning 1 as written`,
      token === undefined ? values : [...values, token],
    );
    return rows.length > 0;
  }

  /** A separate statement, which sees the row that the write conflicted with. */
  async #read(run: Run, id: string): Promise<CheckAnswer> {
    const [row] = await run(`select outcome from ${this.#table} where message_id = $1::text`, [id]);
    const outcome = row?.[0];
    return outcome === "committed" || outcome === "aborted" ? outcome : "unknown";
  }

  get #run(): Run {
    return explained(this.#parts.database.run, this.#parts.schema, "fence");
  }

  #runIn(tx: Tx | SqlClient): Run {
    return explained(this.#parts.database.runIn(tx), this.#parts.schema, "fence");
  }
}
