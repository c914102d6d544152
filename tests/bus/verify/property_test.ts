/**
 * What `verify` says of any mixture of records, against what a table says of each message.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import * as fc from "fast-check";
import { entriesOf } from "../../../bus/settings/digests.ts";
import type { State } from "../../../core/lifecycle/lifecycle.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { holdsAsync } from "../../support/property.ts";
import { groups, HOUR_MS, NOW, put, verified, withTwo } from "./services.ts";

const GROUPS = ["a", "b"] as const;

/** Where the records of one message are. */
interface Message {
  readonly sent: State | null;
  /** The record of each group. */
  readonly received: Readonly<Record<typeof GROUPS[number], State | null>>;
  /** Whether group `a` handled it once, and pruned it. */
  readonly isRemembered: boolean;
}

const inboxState = fc.constantFrom<State | null>(
  ...[null, null, "scheduled", "succeeded", "succeeded", "failed", "cancelled"] as const,
);
const message: fc.Arbitrary<Message> = fc.record({
  sent: fc.constantFrom<State | null>(
    ...[
      null,
      "prepared",
      "scheduled",
      "succeeded",
      "succeeded",
      "failed",
      "cancelled",
      "in_doubt",
    ] as const,
  ),
  received: fc.record({ a: inboxState, b: inboxState }),
  isRemembered: fc.boolean(),
});

/** The problems of one message. */
function problemsOf({ sent, received, isRemembered }: Message): string[] {
  const present = GROUPS.filter((group) => received[group] !== null);
  const is = (...states: State[]) => present.some((group) => states.includes(received[group]!));
  const problems: string[] = [];
  if (isRemembered && received.a !== null) problems.push("handled_again a");
  if (sent === null) problems.push(...present.map((group) => `not_in_outbox ${group}`));
  if (sent === "succeeded" && present.length === 0 && !isRemembered) problems.push("not_received");
  if (sent === "failed" && is("succeeded")) problems.push("failed_but_handled");
  if (sent === "cancelled" && is("scheduled", "succeeded", "failed")) {
    problems.push("cancelled_but_received");
  }
  if (sent === "prepared" || sent === "in_doubt") {
    problems.push(sent);
    if (present.length > 0) problems.push("undecided_but_received");
  }
  return problems;
}

describeOnEveryStore("any mixture of records", (open, { hasTransactions, hasOneConnection }) => {
  const isSlow = !hasTransactions || hasOneConnection;

  it("is judged message by message", async () => {
    const messages = fc.array(message, { minLength: 20, maxLength: 60 });
    const sizes = fc.constantFrom(1, 7, 1_000);
    await holdsAsync(
      fc.asyncProperty(messages, sizes, (all, pageSize) =>
        withTwo(open, async (orders, stock) => {
          for (const [i, { isRemembered }] of all.entries()) {
            if (!isRemembered) continue;
            await put(stock, "inbox", `m-${i}`, { group: "a", expiresAtMs: NOW - 1 });
          }
          await stock.prune("inbox", NOW, 1_000, { sinceMs: -Infinity, entriesOf });
          for (const [i, { sent, received }] of all.entries()) {
            const due = { dueAtMs: NOW + HOUR_MS };
            if (sent !== null) await put(orders, "outbox", `m-${i}`, { ...due, state: sent });
            for (const group of GROUPS) {
              const state = received[group];
              if (state !== null) await put(stock, "inbox", `m-${i}`, { ...due, state, group });
            }
          }
          const { findings, summary } = await verified([
            { name: "orders", store: orders, publishes: ["order.placed"] },
            { name: "stock", store: stock, subscribers: groups(...GROUPS) },
          ], { pageSize });
          assert.deepEqual(
            findings.map(({ id, problem, group }) => `${id} ${problem} ${group}`.trim()).sort(),
            all.flatMap((each, i) => problemsOf(each).map((problem) => `m-${i} ${problem}`)).sort(),
          );
          const isPartial = ({ sent, received }: Message) =>
            sent === "succeeded" && (received.a === null) !== (received.b === null);
          assert.equal(summary.notJudged.otherGroup, all.filter(isPartial).length);
          assert.equal(summary.notJudged.pruned, 0);
        })),
      isSlow ? 3 : 6,
    );
  });
});
