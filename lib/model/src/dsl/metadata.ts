import { z } from "zod";
import { nameSchema } from "../address.ts";

export const API_VERSION = "xcloudflow.io/v1alpha1";

/** The one version there is; a document that leaves it out means it. */
export const apiVersionSchema = z.literal(API_VERSION).default(API_VERSION);

export const labelsSchema = z.record(
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,126}$/, "must be a label's name, such as team or example.com/team"),
  z.string().max(256),
);
export type Labels = Readonly<Record<string, string>>;

/** `name` is unique among the documents of its kind; where the file lies says nothing. */
export const metadataSchema = z.strictObject({
  name: nameSchema,
  labels: labelsSchema.default({}),
  annotations: z.record(z.string(), z.string().max(10_000)).default({}),
  description: z.string().max(10_000).optional(),
});
export type Metadata = z.infer<typeof metadataSchema>;
