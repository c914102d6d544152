import { DENO, unavailable } from "../support/runtimes/runtime.ts";
import { runtimeSuite } from "./suite.ts";

runtimeSuite(DENO, await unavailable(DENO));
