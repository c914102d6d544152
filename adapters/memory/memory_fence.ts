/**
 * A fence in memory, for tests. It decides like a fence in a database, but its data ends with the process.
 *
 * @module
 */
import type { CheckAnswer } from "../../core/lifecycle/check_back.ts";
import { aFunction } from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import type { AbortSignalLike, SqlClient } from "../../core/ports/platform.ts";
import type { CheckQuestion, Fence, FenceOutcome, FenceRow } from "../../core/ports/fence.ts";

/** A transaction of a {@linkcode memoryFence}. */
export interface MemoryFenceTransaction {
  /** Runs `undo` if the transaction rolls back, for business data that is kept in memory too. */
  onRollback(undo: () => void): void;
}

/** Makes an empty fence. `now` is the source of the time, by default the platform's clock. */
export function memoryFence(now: () => number = Date.now): Fence<MemoryFenceTransaction> {
  aFunction("now", now, "make a fence with");
  return new MemoryFence(now);
}

interface Row {
  readonly outcome: FenceOutcome;
  readonly writtenAtMs: number;
}

class Transaction implements MemoryFenceTransaction {
  readonly undos: (() => void)[] = [];
  readonly ids: string[] = [];
  ended = false;

  onRollback(undo: () => void): void {
    this.undos.push(undo);
  }
}

class MemoryFence implements Fence<MemoryFenceTransaction> {
  readonly #rows = new Map<string, Row>();
  /** Written by transactions that are still open, as a lock on the row would be. */
  readonly #open = new Map<string, Transaction>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  // deno-lint-ignore require-await -- so that every refusal is a rejection.
  async commit(id: string, nowMs: number, tx: MemoryFenceTransaction | SqlClient): Promise<void> {
    if (!(tx instanceof Transaction)) {
      throw new AtlastError(
        "unsupported",
        "Cannot join a transaction of something else: want one of this fence's own transaction()",
      );
    }
    if (tx.ended) {
      throw new AtlastError(
        "transaction_ended",
        "Cannot use this transaction: it has committed or rolled back, want use before that",
      );
    }
    const written = this.#rows.get(id);
    if (written !== undefined) {
      throw new AtlastError(
        "fenced_off",
        `Cannot run the operation of half message "${id}"${this.#whyNot(id, written)}; ` +
          `want the transaction rolled back`,
      );
    }
    this.#open.set(id, tx);
    tx.ids.push(id);
    tx.undos.push(() => this.#rows.delete(id));
    this.#rows.set(id, { outcome: "committed", writtenAtMs: nowMs });
  }

  #whyNot(id: string, { outcome }: Row): string {
    if (outcome === "aborted") return ": the message was cancelled meanwhile";
    return this.#open.has(id)
      ? ": another run of it is still open"
      : " again: it has committed before";
  }

  check({ id }: CheckQuestion, signal: AbortSignalLike): Promise<CheckAnswer> {
    // The operation is still running: neither answer would stay true.
    if (signal.aborted || this.#open.has(id)) return Promise.resolve("unknown");
    const written = this.#rows.get(id);
    if (written === undefined) {
      this.#rows.set(id, { outcome: "aborted", writtenAtMs: this.#now() });
    }
    return Promise.resolve(written?.outcome ?? "aborted");
  }

  async transaction<Result>(
    work: (tx: MemoryFenceTransaction) => Promise<Result>,
  ): Promise<Result> {
    const tx = new Transaction();
    try {
      return await work(tx);
    } catch (error) {
      for (const undo of tx.undos.reverse()) undo();
      throw error;
    } finally {
      tx.ended = true;
      for (const id of tx.ids) this.#open.delete(id);
    }
  }

  writtenBefore(beforeMs: number, after: FenceRow | null, limit: number): Promise<FenceRow[]> {
    const rows = [...this.#rows]
      .map(([id, { writtenAtMs }]) => ({ id, writtenAtMs }))
      .filter((row) => row.writtenAtMs < beforeMs && (after === null || order(after, row) < 0));
    return Promise.resolve(rows.sort(order).slice(0, limit));
  }

  outcomes(ids: readonly string[]): Promise<(FenceOutcome | null)[]> {
    const outcomeOf = (id: string) =>
      this.#open.has(id) ? null : this.#rows.get(id)?.outcome ?? null;
    return Promise.resolve(ids.map(outcomeOf));
  }

  prune(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#rows.delete(id);
    return Promise.resolve();
  }
}

function order(a: FenceRow, b: FenceRow): number {
  return a.writtenAtMs - b.writtenAtMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
