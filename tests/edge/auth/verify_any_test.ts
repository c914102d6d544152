import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Verify, VerifyResult } from "../../../core/wire/wire.ts";
import { verifyAny } from "../../../edge/mod.ts";

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

  it("asks the next one where one throws or gives nonsense, and says what was thrown", async () => {
    const thrown = new Error("no key set");
    const bad: Verify[] = [
      () => {
        throw thrown;
      },
      () => Promise.reject(thrown),
    ];
    for (const broken of bad) {
      assert.deepEqual(await verifyAny(broken, yes)(REQUEST, new Uint8Array()), {
        ok: true,
        errors: [thrown],
      });
      await assert.rejects(
        async () => await verifyAny(broken, unknown)(REQUEST, new Uint8Array()),
        {
          message: "no key set",
        },
      );
    }
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const nonsense = [undefined, null, 1, "ok", true, {}, { ok: 1 }, { ok: false }, revoked.proxy];
    for (const result of nonsense) {
      const broken = saying(result as VerifyResult);
      const accepted = await verifyAny(broken, yes)(REQUEST, new Uint8Array());
      assert.equal(accepted.ok, true);
      assert.equal("errors" in accepted && accepted.errors?.length, 1);
      await assert.rejects(async () => await verifyAny(broken, unknown)(REQUEST, new Uint8Array()));
    }
  });

  it("refuses before the body only what every one of them refuses", async () => {
    const early = (verify: Verify, reason: string | null): Verify =>
      Object.assign((...args: Parameters<Verify>) => verify(...args), {
        beforeBody: () =>
          reason === null ? null : { ok: false, kind: "unauthenticated", reason } as const,
      });
    const before = async (...all: [Verify, ...Verify[]]) =>
      await verifyAny(...all).beforeBody?.(REQUEST);
    assert.equal(await before(unknown, early(yes, "a")), null);
    assert.equal(await before(early(yes, null), early(yes, "a")), null);
    assert.deepEqual(await before(early(yes, "a"), early(yes, "b")), {
      ok: false,
      kind: "unauthenticated",
      reason: "a; b",
    });
    const failing = Object.assign((...args: Parameters<Verify>) => yes(...args), {
      beforeBody: () => {
        throw new Error("broken");
      },
    });
    assert.equal(await before(early(yes, "a"), failing), null);
  });

  it("wants verifiers", () => {
    const wrong = verifyAny as (...verifiers: unknown[]) => unknown;
    assert.throws(() => wrong(), { code: "invalid_option" });
    assert.throws(() => wrong(yes, undefined), { code: "invalid_option" });
  });
});
