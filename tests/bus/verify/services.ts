/**
 * Services whose stores a test fills by hand, and what `verify` says of them.
 *
 * @module
 */
import type { Box } from "../../../core/lifecycle/lifecycle.ts";
import type { Message } from "../../../core/message/message.ts";
import type { Clock } from "../../../core/ports/platform.ts";
import type { NewRecord } from "../../../core/ports/record.ts";
import type { Store } from "../../../core/ports/store.ts";
import {
  type Finding,
  type VerifiedService,
  verify,
  type VerifyOptions,
  type VerifySummary,
} from "../../../bus/verify/mod.ts";
import { NOW, recordOf } from "../../../devtools/conformance/store/subject.ts";
import type { OpenStore } from "../../support/every_store.ts";

export { NOW };
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** A clock that stands still, and waits for nothing. */
export const STILL: Clock = {
  now: () => NOW,
  after(_delayMs, wake) {
    const timer = setTimeout(wake, 0);
    return () => clearTimeout(timer);
  },
};

/** A subscriber of `order.placed` in each of these groups. */
export function groups(...names: string[]): NonNullable<VerifiedService["subscribers"]> {
  return names.map((group) => ({ pattern: "order.placed", group }));
}

/** Adds a record that was published an hour ago, and is settled unless `changes` says otherwise. */
export async function put(
  store: Store,
  box: Box,
  id: string,
  { createdAtMs = NOW - HOUR_MS, ...changes }:
    & Partial<Omit<NewRecord, "id" | "message">>
    & { readonly createdAtMs?: number } = {},
  message: Partial<Message> = {},
): Promise<void> {
  const record = recordOf(id, {
    group: box === "inbox" ? "g" : "",
    state: "succeeded",
    dueAtMs: createdAtMs,
    ...changes,
  }, { sentAtMs: createdAtMs, ...message });
  await store.add(box, [record], createdAtMs);
}

/** What a verification said. */
export interface Verified {
  readonly findings: readonly Finding[];
  /** Each finding in short: problem, service, the other service, id and group. */
  readonly short: readonly string[];
  readonly summary: VerifySummary;
}

/** Verifies to the end. */
export async function verified(
  services: readonly VerifiedService[],
  options: Partial<VerifyOptions> = {},
): Promise<Verified> {
  const verification = verify({ services, clock: STILL, settleMs: 0, ...options });
  const findings: Finding[] = [];
  for await (const finding of verification) findings.push(finding);
  const short = findings.map(({ problem, service, other, id, group }) =>
    [problem, service, other ?? "-", id, group].join(" ").trim()
  );
  return { findings, short: short.sort(), summary: verification.summary };
}

/** Runs a test with the empty stores of two services. */
export async function withTwo(
  open: OpenStore,
  test: (orders: Store, stock: Store) => Promise<void>,
): Promise<void> {
  const [one, two] = [await open(), await open()];
  try {
    await test(one.store, two.store);
  } finally {
    await one.close();
    await two.close();
  }
}
