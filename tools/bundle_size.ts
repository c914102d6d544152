/**
 * `deno task bundle-size`: how large a stateless subscriber is when it is deployed to a worker, beside its
 * parts and what others take for the same. The last line is `bundle-size: N bytes`. With `--files` it
 * shows first what takes how much of it.
 *
 * @module
 */
import process from "node:process";
import { bundled } from "./bundle/bundle.ts";
import { ownPackages, peerPackages } from "./bundle/packages.ts";
import { OWN, PEERS, type Program, SUBSCRIBER } from "./bundle/programs.ts";

/** How many files `--files` shows. */
const MOST_FILES = 40;

const own = ownPackages();
if (process.argv.includes("--files")) showFiles();
console.log("minified and gzipped (level 9), for a worker:\n");
for (const program of [...OWN, ...PEERS]) show(program);
console.log(`\nbundle-size: ${bundled(SUBSCRIBER.source, own).gzipBytes} bytes`);

function show({ name, source, isPeer }: Program): void {
  const { gzipBytes } = bundled(source, isPeer ? peerPackages() : own);
  console.log(`${gzipBytes.toLocaleString("en").padStart(9)}  ${name}`);
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
