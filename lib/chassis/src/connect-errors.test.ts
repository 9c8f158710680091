import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { CodedError, type ErrorCategory } from "@xcloudflow/model/coded-error";
import { codeOf, errorDetailOf, fromConnectError, remoteErrorOf, toConnectError } from "./connect-errors.ts";

/** The promise to clients: which status each category has. */
const STATUS: Readonly<Record<ErrorCategory, Code>> = {
  invalid: Code.InvalidArgument,
  notFound: Code.NotFound,
  alreadyExists: Code.AlreadyExists,
  unauthenticated: Code.Unauthenticated,
  forbidden: Code.PermissionDenied,
  denied: Code.FailedPrecondition,
  waiting: Code.FailedPrecondition,
  stale: Code.FailedPrecondition,
  conflict: Code.Aborted,
  exhausted: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  timeout: Code.DeadlineExceeded,
  canceled: Code.Canceled,
  dataLoss: Code.DataLoss,
  internal: Code.Internal,
};

for (const [category, code] of Object.entries(STATUS) as [ErrorCategory, Code][]) {
  test(`${category} travels as ${Code[code]} and comes back as it was`, () => {
    const error = new CodedError("SOME_CODE", category, {
      what: "it broke",
      where: "here",
      hint: "mend it",
      cause: new Error("inside"),
    });
    const wire = toConnectError(error);
    assert.equal(wire.code, code);
    assert.equal(codeOf(category), code);
    assert.doesNotMatch(
      JSON.stringify(wire.details.map((detail) => ("desc" in detail ? detail.value : detail.debug))),
      /inside/,
    );
    const back = fromConnectError(wire);
    assert.deepEqual([back.code, back.category, back.message], ["SOME_CODE", category, error.message]);
    assert.equal(remoteErrorOf(errorDetailOf(error)).message, error.message);
  });
}

test("attaches google.rpc.ErrorInfo, which generic tools print", () => {
  const wire = toConnectError(new CodedError("SOME_CODE", "stale", { what: "it broke", where: "here" }));
  const info = wire.details.find((detail) => "type" in detail && detail.type === "google.rpc.ErrorInfo");
  assert.ok(info !== undefined && "debug" in info);
  assert.deepEqual(info.debug, {
    reason: "SOME_CODE",
    domain: "xcloudflow.io",
    metadata: { category: "stale", where: "here" },
  });
});

test("a bare status becomes an error with a code of its own", () => {
  const error = fromConnectError(new ConnectError("connect ECONNREFUSED", Code.Unavailable));
  assert.deepEqual(
    [error.code, error.category, error.what],
    ["RPC_UNAVAILABLE", "unavailable", "connect ECONNREFUSED"],
  );
  assert.match(error.hint ?? "", /running and reachable/);
  assert.equal(fromConnectError(new ConnectError("", Code.FailedPrecondition)).code, "RPC_FAILED_PRECONDITION");
});
