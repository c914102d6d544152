import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { type Bundle, bundled, stopBundling } from "../../tools/bundle/bundle.ts";
import { ownPackages } from "../../tools/bundle/packages.ts";
import { OWN, SUBSCRIBER } from "../../tools/bundle/programs.ts";

/**
 * The most a stateless subscriber may take, in bytes: somewhat over what it does, so that whoever makes
 * it larger sees it, and has to say why here.
 */
const MAX_BYTES = 20_000;

/** The files of a bundle that are ours, by their paths, and the packages that are not. */
function contents({ files }: Bundle): { own: string[]; packages: string[] } {
  const paths = [...files.keys()];
  const isPackage = (path: string) => /(^|\/)(npm|node_modules)\//.test(path);
  const nameOf = (path: string) =>
    /.*\/(?:node_modules|npm\/[^/]+)\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? path;
  return {
    own: paths.filter((path) => !isPackage(path)),
    packages: [...new Set(paths.filter(isPackage).map(nameOf))],
  };
}

describe("the bundle of a stateless subscriber", () => {
  const packages = ownPackages();
  after(() => stopBundling());

  it(`has no more than ${MAX_BYTES} bytes`, async () => {
    const { gzipBytes } = await bundled(SUBSCRIBER.source, packages);
    assert.ok(gzipBytes <= MAX_BYTES, `${gzipBytes} bytes`);
  });

  it("has hono in it, and no schema library, driver, store or loop", async () => {
    const { own, packages: others } = contents(await bundled(SUBSCRIBER.source, packages));
    assert.deepEqual(others, ["hono"]);
    const rooms = own.filter((path) => path.startsWith("adapters/"));
    assert.deepEqual(rooms, ["adapters/qstash/verify.ts"]);
    for (const part of ["engine", "publisher", "dispatcher", "consumer", "half_keeper"]) {
      assert.ok(!own.includes(`core/bus/${part}.ts`), part);
    }
    assert.ok(own.includes("edge/stateless/app.ts") && own.includes("core/bus/stateless.ts"));
  });

  it("is measured by a bundler that sees what is brought along", async () => {
    const whole = contents(await bundled(OWN.at(-1)!.source, packages));
    assert.ok(whole.own.includes("core/bus/engine.ts"));
    assert.ok(whole.own.some((path) => path.startsWith("adapters/postgres/")));
  });
});
