import { NODE, unavailable } from "../support/runtimes/runtime.ts";
import { runtimeSuite } from "./suite.ts";

runtimeSuite(NODE, await unavailable(NODE));
