/**
 * Finds tables that the server does not vacuum. Dead rows then stay in tables and indexes, which grow and slow down.
 * `health()` calls it through the store's hints.
 *
 * @module
 */
import type { HealthWarning } from "../../core/ports/health_warning.ts";
import type { Run } from "./run.ts";

/** The tables that lose rows all the time. */
const TABLES = ["outbox", "inbox", "inbox_memory"];

/**
 * From how many dead rows on autovacuum counts as behind: so many, and as many as a fifth of the live ones. The
 * tables' own options start it far earlier.
 */
const BEHIND_ROWS = 50_000;
const BEHIND_SHARE = 0.2;

/** Reads the server's statistics, and returns what is wrong. */
export async function vacuumWarnings(run: Run, schema: string): Promise<readonly HealthWarning[]> {
  const rows = await run(
    `select relation.relname, coalesce(stats.n_live_tup, 0)::text, coalesce(stats.n_dead_tup, 0)::text,
  (current_setting('autovacuum')::boolean and current_setting('track_counts')::boolean
    and not coalesce(relation.reloptions && array['autovacuum_enabled=false', 'autovacuum_enabled=off'], false))::text
from pg_class as relation
join pg_namespace as space on space.oid = relation.relnamespace
left join pg_stat_user_tables as stats on stats.relid = relation.oid
where space.nspname = $1::text and relation.relkind = 'r'
  and relation.relname in (${TABLES.map((name) => `'${name}'`).join(", ")})
order by relation.relname`,
    [schema],
  );
  const tables = rows.map(([name, live, dead, isVacuumed]) => ({
    name: `${schema}.${name}`,
    live: Number(live),
    dead: Number(dead),
    isVacuumed: isVacuumed === "true",
  }));
  const off = tables.filter(({ isVacuumed }) => !isVacuumed);
  const behind = tables.filter(({ isVacuumed, live, dead }) =>
    isVacuumed && dead >= BEHIND_ROWS && dead >= BEHIND_SHARE * live
  );
  return [
    ...off.length === 0 ? [] : [{
      code: "autovacuum_off",
      message:
        `Autovacuum is off for ${
          namesOf(off)
        }: dead rows stay, and the tables grow without limit. ` +
        "Turn on the server's settings autovacuum and track_counts and the tables' autovacuum_enabled, " +
        "or run VACUUM yourself",
    }],
    ...behind.map(({ name, live, dead }) => ({
      code: "autovacuum_behind",
      message:
        `Autovacuum is behind: ${name} has ${dead} dead rows beside ${live} live ones. Look for a ` +
        "transaction, replication slot or standby that is open for long, or give autovacuum more work (lower " +
        "autovacuum_vacuum_cost_delay)",
    })),
  ];
}

function namesOf(tables: readonly { readonly name: string }[]): string {
  return tables.map(({ name }) => name).join(", ");
}
