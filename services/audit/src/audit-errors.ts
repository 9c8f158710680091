import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when the stored log is not the one that was signed last: nothing is added to it, so that nothing is covered up. */
export class AuditLogTamperedError extends CodedError {
  constructor(tenant: string, what: string) {
    super("AUDIT_LOG_TAMPERED", "dataLoss", {
      what: `the audit log was changed behind the audit service: ${what}`,
      where: `tenant ${tenant}`,
      hint: "keep the database as evidence, run `xcf audit verify`, and restore the log from a backup",
    });
  }
}

/** Thrown when an entry is asked for that the log does not have. */
export class AuditEntryNotFoundError extends CodedError {
  constructor(name: string) {
    super("AUDIT_ENTRY_NOT_FOUND", "notFound", {
      what: `the audit log has no entry ${name}`,
      hint: "`xcf audit query` lists the entries; an event appears a moment after it happened",
    });
  }
}

/** Thrown when a query's filter, page token or range cannot be read. */
export class AuditQueryInvalidError extends CodedError {
  constructor(what: string, hint: string) {
    super("AUDIT_QUERY_INVALID", "invalid", { what, hint });
  }
}
