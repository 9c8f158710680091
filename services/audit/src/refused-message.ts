import { createHash } from "node:crypto";
import type { Delivery } from "@xcloudflow/chassis/bus";
import { unescapeSubjectToken } from "@xcloudflow/chassis/bus-subject";
import type { XcfEvent } from "@xcloudflow/chassis/event";
import type { CodedError } from "@xcloudflow/model/coded-error";
import type { AuditContext } from "./audit-context.ts";

const LONGEST_REASON = 500;
/** As tokens and certificates have them. */
const TENANT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/**
 * What the log says of a message on a tenant's events that is none; the same of the same message, however often it comes.
 * Nothing where the subject names no tenant.
 */
export function messageRefused(
  { clock }: Pick<AuditContext, "clock">,
  { id, subject, data }: Delivery,
  { code, what }: CodedError,
): XcfEvent | undefined {
  const tenant = unescapeSubjectToken(subject.split(".")[2] ?? "");
  if (!TENANT.test(tenant)) return undefined;
  return {
    id: `evt_refused_${createHash("sha256").update(id).digest("hex").slice(0, 32)}`,
    tenant,
    service: "audit",
    noun: "message",
    verb: "refused",
    subject,
    time: clock.now().toISOString(),
    actor: "service:audit",
    data: {
      code,
      reason: what.slice(0, LONGEST_REASON),
      bytes: data.byteLength,
      sha256: createHash("sha256").update(data).digest("hex"),
    },
  };
}
