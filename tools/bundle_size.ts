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
for (const program of OWN) show(program, own);
showPeers();
console.log(`\nbundle-size: ${bundled(SUBSCRIBER.source, own).gzipBytes} bytes`);

/** The comparison needs the network once; the figure does not. */
function showPeers(): void {
  try {
    const packages = peerPackages();
    for (const program of PEERS) show(program, packages);
  } catch (error) {
    console.log(`\nNot compared: ${error instanceof Error ? error.message : error}`);
  }
}

function show({ name, source }: Program, packages: string): void {
  const { gzipBytes } = bundled(source, packages);
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
