import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import { decodeDocument, encodeDocument } from "@xcloudflow/model/parse-json";
import { type Route, routeSchema } from "@xcloudflow/model/route";
import type { RouteQuestion } from "@xcloudflow/model/route-layer";
import { createLruCache } from "./lru-cache.ts";
import type { RouterClient } from "./planner-context.ts";

/** Asks the router, once for each question: equal questions have equal answers. */
export interface RouteAsker {
  /** In the order of the questions. */
  ask(tenant: string, questions: readonly RouteQuestion[]): Promise<Route[]>;
}

/** Answers kept; a question and its answer take a few kilobytes. */
const KEPT_ROUTES = 50_000;
/** Questions of one call, below the router's own limit. */
const BATCH = 5_000;

export function createRouteAsker(router: RouterClient): RouteAsker {
  const known = createLruCache<string, Route>(KEPT_ROUTES);
  return {
    async ask(tenant, questions) {
      const keys = questions.map((question) => JSON.stringify(question));
      const answers = new Map<string, Route>();
      const open = new Map<string, RouteQuestion>();
      for (const [index, question] of questions.entries()) {
        const key = keys[index] ?? "";
        const answer = known.get(key);
        if (answer === undefined) open.set(key, question);
        else answers.set(key, answer);
      }
      const asked = [...open];
      for (let start = 0; start < asked.length; start += BATCH) {
        const batch = asked.slice(start, start + BATCH);
        const { routeDocuments } = await router.route(
          { questionDocuments: batch.map(([, question]) => encodeDocument(question)) },
          as(serviceCaller(tenant, "planner")),
        );
        for (const [index, [key, question]] of batch.entries()) {
          const route = decodeDocument(
            routeSchema,
            routeDocuments[index] ?? new Uint8Array(),
            `the route of ${question.address}`,
          );
          answers.set(key, route);
          known.set(key, route);
        }
      }
      return keys.flatMap((key) => answers.get(key) ?? []);
    },
  };
}
