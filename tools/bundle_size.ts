/**
 * `deno task bundle-size`: how large a stateless subscriber is when it is deployed to a worker, beside its
 * parts and what others take for the same. The last line is `bundle-size: N bytes`. With `--files` it
 * shows first what takes how much of it.
 *
 * @module
 */
import process from "node:process";
import { bundled, stopBundling } from "./bundle/bundle.ts";
import { ownPackages, peerPackages } from "./bundle/packages.ts";
import { OWN, PEERS, type Program, SUBSCRIBER } from "./bundle/programs.ts";

/** How many files `--files` shows. */
const MOST_FILES = 40;

const own = ownPackages();
try {
  if (process.argv.includes("--files")) await showFiles();
  console.log("minified and gzipped (level 9), for a worker:\n");
  for (const program of [...OWN, ...PEERS]) await show(program);
  const { gzipBytes } = await bundled(SUBSCRIBER.source, own);
  console.log(`\nbundle-size: ${gzipBytes} bytes`);
} finally {
  await stopBundling();
}

async function show({ name, source, isPeer }: Program): Promise<void> {
  const { gzipBytes } = await bundled(source, isPeer ? peerPackages() : own);
  console.log(`${gzipBytes.toLocaleString("en").padStart(9)}  ${name}`);
}

async function showFiles(): Promise<void> {
  const { files, bytes } = await bundled(SUBSCRIBER.source, own);
  console.log(`${bytes} bytes minified, before gzip:\n`);
  const largest = [...files].sort(([, a], [, b]) => b - a).slice(0, MOST_FILES);
  for (const [path, size] of largest) {
    console.log(`${String(size).padStart(6)}  ${path.replace(/^.*\/hono\/[^/]*\//, "hono: ")}`);
  }
  console.log();
}
