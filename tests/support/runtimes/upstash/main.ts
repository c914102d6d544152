/**
 * Tells the story on Node, Bun or Deno, and prints what became of it as JSON. Arguments: URL, token, prefix.
 *
 * @module
 */
import process from "node:process";
import { Redis } from "@upstash/redis";
import { story } from "./story.ts";

const [url, token, prefix = ""] = process.argv.slice(2);
console.log(JSON.stringify(await story(new Redis({ url, token }), prefix)));
