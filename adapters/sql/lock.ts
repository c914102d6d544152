/**
 * The lock on a claimed record while a transaction of its handler is open.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Lease } from "../../core/ports/store.ts";
import type { FirstStatement } from "./database.ts";
import type { Table } from "./table.ts";

/**
 * The statement that locks a record under its claim. FOR KEY SHARE conflicts with the FOR UPDATE of a claim, so that
 * nobody claims the record while its handler writes. It does not conflict with the UPDATE that renews leases, which
 * would otherwise wait for the handler, and with it all other leases of the process.
 */
export function locking(
  { box, name }: Table,
  { key: { id, group }, epoch }: Lease,
): Omit<FirstStatement, "changed"> {
  return {
    text: `select 1 from ${name}
where id = $1::text and subscriber_group = $2::text and epoch = $3::text::integer
  and lease_until_ms is not null
for key share`,
    params: [id, group, epoch],
    refused: () =>
      new AtlastError(
        "lease_lost",
        `Cannot begin the transaction of message ${
          JSON.stringify(id)
        } of the ${box}: got a claim or settlement by ` +
          `another since, want epoch ${epoch} to stand`,
      ),
  };
}
