import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Verify, VerifyResult } from "../../core/wire.ts";
import { verifyAny } from "../../edge/mod.ts";

const REQUEST = { method: "POST", url: "https://a.example/deliver", headers: new Headers() };

function saying(result: VerifyResult): Verify {
  return () => result;
}

const yes = saying({ ok: true });
const unknown = saying({ ok: false, kind: "unauthenticated", reason: "no signature" });
const forbidden = saying({ ok: false, kind: "forbidden", reason: "not yours" });

describe("verifyAny", () => {
  it("accepts what one of them accepts, and asks no further", async () => {
    const never: Verify = () => assert.fail("asked");
    assert.deepEqual(await verifyAny(unknown, yes, never)(REQUEST, new Uint8Array()), { ok: true });
  });

  it("refuses with all reasons, and says forbidden if one of them does", async () => {
    assert.deepEqual(await verifyAny(unknown, unknown)(REQUEST, new Uint8Array()), {
      ok: false,
      kind: "unauthenticated",
      reason: "no signature; no signature",
    });
    assert.deepEqual(await verifyAny(unknown, forbidden)(REQUEST, new Uint8Array()), {
      ok: false,
      kind: "forbidden",
      reason: "no signature; not yours",
    });
  });

  it("wants verifiers", () => {
    const wrong = verifyAny as (...verifiers: unknown[]) => unknown;
    assert.throws(() => wrong(), { code: "invalid_option" });
    assert.throws(() => wrong(yes, undefined), { code: "invalid_option" });
  });
});
