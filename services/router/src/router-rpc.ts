import type { ServiceImpl } from "@connectrpc/connect";
import { decodeDocument, encodeDocument } from "@xcloudflow/model/parse-json";
import { routeQuestionSchema } from "@xcloudflow/model/route-layer";
import { decideRoute } from "@xcloudflow/model/route-layers";
import type { RouterService } from "@xcloudflow/proto/router/v1/router_pb";

/** Thin: reads the questions, asks, writes the answers in the same order. */
export function createRouterRpc(): ServiceImpl<typeof RouterService> {
  return {
    route({ questionDocuments }) {
      const routes = questionDocuments.map((bytes, index) => {
        const question = decodeDocument(routeQuestionSchema, bytes, `route question ${index}`);
        return encodeDocument(decideRoute(question).route);
      });
      return { routeDocuments: routes };
    },
  };
}
