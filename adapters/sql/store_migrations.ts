/**
 * The tables, as a list of steps.
 *
 * Rule: a step that was released is never changed; a change is a new step at the end. A step is
 * breaking when the version before it cannot run on what it leaves.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import { memoryStatements } from "./memory_tables.ts";
import { VACUUMED_EARLY } from "./vacuumed_early.ts";
import { serviceTable, tableOf } from "./table.ts";

/** One step of the schema. */
export interface Migration {
  /** Its number, from 1 without gaps. */
  readonly version: number;
  /** Whether versions of Atlast that do not know this step cannot run after it was applied. */
  readonly breaking: boolean;
  /** Its statements for a schema. */
  readonly statements: (schema: string) => readonly string[];
}

/** Every step, in order. */
export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    breaking: true,
    statements: (schema) => [...boxStatements(schema, "outbox"), ...boxStatements(schema, "inbox")],
  },
  {
    // Half messages. A version that does not know them ignores them, so it can run at the same time.
    version: 2,
    breaking: false,
    statements: (schema) => [
      ...halfMessageStatements(schema, "outbox"),
      ...halfMessageStatements(schema, "inbox"),
      `create index outbox_half on ${
        tableOf(schema, "outbox").name
      } (due_at_ms) where state = 'prepared'`,
    ],
  },
  {
    // Details of records. A version that does not know them would lose the groups of a message.
    version: 3,
    breaking: true,
    statements: (
      schema,
    ) => [
      ...detailsStatements(schema, "outbox"),
      ...detailsStatements(schema, "inbox"),
      ...serviceStatements(schema),
      // Decided ones are kept for days at most; they are distinguished from now on.
      `update ${tableOf(schema, "outbox").name} set details = '{"isHalf":true}'
where state in ('prepared', 'in_doubt')`,
      ...memoryStatements(schema),
      attemptedStatement(schema),
    ],
  },
];

/** Each group of the inbox has an order of its own, so that no claim walks over the backlog of another group. */
const DUE_ORDER: Readonly<Record<Box, string>> = {
  outbox: "due_at_ms",
  inbox: "subscriber_group, due_at_ms",
};

/**
 * A box's table. Columns of fixed width come first, so that reading them need not skip text. The fillfactor
 * leaves space on each page for the row version that a claim writes. A claim changes no indexed column, so
 * that is a heap-only update.
 */
function boxStatements(schema: string, box: Box): string[] {
  const { name } = tableOf(schema, box);
  return [
    `create table ${name} (
  sent_at_ms bigint not null,
  due_at_ms bigint not null,
  created_at_ms bigint not null,
  lease_until_ms bigint,
  deadline_ms bigint,
  expires_at_ms bigint,
  epoch integer not null,
  attempts integer not null default 0,
  crashes integer not null default 0,
  state text collate "C" not null,
  id text collate "C" not null,
  subscriber_group text collate "C" not null,
  name text collate "C" not null,
  headers text,
  content_type text,
  body text,
  body_bytes bytea,
  reason text,
  retry text,
  reply text,
  primary key (id, subscriber_group)
) with (fillfactor = 45, ${VACUUMED_EARLY})`,
    `create index ${box}_due on ${name} (${DUE_ORDER[box]}) where state = 'scheduled'`,
    `create index ${box}_crashed on ${name} (due_at_ms) where state = 'scheduled' and crashes > 0`,
    `create index ${box}_expiry on ${name} (expires_at_ms) where expires_at_ms is not null`,
    `create index ${box}_exceptions on ${name} (created_at_ms)
  where state not in ('scheduled', 'succeeded')`,
  ];
}

/** Both boxes have the same columns, so that one statement serves both. */
function halfMessageStatements(schema: string, box: Box): string[] {
  return [
    `alter table ${tableOf(schema, box).name}
  add column checks integer not null default 0,
  add column unreachable integer not null default 0,
  add column note text`,
  ];
}

function detailsStatements(schema: string, box: Box): string[] {
  return [`alter table ${tableOf(schema, box).name} add column details text`];
}

/** The id of the service, generated once. The key allows one row only. */
function serviceStatements(schema: string): string[] {
  const name = serviceTable(schema);
  return [
    `create table ${name} (
  only_one boolean primary key default true check (only_one),
  id text collate "C" not null
)`,
    `insert into ${name} (id) values (gen_random_uuid()::text)`,
  ];
}

/**
 * For messages that an older version tried to send it is unknown whether they arrived. They may have arrived
 * from the time they were published.
 */
function attemptedStatement(schema: string): string {
  return `update ${tableOf(schema, "outbox").name}
set details = '{"mayHaveArrived":true,"firstAttemptAtMs":' || created_at_ms || '}'
where state in ('scheduled', 'failed') and (attempts > 0 or crashes > 0)`;
}
