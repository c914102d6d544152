/**
 * The flows of the page "what happens when": each way of a message, with its steps in words.
 *
 * @module
 */
import { NonRetryable } from "../../mod.ts";
import { Deduct, Marked, Note, Stuck } from "../../tests/simulation/contracts.ts";
import type { Flow } from "./run_flow.ts";
import { ID, type Scene } from "./scene.ts";

const BODY = { n: 7, isPoison: false };
/** How long a delayed message waits, in milliseconds. */
const DELAY_MS = 10_000;
/** How long a message waits that is cancelled, in milliseconds. */
const LONG_DELAY_MS = 60_000;
/** How long records are kept where they are pruned, and how often that is, in milliseconds. */
const RETENTION_MS = 30_000;
const PRUNE_MS = 20_000;

/** The end of most flows. */
const HANDLED = ["handled after", `inventory inbox ${Note.name} succeeded`] as const;

/** Every flow, in the order of a message's life. */
export const FLOWS: readonly Flow[] = [
  {
    title: "Publish",
    text: "`orders` publishes a message without a transaction, and the bus sends it at once.",
    caller: "`publish`",
    goal: HANDLED,
    call: publishNote,
    steps: { [`orders add outbox ${Note.name}`]: "storing the message" },
  },
  {
    title: "Publish again",
    text: "`orders` chooses the id, and calls `publish` again with the same id after an error.",
    caller: "`publish`",
    goal: HANDLED,
    call: async (scene) => {
      const publish = () => scene.busOf("orders").publish(Note, BODY, { id: ID });
      let calls = 1;
      const { duplicate } = await publish().catch(async () => {
        // A database that restarts is back by then.
        await scene.time.pause(2_000);
        calls += 1;
        return await publish();
      });
      return `resolves at call ${calls}${duplicate ? ", with `duplicate: true`" : ""}`;
    },
    steps: { [`orders add outbox ${Note.name}`]: "storing the message" },
  },
  {
    title: "Publish in a transaction",
    text:
      "`orders` publishes a message in `bus.transaction`, does its business work, and commits both.",
    caller: "`bus.transaction`",
    goal: HANDLED,
    call: async (scene) => {
      const bus = scene.busOf("orders");
      await bus.transaction(async (tx) => {
        await bus.publish(Note, BODY, { id: ID, tx });
        await scene.step("orders", "business work");
      });
      return "resolves";
    },
    steps: {
      "orders begin": "beginning the transaction",
      [`orders add outbox ${Note.name}`]: "adding the message",
      "orders business work": "the business work",
      "orders commit": "committing",
    },
  },
  {
    title: "Half message",
    text:
      "`orders` calls `bus.transact`: the message is stored as `prepared`, the operation commits in " +
      "another database with its fence row, and the message is confirmed.",
    caller: "`bus.transact`",
    goal: HANDLED,
    call: async (scene) => {
      const { outcome } = await scene.busOf("orders").transact(
        Note,
        BODY,
        () => scene.step("orders", "business work"),
        { id: ID },
      );
      return `\`${outcome}\``;
    },
    steps: {
      [`orders add outbox ${Note.name}`]: "storing the half message",
      "orders begin": "beginning the operation's transaction",
      "orders fence": "writing the fence row",
      "orders business work": "the business work",
      "orders commit": "committing",
      "orders business transaction": "committing",
      [`orders find outbox ${Note.name}`]: "reading the half message",
      [`orders settle outbox ${Note.name}`]: "confirming the message",
    },
  },
  {
    title: "Check-back",
    text:
      "The operation of a half message has committed, and its process died before it confirmed the " +
      "message. The bus checks back after 10 seconds.",
    goal: HANDLED,
    before: async (scene) => {
      const bus = scene.busOf("orders");
      const half = await bus.prepare(Note, BODY, { id: ID });
      await scene.fence.transaction((tx) => half.fence(tx));
    },
    steps: {
      [`orders claim outbox ${Note.name}`]: "claiming the half message",
      "orders ask": "reading the fence",
      [`orders settle outbox ${Note.name}`]: "confirming the message",
    },
  },
  {
    title: "Send",
    text: "A worker of `orders` claims a message that was delayed by 10 seconds, and sends it.",
    goal: HANDLED,
    hasHandler: true,
    before: (scene) => scene.busOf("orders").publish(Note, BODY, { id: ID, delayMs: DELAY_MS }),
    steps: {
      [`orders claim outbox ${Note.name}`]: "claiming the message",
      [`orders send ${Note.name}`]: "sending the message",
      [`orders settle outbox ${Note.name}`]: "marking the message as sent",
    },
  },
  {
    title: "Deliver",
    text: "The message is on its way, and `inventory` stores it in its inbox before it answers.",
    goal: HANDLED,
    hasHandler: true,
    call: publishNote,
    steps: {
      [`network carry ${Note.name}`]: "the message",
      [`inventory add inbox ${Note.name}`]: "storing the message",
    },
  },
  {
    title: "Handle with a transaction",
    text: "The handler calls another system, and then writes with its `tx`.",
    goal: HANDLED,
    hasHandler: true,
    call: publishNote,
    steps: {
      "inventory elsewhere": "calling the other system",
      "inventory add outbox written": "writing with `tx`",
      [`inventory settle inbox ${Note.name}`]: "marking the message as handled",
      "inventory commit": "committing",
    },
  },
  {
    title: "Handle without a transaction",
    text:
      "The handler calls another system, with the option `transaction: false` or on a store without " +
      "transactions.",
    goal: HANDLED,
    hasHandler: true,
    hasTransaction: false,
    call: publishNote,
    steps: {
      "inventory elsewhere": "calling the other system",
      [`inventory settle inbox ${Note.name}`]: "marking the message as handled",
    },
  },
  {
    title: "Reply",
    text:
      "The handler returns a reply, which is stored in its transaction and sent to `orders`. There it is " +
      "delivered and handled as any other message.",
    goal: ["reply handled after", `orders inbox ${Marked.name} succeeded`],
    hasHandler: true,
    call: (scene) =>
      scene.busOf("orders").publish(Deduct, BODY, { id: ID, callback: Marked }).then(() => ""),
    steps: {
      [`inventory add outbox ${Marked.name}`]: "storing the reply",
      [`inventory send ${Marked.name}`]: "sending the reply",
      [`network carry ${Marked.name}`]: "the reply",
    },
  },
  {
    title: "Failure callback",
    text:
      "The handler throws `NonRetryable`. The failure and its callback are stored at once, and the callback " +
      "is sent to `orders` as any other message.",
    goal: ["publisher notified after", `orders inbox ${Stuck.name} succeeded`],
    hasHandler: true,
    handled: () => {
      throw new NonRetryable("no such article");
    },
    call: (scene) =>
      scene.busOf("orders").publish(Note, BODY, { id: ID, failureCallback: Stuck }).then(() => ""),
    steps: {
      [`inventory settle inbox ${Note.name}`]: "marking the message as failed",
      [`inventory add outbox ${Stuck.name}`]: "storing the failure callback",
      "inventory begin": "beginning the transaction that settles it",
      "inventory commit": "committing",
      [`inventory send ${Stuck.name}`]: "sending the failure callback",
      [`network carry ${Stuck.name}`]: "the failure callback",
    },
  },
  {
    title: "Cancel",
    text: "`orders` cancels a message that is delayed by a minute.",
    caller: "`cancel`",
    goal: ["cancelled after", `orders outbox ${Note.name} cancelled`],
    before: (scene) =>
      scene.busOf("orders").publish(Note, BODY, { id: ID, delayMs: LONG_DELAY_MS }),
    call: async (scene) => `\`${await scene.busOf("orders").cancel(ID)}\``,
    steps: {
      [`orders find outbox ${Note.name}`]: "reading the message",
      [`orders settle outbox ${Note.name}`]: "cancelling the message",
    },
  },
  {
    title: "Retry by hand",
    text:
      "The handler has thrown `NonRetryable`, the cause is mended, and an operator calls `bus.retry`.",
    caller: "`retry`",
    calls: "inventory",
    goal: HANDLED,
    hasHandler: true,
    handled: (run) => {
      if (run === 1) throw new NonRetryable("no such article");
    },
    before: (scene) => scene.busOf("orders").publish(Note, BODY, { id: ID }),
    call: async (scene) => {
      await scene.busOf("inventory").retry({ box: "inbox", id: ID, group: "stock" });
      return "resolves";
    },
    steps: {
      [`inventory find inbox ${Note.name}`]: "reading the message",
      [`inventory settle inbox ${Note.name}`]: "scheduling the message again",
      [`inventory claim inbox ${Note.name}`]: "claiming the message",
    },
  },
  {
    title: "Prune",
    text:
      "A message was handled, and its records expire. Here they are kept for 30 seconds and pruned every 20; " +
      "the defaults are a day and an hour.",
    goal: ["pruned after", `inventory inbox ${Note.name} pruned`],
    hasHandler: true,
    bus: { pruneEveryMs: PRUNE_MS, expiry: { succeededMs: RETENTION_MS } },
    call: publishNote,
    steps: {
      [`network carry ${Note.name}: late`]: "the message",
      "inventory prune inbox expired": "pruning the record",
    },
  },
];

async function publishNote(scene: Scene): Promise<string> {
  await scene.busOf("orders").publish(Note, BODY, { id: ID });
  return "resolves";
}
