/**
 * Answers: their ids are derived from headers, which must arrive as they were sent, and what only claims to be an
 * answer is rejected.
 *
 * @module
 */
import assert from "node:assert/strict";
import { admitting } from "../../../bus/consume/admission.ts";
import { answerId } from "../../../bus/settings/ids.ts";
import { HEADER } from "../../../core/message/headers.ts";
import type { AnswerOrigin } from "../../../core/message/id.ts";
import type { Message } from "../../../core/message/message.ts";
import { routed, send, SENT, TestReceiver, type TransportCases } from "./subject.ts";

/** A receiver that admits as a bus does. */
class AdmittingReceiver extends TestReceiver {
  override deliver(messages: readonly Message[]) {
    const parts = { callbackNames: null, observe: () => {} };
    return admitting(parts, messages, {}, (admitted) => super.deliver(admitted));
  }
}

/** An answer with the headers that its id is derived from, some of them changed. */
async function answer(
  origin: AnswerOrigin,
  changed: Readonly<Record<string, string | undefined>> = {},
): Promise<Message> {
  const headers: Record<string, string | undefined> = {
    [HEADER.correlationId]: origin.requestId,
    [HEADER.correlationSequence]: "1",
    [HEADER.responder]: origin.responder,
    [HEADER.group]: origin.group === "" ? undefined : origin.group,
    [HEADER.round]: origin.round === 1 ? undefined : String(origin.round),
    ...changed,
  };
  const kept = Object.entries(headers).filter((entry): entry is [string, string] =>
    entry[1] !== undefined
  );
  return routed(await answerId(origin), { headers: Object.fromEntries(kept) });
}

const ORIGIN: AnswerOrigin = {
  kind: "reply",
  requestId: "order-7",
  responder: "stock",
  group: "main",
  round: 1,
};

export const answerCases: TransportCases = {
  "answers arrive, whatever they answer": async ({ start }) => {
    const transport = await start(new AdmittingReceiver());
    const origins: AnswerOrigin[] = [
      ORIGIN,
      { ...ORIGIN, kind: "failure", group: "", round: 3 },
      { ...ORIGIN, kind: "conflict" },
      { ...ORIGIN, requestId: " Bestellung 7, für 注文 🎉 " },
      { ...ORIGIN, requestId: "x".repeat(200) },
    ];
    const answers = await Promise.all(origins.map((origin) => answer(origin)));
    assert.deepEqual(await send(transport, answers), answers.map(() => SENT));
  },

  "what only has the id of an answer is not taken, and its neighbours are": async ({ start }) => {
    const receiver = new AdmittingReceiver();
    const transport = await start(receiver);
    await send(transport, [routed("m-0"), ...await forged(), routed("m-1")]);
    assert.deepEqual(receiver.messages.map(({ id }) => id).sort(), ["m-0", "m-1"]);
  },

  "what only has the id of an answer fails for good": async ({ start }) => {
    const transport = await start(new AdmittingReceiver());
    const results = await send(transport, [routed("m-0"), ...await forged(), routed("m-1")]);
    assert.deepEqual([results[0], results.at(-1)], [SENT, SENT]);
    for (const result of results.slice(1, -1)) {
      assert.ok(result.kind === "failed" && !result.retryable, JSON.stringify(result));
    }
  },
};

/** Messages with ids in the form of answers' that do not follow from their headers. */
async function forged(): Promise<Message[]> {
  return [
    await answer(ORIGIN, { [HEADER.responder]: "mail" }),
    await answer({ ...ORIGIN, kind: "failure" }, { [HEADER.correlationId]: "order-8" }),
    await answer({ ...ORIGIN, requestId: "order-9" }, { [HEADER.group]: "other" }),
    await answer({ ...ORIGIN, requestId: "order-10" }, { [HEADER.round]: "2" }),
    await answer({ ...ORIGIN, requestId: "order-11" }, { [HEADER.responder]: undefined }),
    routed("atlast-reply-1"),
    routed("atlast-failure-"),
  ];
}
