import { BUN, unavailable } from "../support/runtimes/runtime.ts";
import { runtimeSuite } from "./suite.ts";

runtimeSuite(BUN, await unavailable(BUN));
