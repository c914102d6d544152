/**
 * What becomes of messages that arrived: one effect and one reply for each that was handled, one failure callback for
 * each that failed.
 *
 * @module
 */
import { isDerivedId } from "../../../bus/settings/ids.ts";
import { HEADER } from "../../../mod.ts";
import type { StoredRecord } from "../../../ports.ts";
import { Deduct, Effect, Marked, SERVICES, Stuck } from "../contracts.ts";
import { type Entry, keyText } from "../ledger.ts";
import type { World } from "../world.ts";
import type { Invariant } from "./invariant.ts";
import { reportOf } from "./promises.ts";

/** A message has its effect once in each group that handled it, and none where it was not handled. */
export const effects: Invariant = {
  name: "effects",
  atEnd({ ledger }, fail) {
    const made: string[] = [];
    for (const service of SERVICES) {
      for (const { record: { message } } of ledger.ofName(service, Effect.name).values()) {
        // Orders gets those of inventory too.
        const { of, group } = JSON.parse(String(message.body)) as { of: string; group: string };
        made.push(`${message.id} ${keyText({ id: of, group })}`);
      }
    }
    const effectOf = [...new Set(made)].map((text) => text.slice(text.indexOf(" ") + 1));
    const handled: string[] = [];
    for (const service of SERVICES) {
      for (const { record } of ledger.of(service, "inbox")) {
        if (record.state === "succeeded" && record.message.name !== Effect.name) {
          handled.push(keyText(record));
        }
      }
    }
    // Also shows that nothing is left of a transaction that was rolled back.
    differ(
      effectOf,
      handled,
      (key) => fail(`${key} was handled, and has another number of effects`),
    );
  },
};

/** Exactly one reply for each message that was handled, from the moment at which it was. */
export const replies: Invariant = {
  name: "replies",
  changed({ service, box, kind, event, after }, _entry, { ledger }, fail) {
    if (service !== "inventory" || after === null) return;
    const { message: { name, headers } } = after;
    const isReply = box === "outbox" && kind === "added" && name === Marked.name;
    const isHandled = box === "inbox" && event === "succeed" && name === Deduct.name;
    if (!isReply && !isHandled) return;
    const key = isReply ? originOf(after) : keyText(after);
    const count = ledger.of("inventory", "outbox", Marked.name)
      .filter(({ record }) => originOf(record) === key).length;
    const wanted = isReply || headers[HEADER.callbackName] !== undefined ? 1 : 0;
    if (count !== wanted) fail(`${key} has ${count} replies`);
  },
  atEnd({ ledger }, fail) {
    const handled = ledger.of("inventory", "inbox", Deduct.name)
      .filter(({ record }) => record.state === "succeeded").map(({ record }) => keyText(record));
    const origins = ledger.of("inventory", "outbox", Marked.name)
      .map(({ record }) => originOf(record));
    differ(origins, handled, (key) => fail(`${key} has another number of replies than 1`));
  },
};

/** The publisher learns of each failure, once for each round. */
export const failures: Invariant = {
  name: "failures",
  atEnd({ ledger, network: { parked } }, fail) {
    const sent = ledger.of("inventory", "outbox", Stuck.name);
    const failed = ledger.of("inventory", "inbox").filter(wantsReport);
    const unhandled = failed.flatMap(roundsOf);
    differ(
      sent.map(aboutOf),
      unhandled,
      (about) => fail(`the failure of ${about} has another number of callbacks than 1`),
    );
    const unsent = ledger.of("orders", "outbox").filter(wantsReport).flatMap(roundsOf);
    const known = ledger.of("orders", "inbox", Stuck.name).map(aboutOf);
    if (new Set(known).size !== known.length) fail("a failure was reported twice");
    const arrived = sent.filter(({ record: { id, state } }) =>
      state === "succeeded" && !parked.has(id)
    );
    for (const about of [...unsent, ...arrived.map(aboutOf)]) {
      if (!known.includes(about)) fail(`orders was not notified of the failure of ${about}`);
    }
  },
};

/** Who gets an answer can derive its id again: it is the same however often the answer is made. */
export const answerIds: Invariant = {
  name: "answer ids",
  async atEnd({ ledger }, fail) {
    for (const service of SERVICES) {
      for (const name of [Marked.name, Stuck.name]) {
        for (const { record } of ledger.ofName(service, name).values()) {
          if (!await isDerivedId(record.message)) fail(`${record.id} is not derived`);
        }
      }
    }
  },
};

/** What nothing can handle is not handled. */
export const poison: Invariant = {
  name: "poison",
  changed({ box, event, after }, _entry, _world: World, fail) {
    if (box !== "inbox" || event !== "succeed" || after === null) return;
    const { isPoison } = JSON.parse(String(after.message.body)) as { isPoison?: boolean };
    if (isPoison) fail(`${keyText(after)} is poison and was handled`);
  },
};

/** Calls `report` for what is in one list more often than in the other. */
function differ(
  some: readonly string[],
  others: readonly string[],
  report: (item: string) => void,
): void {
  const counts = new Map<string, number>();
  for (const item of some) counts.set(item, (counts.get(item) ?? 0) + 1);
  for (const item of others) counts.set(item, (counts.get(item) ?? 0) - 1);
  for (const [item, count] of counts) if (count !== 0) report(item);
}

function originOf({ message: { headers } }: StoredRecord): string {
  return keyText({ id: headers[HEADER.correlationId] ?? "", group: headers[HEADER.group] ?? "" });
}

function wantsReport({ record: { message } }: Entry): boolean {
  return message.headers[HEADER.failureCallbackName] !== undefined;
}

/** The failures of a record, one for each round in which it failed. */
function roundsOf({ record, failedIn }: Entry): string[] {
  return failedIn.map((round) => `${keyText(record)} in round ${round}`);
}

/** What a failure callback is about. */
function aboutOf({ record }: Entry): string {
  const { messageId, group, round } = reportOf(record);
  return `${keyText({ id: messageId, group })} in round ${round}`;
}
