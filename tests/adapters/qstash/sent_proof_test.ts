import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SentProof } from "../../../adapters/qstash/sent_proof.ts";
import { HEADER, type Message } from "../../../mod.ts";
import { arriving } from "../../support/bus_fixture.ts";
import { signingKey } from "../../support/http.ts";

const SENT = arriving("m", { headers: { [HEADER.failureCallbackName]: "order.stuck", x: "1" } });

const OTHERS: Readonly<Record<string, Message>> = {
  "another id": { ...SENT, id: "n" },
  "another name": { ...SENT, name: "order.paid" },
  "another body": { ...SENT, body: `{"n":2}` },
  "another content type": { ...SENT, contentType: "text/plain" },
  "another header": { ...SENT, headers: { ...SENT.headers, x: "2" } },
  "one header more": { ...SENT, headers: { ...SENT.headers, y: "1" } },
  "another failure callback": { ...SENT, headers: { [HEADER.failureCallbackName]: "x", x: "1" } },
};

describe("the proof that a message was sent from here", () => {
  const [old, key] = [signingKey("o"), signingKey("k")];
  const proofs = new SentProof([key], undefined);

  it("holds for that message, its body as text or as bytes", async () => {
    const proof = await proofs.of(SENT);
    assert.ok(proof !== null);
    assert.ok(await proofs.matches(SENT, proof));
    const bytes = new TextEncoder().encode(String(SENT.body));
    assert.ok(await proofs.matches({ ...SENT, body: bytes }, proof));
  });

  for (const [what, other] of Object.entries(OTHERS)) {
    it(`does not hold for one with ${what}`, async () => {
      assert.equal(await proofs.matches(other, await proofs.of(SENT) ?? ""), false);
    });
  }

  it("holds by an older key, and by no other's", async () => {
    const before = await new SentProof([old], undefined).of(SENT) ?? "";
    assert.equal(await proofs.matches(SENT, before), false);
    assert.ok(await new SentProof([key, old], undefined).matches(SENT, before));
  });

  it("is none without a key, and nothing holds then", async () => {
    const none = new SentProof(undefined, undefined);
    assert.equal(await none.of(SENT), null);
    assert.equal(await none.matches(SENT, await proofs.of(SENT) ?? ""), false);
    for (const proof of ["", "A", "no base64!"]) {
      assert.equal(await proofs.matches(SENT, proof), false);
    }
  });
});
