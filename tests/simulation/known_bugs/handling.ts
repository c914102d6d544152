/**
 * Bugs of receiving and handling.
 *
 * @module
 */
import type { KnownBug } from "./known_bug.ts";

/** The end of a handler that did nothing. */
const NOTHING =
  '{ kind: "handled", value: undefined, reply: null, decision: null, answer: null } as Handled';

/** They lose messages, or handle them without their effect or with two. */
export const HANDLING: readonly KnownBug[] = [
  {
    name: "answered before it is stored",
    wrong: "A delivery is acknowledged before the inbox has stored it.",
    edits: [{
      file: "bus/consume/inbox_writer.ts",
      find: "const results = await addToInbox(settings, arrivals.flat(), nowMs, options);",
      replace: "addToInbox(settings, arrivals.flat(), nowMs, options).catch(() => {}); " +
        "const results: (DeliveryResult | null)[] = [];",
    }],
    within: 20,
  },
  {
    name: "a duplicate is taken by its id alone",
    wrong: "The inbox recognises a message by its id, whatever the group.",
    edits: [{
      file: "adapters/memory/records.ts",
      find: "${key.id}:${key.group}`",
      replace: "${key.id}`",
    }],
    within: 20,
  },
  {
    name: "a duplicate replaces its record",
    wrong: "A message that arrives again replaces its record, and is handled again.",
    edits: [{
      file: "adapters/memory/writes.ts",
      find: "if (existing !== undefined) return existing;",
      replace: "",
    }],
    within: 20,
  },
  {
    name: "a duplicate is handled at once",
    wrong: "A delivery whose record exists already begins the handler without a claim.",
    edits: [{
      file: "bus/records/add_to_inbox.ts",
      find: "return conflictWith(record, result.existing) ?? resultOf(result.existing);",
      replace: "return conflictWith(record, result.existing);",
    }],
    within: 20,
  },
  {
    name: "settled before it is handled",
    wrong: "A message counts as handled when its handler has begun.",
    edits: [{
      file: "bus/consume/handler_transaction.ts",
      find: "return wanted.during(() => runHandler(this, run, body, wanted, limit));",
      replace: "runHandler(this, run, body, wanted, limit).catch(() => {}); " +
        `return wanted.during(() => Promise.resolve(${NOTHING}));`,
    }],
    within: 20,
  },
  {
    name: "a timeout counts as success",
    wrong: "A handler that did not end in its time counts as one that succeeded.",
    edits: [{
      file: "bus/consume/consumer.ts",
      find: "? await this.#settle(record, result, attemptFailed)",
      replace:
        '? await this.#settle(record, result.code === "timed_out" ? { kind: "succeed" } : result)',
    }],
    within: 20,
  },
  {
    name: "a stopped handler counts as success",
    wrong: "A handler that the stopping bus aborted counts as one that succeeded.",
    edits: [{
      file: "bus/consume/consumer.ts",
      find:
        'kind: "release",\n          delayMs: result.delayMs ?? 0,\n          reason: record.reason,\n' +
        "          mayHaveArrived: true,",
      replace: 'kind: "succeed",',
    }],
    within: 20,
  },
  {
    name: "a handler's publish outside its transaction",
    wrong: "What a handler publishes is not part of its transaction.",
    edits: [{
      file: "bus/consume/handler_context.ts",
      find: "const joined = isRecord(options) ? { ...options, tx } : options;",
      replace: "const joined = options;",
    }],
    within: 20,
  },
  {
    name: "reply outside the handler's transaction",
    wrong: "A reply is stored beside the transaction that settles its request.",
    edits: [{
      file: "bus/consume/handler_transaction.ts",
      find: "const records = answer === null ? [] : [answer];",
      replace: "const records: NonNullable<typeof answer>[] = []; if (answer !== null) " +
        'this.#settings.store.add("outbox", [answer], this.clock.now()).catch(() => {});',
    }],
    within: 50,
  },
  {
    name: "a batch hides its failed message",
    wrong: "A message that fails within a batch is settled like the others.",
    edits: [{
      file: "bus/consume/run_handler_batch.ts",
      find: "const handled = await runHandler(handlers, run, body, own, limit);",
      replace: "const handled = await runHandler(handlers, run, body, own, limit)" +
        `.catch(() => (${NOTHING}));`,
    }],
    within: 20,
  },
  {
    name: "a late handler commits",
    wrong: "A handler commits although its settlement was stale.",
    edits: [{
      file: "bus/consume/handler_transaction.ts",
      find: "if (added === null) throw leaseLostAtEnd();",
      replace: "if (added === null) return decided;",
    }],
    within: 200,
  },
  {
    name: "failure without its callback",
    wrong: "A message that failed for good has no failure callback.",
    edits: [{
      file: "bus/records/settle_decisions.ts",
      find: "if (callback !== null) callbacks.set(decision, callback);",
      replace: "",
    }],
    within: 20,
  },
  {
    name: "failure callback after its failure",
    wrong: "A failure callback is stored after the failure, not with it.",
    edits: [{
      file: "bus/records/settle_decisions.ts",
      find:
        "const results = await settler.alone({ settlement, ...rows });\n    if (results === null) return false;",
      replace:
        "if (await settler.alone({ settlement, box: rows.box, records: [] }) === null) return false; " +
        "const results = await settings.store.add(rows.box, rows.records, settings.clock.now());",
    }],
    within: 150,
  },
  {
    name: "failure callback at each failed attempt",
    wrong: "Attempts that are repeated have a failure callback too.",
    edits: [{
      file: "bus/records/settle_decisions.ts",
      find: 'decisions.filter(({ patch }) => patch.state === "failed");',
      replace: 'decisions.filter(({ event }) => event.kind === "fail");',
    }],
    within: 20,
  },
  {
    name: "callback id not derived",
    wrong: "The id of a callback is a new one each time.",
    edits: [{
      file: "bus/settings/ids.ts",
      find: "encode(answerIdSource(origin));",
      replace: "encode(answerIdSource(origin) + crypto.randomUUID());",
    }],
    within: 50,
  },
  {
    name: "callback id without the group",
    wrong: "The callbacks of two groups of a service have one id.",
    edits: [{
      file: "core/message/id.ts",
      find: "const parts = [kind, requestId, responder, group, round];",
      replace: "const parts = [kind, requestId, responder, round];",
    }],
    within: 20,
  },
  {
    name: "failure callback sent twice",
    wrong: "A failure has two callbacks, with ids of their own.",
    edits: [{
      file: "bus/records/settle_decisions.ts",
      find:
        "const results = await settler.alone({ settlement, ...rows });\n    if (results === null) return false;",
      replace:
        "const results = await settler.alone({ settlement, ...rows }); if (results === null) return false; " +
        "const again = rows.records.map((row) => ({ ...row, id: `${row.id}2`, " +
        "message: { ...row.message, id: `${row.id}2` } })); " +
        "await settings.store.add(rows.box, again, settings.clock.now());",
    }],
    within: 20,
  },
  {
    name: "a success counts no attempt",
    wrong: "An attempt that succeeded is not counted.",
    edits: [{
      file: "core/lifecycle/lifecycle.ts",
      find: '"succeeded",\n        message.attempts + 1,',
      replace: '"succeeded",\n        message.attempts,',
    }],
    within: 20,
  },
  {
    name: "a final failure is repeated",
    wrong: "A failure that is not retryable is tried again on the schedule.",
    edits: [{
      file: "core/lifecycle/next_attempt.ts",
      find: "if (!failure.retryable) return { isCounted: true, atMs: null };",
      replace: "",
    }],
    within: 20,
  },
  {
    name: "handled after its deadline",
    wrong: "A message is tried although its deadline has passed.",
    edits: [{
      file: "core/lifecycle/before_attempt.ts",
      find: "if (deadlineMs !== null && deadlineMs < nowMs)",
      replace: "if (deadlineMs !== null && deadlineMs < 0)",
    }],
    within: 20,
  },
];
