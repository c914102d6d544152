/**
 * Waiting for what a database comes to hold: a trigger on every table tells of each change.
 *
 * @module
 */
import type postgres from "postgres";

/** How long a test waits for anything, in milliseconds, before it counts as never coming. */
const PATIENCE_MS = 120_000;

const TRIGGERS = `
create function told_of_change() returns trigger language plpgsql as
  'begin perform pg_notify(''changed'', ''''); return null; end';
do $$
declare found record;
begin
  for found in select schemaname, tablename from pg_tables where schemaname in ('public', 'atlast')
  loop
    execute format(
      'create trigger told after insert or update or delete on %I.%I
       for each statement execute function told_of_change()',
      found.schemaname, found.tablename
    );
  end loop;
end $$;`;

/** Sees the changes of databases. */
export class Changes {
  readonly #waiting = new Set<() => void>();

  /** Sees those of one more database, whose tables are there by now. */
  async watch(sql: postgres.Sql): Promise<void> {
    await sql.unsafe(TRIGGERS);
    await sql.listen("changed", () => {
      for (const look of this.#waiting) look();
    });
  }

  /** Waits until `isSo` says yes; looks again at each change. */
  async until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    let changed = Promise.withResolvers<void>();
    let inTime = true;
    const look = (): void => changed.resolve();
    const timer = setTimeout(() => {
      inTime = false;
      look();
    }, PATIENCE_MS);
    this.#waiting.add(look);
    try {
      while (!await isSo()) {
        if (!inTime) throw new Error(`Waited ${PATIENCE_MS} ms in vain until ${what}`);
        await changed.promise;
        changed = Promise.withResolvers();
      }
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(look);
    }
  }
}
