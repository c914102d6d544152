/**
 * Compares records of an outbox with the inboxes of the services that receive them.
 *
 * @module
 */
import { HEADER } from "../../core/message/headers.ts";
import { CLOCK_MARGIN_MS } from "../../core/ports/inbox_memory.ts";
import type { RecordOutline } from "../../core/ports/inspection.ts";
import { firstAttemptAt } from "../../core/wire/first_attempt.ts";
import { type Check, type Doubt, doubtOf } from "./check.ts";
import type { FindingProblem } from "./finding.ts";
import { type Service, type Services, settledAt } from "./service.ts";
import type { Tally } from "./summary.ts";
import type { VerifyOptions } from "./verify_options.ts";

/** A message that a service should have. */
interface Expected {
  readonly item: RecordOutline;
  /** The groups that take it there. */
  readonly groups: readonly string[];
  /** Whether each of them must have it: the publisher stored it for them itself. */
  readonly isForEach: boolean;
}

/** Checks that what was sent has arrived, and that nothing else has. */
export class DeliveryCheck implements Check<RecordOutline> {
  readonly #service: Service;
  readonly #services: Services;
  readonly #transitMs: number;

  constructor(service: Service, services: Services, { transitMs = 0 }: VerifyOptions) {
    this.#service = service;
    this.#services = services;
    this.#transitMs = transitMs;
  }

  async look(items: readonly RecordOutline[], tally: Tally): Promise<Doubt<RecordOutline>[]> {
    const doubts: Doubt<RecordOutline>[] = [];
    for (const [receiver, expected] of this.#byReceiver(items, tally)) {
      doubts.push(...await this.#compare(receiver, expected, tally));
    }
    return doubts;
  }

  #byReceiver(items: readonly RecordOutline[], tally: Tally): Map<Service, Expected[]> {
    const all = new Map<Service, Expected[]>();
    const expect = (receiver: Service, expected: Expected) => {
      const others = all.get(receiver);
      if (others === undefined) all.set(receiver, [expected]);
      else others.push(expected);
    };
    for (const item of items) {
      const { details, message: { name, headers } } = item;
      if (details?.groups !== undefined) {
        expect(this.#service, { item, groups: details.groups, isForEach: true });
        continue;
      }
      const receivers = headers[HEADER.destination] === undefined
        ? this.#service.receiversOf(name, this.#services)
        : [];
      if (receivers.length === 0) tally.notJudged.outOfReach += 1;
      for (const receiver of receivers) {
        expect(receiver, { item, groups: receiver.groupsOf(name), isForEach: false });
      }
    }
    return all;
  }

  async #compare(
    receiver: Service,
    all: readonly Expected[],
    tally: Tally,
  ): Promise<Doubt<RecordOutline>[]> {
    const keys = all.flatMap(({ item: { id }, groups }) => groups.map((group) => ({ id, group })));
    const found = await receiver.reader.withIds("inbox", keys);
    const doubts: Doubt<RecordOutline>[] = [];
    const missing: Expected[] = [];
    for (const expected of all) {
      const { item, groups, isForEach } = expected;
      const records = found.get(item.id) ?? [];
      const isIts = ({ message }: RecordOutline) => message.name === item.message.name;
      // In other groups too: a group may have been renamed since, or its record moved.
      const arrived = records.filter(isIts);
      const hasOther = records.some((record) => groups.includes(record.group) && !isIts(record));
      const doubt = this.#contradiction(item, receiver, arrived, hasOther);
      if (doubt !== null) doubts.push(doubt);
      if (item.state === "scheduled" && arrived.length > 0) tally.sentAgain += 1;
      if (item.state !== "succeeded" || hasOther) continue;
      const without = groups.filter((group) => arrived.every((record) => record.group !== group));
      if (isForEach) {
        missing.push(...without.map((group) => ({ item, groups: [group], isForEach })));
      } else if (arrived.length === 0) {
        const isBefore = settledAt(item, this.#service) < receiver.receivesSinceMs;
        if (isBefore) tally.notJudged.beforeReceiver += 1;
        else missing.push(expected);
      } else if (without.length > 0) tally.notJudged.otherGroup += 1;
    }
    return [...doubts, ...await this.#lost(receiver, missing, tally)];
  }

  /** What the inbox has and, by the outbox, should not have. */
  #contradiction(
    item: RecordOutline,
    receiver: Service,
    arrived: readonly RecordOutline[],
    hasOther: boolean,
  ): Doubt<RecordOutline> | null {
    const doubt = (problem: FindingProblem, text: string) =>
      doubtOf(this.#service, item, {
        problem,
        text,
        other: receiver.name,
        unchangedSinceMs: settledAt(item, this.#service),
      });
    const isIn = (state: RecordOutline["state"]) => arrived.some((each) => each.state === state);
    const { name } = receiver;
    switch (item.state) {
      case "succeeded":
        if (!hasOther) return null;
        return doubt("different_message", `was sent, and ${name} has another message with this id`);
      case "failed":
        if (!isIn("succeeded")) return null;
        return doubt("failed_but_handled", `is failed, and ${name} has handled it`);
      case "cancelled":
        if (!isIn("scheduled") && !isIn("succeeded") && !isIn("failed")) return null;
        return doubt("cancelled_but_received", `is cancelled, and ${name} has it`);
      case "prepared":
      case "in_doubt":
        if (arrived.length === 0) return null;
        return doubt("undecided_but_received", `is ${item.state}, and ${name} has it already`);
      case "scheduled":
        return null;
    }
  }

  /** Those of the missing messages that the receiver neither remembers nor can have pruned. */
  async #lost(
    receiver: Service,
    missing: readonly Expected[],
    tally: Tally,
  ): Promise<Doubt<RecordOutline>[]> {
    if (missing.length === 0) return [];
    const keys = missing.flatMap(({ item: { id }, groups }) =>
      groups.map((group) => ({ id, group }))
    );
    const recalled = await receiver.recall(keys);
    const doubts: Doubt<RecordOutline>[] = [];
    let next = 0;
    for (const { item, groups, isForEach } of missing) {
      const from = next;
      next += groups.length;
      if (recalled?.remembered.slice(from, next).some((each) => each !== null)) continue;
      // By the clock of the publisher; the other time is by that of the receiver.
      const arrivedAtMs = firstAttemptAt(item, Infinity) - CLOCK_MARGIN_MS;
      const sentAtMs = settledAt(item, this.#service);
      if (recalled === null || (recalled.prunedUntilMs ?? -Infinity) > arrivedAtMs) {
        tally.notJudged.pruned += 1;
      } else if (this.#service.now() - sentAtMs < this.#transitMs) {
        tally.notJudged.inTransit += 1;
      } else {
        doubts.push(doubtOf(this.#service, item, {
          problem: "not_received",
          text: `was sent, and ${receiver.name} does not have it`,
          other: receiver.name,
          group: isForEach ? groups[0] ?? "" : "",
          sinceMs: sentAtMs,
        }));
      }
    }
    return doubts;
  }
}
