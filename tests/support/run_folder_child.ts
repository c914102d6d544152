/**
 * A process with the folder of a crash run, a tmpfs in it where it may mount one, and a server. It says where they are,
 * and waits to be killed.
 *
 * @module
 */
import { makeRunFolder } from "../../tools/crash/run_folder.ts";
import { mountTmpfs } from "../../tools/crash/tmpfs.ts";
import { startPostgres } from "../../tools/postgres_server.ts";

const folder = makeRunFolder();
mountTmpfs(folder, 2 ** 20);
const server = await startPostgres({ parent: folder });
console.log(JSON.stringify({ folder, server: server.pid }));
setInterval(() => {}, 1_000);
