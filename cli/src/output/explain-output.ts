import { routeSchema } from "@xcloudflow/model/route";
import { z } from "zod";

export const explainOutputSchema = z.strictObject({ units: z.array(routeSchema) });
