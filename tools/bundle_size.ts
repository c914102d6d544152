/**
 * `deno task bundle-size`: measures the deployed size of a stateless subscriber for a worker, of its parts,
 * and of other packages for the same task. Writes `tools/bundle/sizes.json` and the table in
 * `docs/stateless.md`. The last line is `bundle-size: N bytes`. With `--files` it first lists the largest
 * files in the bundle.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { bundled } from "./bundle/bundle.ts";
import { ownPackages, peerPackages } from "./bundle/packages.ts";
import { OWN, PEERS, type Program, SUBSCRIBER } from "./bundle/programs.ts";
import type { BundleSize } from "./bundle/sizes.ts";
import { write } from "./docs/markdown.ts";
import { statelessPage } from "./stateless_page.ts";

/** How many files `--files` shows. */
const MOST_FILES = 40;
const SIZES = new URL("bundle/sizes.json", import.meta.url);

const own = ownPackages();
if (process.argv.includes("--files")) showFiles();
console.log("minified and gzipped (level 9), for a worker:\n");
const ownSizes = OWN.map((program) => measured(program, own));
const peerSizes = measuredPeers();
// Without the network nothing is written, because the table needs both.
if (peerSizes !== null) await save([...ownSizes, ...peerSizes]);
const { gzipBytes } = ownSizes.find(({ name }) => name === SUBSCRIBER.name)!;
console.log(`\nbundle-size: ${gzipBytes} bytes`);

/** The sizes of the programs for comparison; null if their packages cannot be installed. */
function measuredPeers(): BundleSize[] | null {
  let packages: string;
  try {
    packages = peerPackages();
  } catch (error) {
    console.log(`\nNot compared: ${error instanceof Error ? error.message : error}`);
    return null;
  }
  return PEERS.map((program) => measured(program, packages));
}

function measured({ name, source }: Program, packages: string): BundleSize {
  const { gzipBytes } = bundled(source, packages);
  console.log(`${gzipBytes.toLocaleString("en").padStart(9)}  ${name}`);
  return { name, gzipBytes };
}

async function save(sizes: readonly BundleSize[]): Promise<void> {
  writeFileSync(SIZES, `${JSON.stringify(sizes, null, 2)}\n`);
  console.log();
  await write(statelessPage);
}

function showFiles(): void {
  const { files, bytes } = bundled(SUBSCRIBER.source, own);
  console.log(`${bytes} bytes minified, before gzip:\n`);
  const largest = [...files].sort(([, a], [, b]) => b - a).slice(0, MOST_FILES);
  for (const [path, size] of largest) {
    console.log(`${String(size).padStart(6)}  ${path.replace(/^.*\/hono\/[^/]*\//, "hono: ")}`);
  }
  console.log();
}
