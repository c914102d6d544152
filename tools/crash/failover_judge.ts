/**
 * Judges the failovers of a crash run, record by record: what the services miss at the end must be what the standbys
 * lost, and `verify` must name it.
 *
 * @module
 */
import type postgres from "postgres";
import { postgresFence, postgresStore } from "@atlast/bus/postgres";
import type { SqlClient } from "@atlast/bus/ports";
import { type FindingProblem, verify } from "@atlast/bus/verify";
import { Audit, Deduct, Deducted, Ship, SUBSCRIPTIONS } from "./business.ts";
import type { Failover } from "./databases.ts";
import { FENCE } from "./lost_rows.ts";
import { type ServiceName, SERVICES } from "./protocol.ts";

/** Ids of messages by what `verify` says, or should say, of them. */
export type Named = ReadonlyMap<FindingProblem, ReadonlySet<string>>;

/** How many differences are shown. */
const MAX_SHOWN = 10;

/** What each service publishes. */
const PUBLISHES: Readonly<Record<ServiceName, readonly string[]>> = {
  orders: [Deduct.name, Audit.name, Ship.name],
  stock: [Deducted.name],
};

const other = (service: ServiceName): ServiceName => service === "orders" ? "stock" : "orders";
const isIn = (table: string, id: string) => `exists (select from ${table} t where t.id = ${id})`;

/**
 * What `verify` should name, from the rows that standbys lost and from what is there at the end: what is missing, and is
 * known to another table that did not go back in time.
 */
const EXPECTED: Readonly<Partial<Record<FindingProblem, string>>> = {
  not_received: SERVICES.map((service) =>
    `select l.id from lost l where l.table = '${service}.inbox'
      and not ${isIn(`${service}.inbox`, "l.id")}
      and exists (select from sent s where s.id = l.id and s.state <> 'cancelled')`
  ).join(" union "),
  not_in_outbox: SERVICES.map((service) =>
    `select l.id from lost l where l.table = '${service}.outbox'
      and not ${isIn(`${service}.outbox`, "l.id")} and ${isIn(`${other(service)}.inbox`, "l.id")}`
  ).join(" union "),
  cancelled_but_received: `select l.id from lost l join orders.outbox o on o.id = l.id
    where l.table = '${FENCE}' and o.state = 'cancelled' and ${isIn("stock.inbox", "l.id")}`,
  committed_but_missing: `select l.id from lost l join ${FENCE} f on f.message_id = l.id
    where l.table = 'orders.outbox' and f.outcome = 'committed'
      and not ${isIn("orders.outbox", "l.id")}`,
  confirmed_but_not_committed: `select l.id from lost l join orders.outbox o on o.id = l.id
    where l.table = '${FENCE}' and o.state <> 'cancelled'
      and not exists (select from ${FENCE} f where f.message_id = l.id)`,
  confirmed_but_aborted: `select l.id from lost l join orders.outbox o on o.id = l.id
    join ${FENCE} f on f.message_id = l.id
    where l.table = '${FENCE}' and o.state <> 'cancelled' and f.outcome = 'aborted'`,
};

/** Messages whose effect is missing: those that `verify` must name as not received, and no other. */
const WITHOUT_EFFECT = `select s.id from sent s where s.state <> 'cancelled'
  and not exists (select from effects e where e.message_id = s.id and e.name = s.name)`;

/** Runs `verify` across both services. */
export async function namedByVerify(
  clients: Readonly<Record<ServiceName, postgres.Sql>>,
): Promise<Named> {
  const named = new Map<FindingProblem, Set<string>>();
  const services = SERVICES.map((service) => ({
    name: service,
    store: postgresStore(clients[service], { schema: service }),
    subscribers: SUBSCRIPTIONS[service],
    publishes: PUBLISHES[service],
    ...(service === "orders"
      ? { fence: postgresFence(clients[service], { schema: "ledger" }) }
      : {}),
  }));
  // Nothing changes any more.
  for await (const { problem, id } of verify({ services, settleMs: 0 })) {
    named.set(problem, (named.get(problem) ?? new Set()).add(id));
  }
  return named;
}

/** What is wrong with the failovers: what was lost beside what the standbys lost, or is not named as it should be. */
export async function judgeFailovers(
  /** A connection to the tables of both services, after `reconcile`. */
  client: SqlClient,
  named: Named,
): Promise<string[]> {
  const expected = new Map<FindingProblem, Set<string>>();
  for (const [problem, query] of Object.entries(EXPECTED)) {
    const ids = await idsOf(client, query);
    if (ids.size > 0) expected.set(problem as FindingProblem, ids);
  }
  const violations: string[] = [];
  for (const problem of new Set([...expected.keys(), ...named.keys()])) {
    violations.push(...differences(
      `${problem}, which a standby lost`,
      { what: "verify names", ids: named.get(problem) },
      expected.get(problem),
    ));
  }
  violations.push(...differences(
    "not_received",
    { what: "messages without their effect", ids: await idsOf(client, WITHOUT_EFFECT) },
    expected.get("not_received"),
  ));
  return violations;
}

/** Lines for people: what each standby lost, and how much of it `verify` names. */
export function failoverLines(failovers: readonly Failover[], named: Named): string[] {
  const lines = failovers.map(({ service, lost }) => {
    const tables = new Map<string, number>();
    for (const { table } of lost) tables.set(table, (tables.get(table) ?? 0) + 1);
    const counts = [...tables].map(([table, count]) => `${count} of ${table}`).join(", ");
    return `crash: a standby took over for ${service}, without ${counts || "any loss"}`;
  });
  const counts = [...named].map(([problem, { size }]) => `${size} ${problem}`).join(", ");
  return [...lines, `crash: verify names ${counts || "nothing"}`];
}

async function idsOf(client: SqlClient, query: string): Promise<Set<string>> {
  const { rows } = await client.query(query);
  return new Set((rows as { id: string }[]).map(({ id }) => id));
}

function differences(
  wanted: string,
  { what, ids = new Set() }: {
    readonly what: string;
    readonly ids: ReadonlySet<string> | undefined;
  },
  expected: ReadonlySet<string> = new Set(),
): string[] {
  const tooMany = [...ids].filter((id) => !expected.has(id));
  const missing = [...expected].filter((id) => !ids.has(id));
  const shown = (all: string[]) => all.slice(0, MAX_SHOWN).join(", ");
  return [
    ...(tooMany.length === 0
      ? []
      : [`${what}: ${tooMany.length} that are not ${wanted}: ${shown(tooMany)}`]),
    ...(missing.length === 0
      ? []
      : [`${what}: without ${missing.length} that are ${wanted}: ${shown(missing)}`]),
  ];
}
