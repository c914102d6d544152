/**
 * The lock on a claimed record while a transaction of its handler is open.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { FirstUse } from "../../core/ports/store.ts";
import type { FirstStatement } from "./driver.ts";
import type { Table } from "./table.ts";

const REST = "idle_in_transaction_session_timeout";
/** How much longer than its limit a transaction may rest between two statements, in milliseconds. */
const REST_MARGIN_MS = 10_000;
/** The longest time that Postgres takes for a setting. */
const MAX_SETTING_MS = 2_147_483_647;

/**
 * The statement that locks a record under its claim. FOR KEY SHARE conflicts with the FOR UPDATE of a claim, so that
 * nobody claims the record while its handler writes. It does not conflict with the UPDATE that renews leases, which
 * would otherwise wait for the handler, and with it all other leases of the process.
 *
 * If the host of a handler dies, its connection may stay open on the server for hours. So the server ends a transaction
 * that rests for longer than its handler may take, unless the connection has a limit of its own.
 */
export function locking(
  { box, name }: Table,
  { lease: { key: { id, group }, epoch }, limitMs }: Pick<FirstUse, "lease" | "limitMs">,
): Omit<FirstStatement, "changed" | "locked"> {
  return {
    statement() {
      const restMs = Math.ceil(limitMs) + REST_MARGIN_MS;
      return {
        text: `select current_setting('transaction_isolation'),
  case when current_setting('${REST}') = '0' then set_config('${REST}', $4::text, true) end
from ${name}
where id = $1::text and subscriber_group = $2::text and epoch = $3::text::integer
  and lease_until_ms is not null
for key share`,
        params: [id, group, epoch, restMs > MAX_SETTING_MS ? "0" : String(restMs)],
      };
    },
    refused: () =>
      new AtlastError(
        "lease_lost",
        `Cannot begin the transaction of message ${
          JSON.stringify(id)
        } of the ${box}: got a claim ` +
          `or settlement by another since, want epoch ${epoch} to stand`,
      ),
  };
}
