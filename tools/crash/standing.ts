/**
 * Counts how the records of a service stand, in SQL.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus/ports";
import type { ServiceName, Standing } from "./protocol.ts";

/** How the records of a service stand. One condition for each partial index. */
export async function standingOf(client: SqlClient, service: ServiceName): Promise<Standing> {
  const { rows } = await client.query(`select
    (select count(*) from ${service}.outbox where state = 'scheduled') +
    (select count(*) from ${service}.outbox where state = 'prepared') +
    (select count(*) from ${service}.inbox where state = 'scheduled') as unsettled,
    (select count(*) from ${service}.outbox where state = 'failed') +
    (select count(*) from ${service}.inbox where state = 'failed') as failed`);
  const [{ unsettled, failed }] = rows as [{ unsettled: unknown; failed: unknown }];
  return { unsettled: Number(unsettled), failed: Number(failed) };
}

/** The sum of several. */
export function sumOfStandings(all: readonly Standing[]): Standing {
  return {
    unsettled: all.reduce((sum, { unsettled }) => sum + unsettled, 0),
    failed: all.reduce((sum, { failed }) => sum + failed, 0),
  };
}
