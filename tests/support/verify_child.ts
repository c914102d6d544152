/**
 * A process that verifies as many messages as its argument says, on two stores that make each record when it is read,
 * and prints what it found.
 *
 * Of ten messages one is missing at its receiver, and of a hundred one is unknown to its publisher.
 *
 * @module
 */
import process from "node:process";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { RecordOutline } from "../../core/ports/inspection.ts";
import { type ReadableStore, verify } from "../../bus/verify/mod.ts";

const count = Number(process.argv[2]);
const nowMs = 1_800_000_000_000;
let most = 0;

/** The record of a message; a long header, so that all records at once would not fit into memory. */
function outline(box: Box, n: number): RecordOutline {
  return {
    box,
    id: String(n).padStart(9, "0"),
    group: box === "inbox" ? "g" : "",
    message: { name: "order.placed", headers: { note: `${n} `.repeat(40) }, sentAtMs: nowMs },
    state: "succeeded",
    attempts: 1,
    crashes: 0,
    dueAtMs: nowMs,
    deadlineMs: null,
    checks: 0,
    unreachable: 0,
    note: null,
    details: null,
    expiresAtMs: null,
    reason: null,
    leaseUntilMs: null,
    epoch: 1,
    createdAtMs: nowMs,
  };
}

function storeOf(own: Box, has: (n: number) => boolean): ReadableStore {
  const handOut = (records: RecordOutline[]) => {
    most = Math.max(most, records.length);
    return Promise.resolve(records);
  };
  return {
    capabilities: { transactions: true, durable: true, shared: true },
    ready: () => Promise.resolve(),
    find: () => Promise.reject(new Error("want no single record")),
    list: () => Promise.reject(new Error("want no list")),
    hints: {
      outlines(box, after, limit) {
        const records: RecordOutline[] = [];
        for (let n = Number(after?.id ?? -1) + 1; n < count && records.length < limit; n++) {
          if (box === own && has(n)) records.push(outline(box, n));
        }
        return handOut(records);
      },
      outlinesOf: (box, ids) =>
        handOut(
          ids.filter((id) => box === own && has(Number(id))).map((id) => outline(box, Number(id))),
        ),
      recall: (keys) =>
        Promise.resolve({
          remembered: keys.map(() => null),
          prunedUntilMs: null,
          hasDigests: false,
        }),
    },
  };
}

const verification = verify({
  services: [
    { name: "orders", store: storeOf("outbox", (n) => n % 100 !== 1), publishes: ["#"] },
    {
      name: "stock",
      store: storeOf("inbox", (n) => n % 10 !== 0),
      subscribers: [{ pattern: "order.placed", group: "g" }],
    },
  ],
  clock: {
    now: () => nowMs,
    after(delayMs, wake) {
      const timer = setTimeout(wake, delayMs);
      return () => clearTimeout(timer);
    },
  },
  settleMs: 0,
});
let findings = 0;
for await (const _ of verification) findings += 1;
console.log(JSON.stringify({ findings, most, compared: verification.summary.compared }));
