import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { OWN, PEERS, SUBSCRIBER } from "../../tools/bundle/programs.ts";
import type { BundleSize } from "../../tools/bundle/sizes.ts";
import { type Measured, measuredBundles } from "../support/bundles.ts";
import { readText } from "../support/repository.ts";

/**
 * The most a stateless subscriber may take, in bytes: somewhat over what it does, so that whoever makes
 * it larger sees it, and has to say why here. It was 20,000 until the headers that QStash delivers were
 * bound, bodies were read within a limit of memory and time, failures got classes, and user code was guarded;
 * 25,000 until the verifier of a provider brought all of its dialect along; 25,500 until dialects were checked,
 * and options and headers had the terms of the field, which are longer words; 25,800 until foreign content types
 * and numeric ids were read, and a body that was read before was said; 26,200 until failures were logged with
 * stack and causes, and errors of bodies said what the schema wanted; 27,400 until every option and argument was
 * checked for its type; 28,600 until errors of other copies of the package were recognised; 29,300 until the raw form
 * carried headers that HTTP does not preserve, and refusals of foreign signatures said what is wanted; 30,000
 * until thrown values that are no errors kept their text, and messages could be moved and made due by hand; and 30,800
 * until an option with an unknown name was refused with the name that was meant, for which every table has all names
 * (270 bytes), and the time limits of a call shared a timer (160 bytes); 31,100 until work that was done in time could
 * not be aborted any more while it is settled.
 */
const MAX_BYTES = 31_200;

/** By how much the documented sizes may differ from those of now: small changes do not need a new table. */
const MAX_DIFFERENCE = 0.03;

/** The files of a bundle that are ours, by their paths, and the packages that are not. */
function contents({ files }: Measured): { own: string[]; packages: string[] } {
  const isPackage = (path: string) => /(^|\/)(npm|node_modules)\//.test(path);
  const nameOf = (path: string) =>
    /.*\/(?:node_modules|npm\/[^/]+)\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? path;
  return {
    own: files.filter((path) => !isPackage(path)),
    packages: [...new Set(files.filter(isPackage).map(nameOf))],
  };
}

describe("the bundle of a stateless subscriber", () => {
  let bundles: Measured[] = [];
  before(() => {
    bundles = measuredBundles();
  });
  const bundleOf = (name: string): Measured => {
    const found = bundles.find((bundle) => bundle.name === name);
    assert.ok(found !== undefined);
    return found;
  };

  it(`has no more than ${MAX_BYTES} bytes`, () => {
    const { gzipBytes } = bundleOf(SUBSCRIBER.name);
    assert.ok(gzipBytes <= MAX_BYTES, `${gzipBytes} bytes`);
  });

  it("is about as large as docs/stateless.md says (deno task bundle-size)", () => {
    const sizes: BundleSize[] = JSON.parse(readText("tools/bundle/sizes.json"));
    assert.deepEqual(sizes.map(({ name }) => name), [...OWN, ...PEERS].map(({ name }) => name));
    for (const { name } of OWN) {
      const documented = sizes.find((size) => size.name === name)!.gzipBytes;
      const { gzipBytes } = bundleOf(name);
      const difference = Math.abs(gzipBytes / documented - 1);
      assert.ok(difference <= MAX_DIFFERENCE, `${name}: ${gzipBytes} bytes, not ${documented}`);
    }
  });

  it("has hono in it, and no schema library, driver, store or loop", () => {
    const { own, packages } = contents(bundleOf(SUBSCRIBER.name));
    assert.deepEqual(packages, ["hono"]);
    const adapters = own.filter((path) => path.startsWith("adapters/")).sort();
    assert.deepEqual(adapters, [
      "adapters/qstash/dialect/attempt.ts",
      "adapters/qstash/dialect/binding.ts",
      "adapters/qstash/dialect/dead_letter.ts",
      "adapters/qstash/dialect/dialect.ts",
      "adapters/qstash/public_url.ts",
      "adapters/qstash/push.ts",
      "adapters/qstash/verify.ts",
    ]);
    const parts = ["service_bus", "publish/publisher", "dispatch/dispatcher", "consume/consumer"];
    for (const part of [...parts, "half/half_store"]) {
      assert.ok(!own.includes(`bus/${part}.ts`), part);
    }
    assert.ok(
      own.includes("edge/stateless/app.ts") && own.includes("bus/consume/stateless_receiver.ts"),
    );
  });

  it("is measured by a bundler that sees what is brought along", () => {
    const { own } = contents(bundleOf(OWN.at(-1)!.name));
    assert.ok(own.includes("bus/service_bus.ts"));
    assert.ok(own.some((path) => path.startsWith("adapters/postgres/")));
  });
});
