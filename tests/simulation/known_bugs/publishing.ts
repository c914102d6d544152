/**
 * Bugs of publishing, cancelling and transactions.
 *
 * @module
 */
import type { KnownBug } from "./known_bug.ts";

/** They lose promised messages, or send what was rolled back or cancelled. */
export const PUBLISHING: readonly KnownBug[] = [
  {
    name: "promised before it is stored",
    wrong: "A publish resolves before the store has answered.",
    edits: [{
      file: "bus/publish/outbox_writer.ts",
      find: "const result = await joined[keys](born) ?? await joined.waitingKeys(born);",
      replace: "joined[keys](born).catch(() => {}); const result: Added = { added: true };",
    }],
    within: 20,
  },
  {
    name: "publish outside its transaction",
    wrong: "A message published in a transaction is written outside of it.",
    edits: [{
      file: "bus/publish/outbox_writer.ts",
      find: "await addOnce(this.#settings, { box, rows, tx });",
      replace: "await addOnce(this.#settings, { box, rows });",
    }],
    within: 20,
  },
  {
    name: "statement repeated behind its transaction",
    wrong: "An insert that failed in a transaction is repeated outside of it.",
    edits: [{
      file: "bus/publish/outbox_writer.ts",
      find: "await addOnce(this.#settings, { box, rows, tx });",
      replace: "await addOnce(this.#settings, { box, rows, tx })" +
        ".catch(() => addOnce(this.#settings, { box, rows }));",
    }],
    within: 20,
  },
  {
    name: "rolled-back messages kept",
    wrong: "A transaction whose work failed commits what it had written.",
    edits: [{
      file: "adapters/memory/memory_store.ts",
      find: "    tx.commit();\n    return result;\n  } finally {",
      replace:
        "    tx.commit();\n    return result;\n  } catch (error) { tx.commit(); throw error;\n  } finally {",
    }],
    within: 20,
  },
  {
    name: "cancelled while it is sent",
    wrong: "A cancel succeeds although another worker has claimed the message.",
    edits: [{
      file: "bus/records/cancel.ts",
      find:
        'if (record.leaseUntilMs !== null && own === undefined) return { result: "too_late" };\n',
      replace: "",
    }, {
      file: "bus/records/cancel.ts",
      find: 'guard: own === undefined ? "anyone while free" : "holder"',
      replace: 'guard: own === undefined ? "anyone" : "holder"',
    }],
    within: 300,
  },
  {
    name: "cancelled after it may have arrived",
    wrong: "A cancel succeeds although an earlier attempt may have arrived.",
    edits: [{
      file: "bus/records/cancel.ts",
      find: 'if (record.state !== "scheduled" || mayHaveArrived(record))',
      replace: 'if (record.state !== "scheduled")',
    }],
    within: 300,
  },
  {
    name: "a cancelled message is claimed",
    wrong: "Workers claim cancelled messages, and send them.",
    edits: [{
      file: "adapters/memory/records.ts",
      find: 'if (record.state !== "scheduled") return null;',
      replace: 'if (record.state !== "scheduled" && record.state !== "cancelled") return null;',
    }],
    within: 20,
  },
  {
    name: "cancelled in vain",
    wrong: "A cancel that comes too late answers `cancelled`.",
    edits: [{
      file: "bus/records/cancel.ts",
      find:
        'if (record.state !== "scheduled" || mayHaveArrived(record)) return { result: "too_late" };',
      replace:
        'if (record.state !== "scheduled" || mayHaveArrived(record)) return { result: "cancelled" };',
    }],
    within: 20,
  },
  {
    name: "a delay is ignored",
    wrong: "A delayed message is sent at once.",
    edits: [{
      file: "bus/publish/build_message.ts",
      find: "const dueAtMs = later(nowMs, delayMs);",
      replace: "const dueAtMs = later(nowMs, 0 * delayMs);",
    }],
    within: 20,
  },
  {
    name: "a reused id counts as a duplicate",
    wrong: "A publish under the id of another message resolves, and its message is lost.",
    edits: [{
      file: "bus/publish/receipt.ts",
      find: "if (!isSamePublish(existing.message, message) || !isSent(existing)) {",
      replace: "if (!isSent(existing)) {",
    }],
    within: 20,
  },
];
