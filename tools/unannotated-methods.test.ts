import assert from "node:assert/strict";
import { test } from "node:test";
import { create, setExtension, toBinary } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  type MethodDescriptorProto,
  MethodDescriptorProtoSchema,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { permission, Role } from "../proto/gen/xcloudflow/options/v1/permission_pb.js";
import { findUnannotatedMethods } from "./unannotated-methods.ts";

function method(name: string, annotated: boolean, packageName: string): MethodDescriptorProto {
  const options = create(MethodOptionsSchema, { deprecated: true });
  if (annotated)
    setExtension(options, permission, {
      $typeName: "xcloudflow.options.v1.Permission",
      anyOf: [Role.VIEWER],
      perEnvironment: false,
    });
  const type = `.${packageName}.Empty`;
  return create(MethodDescriptorProtoSchema, { name, inputType: type, outputType: type, options });
}

function describePackage(packageName: string): Uint8Array {
  const file = create(FileDescriptorProtoSchema, {
    name: "a.proto",
    package: packageName,
    syntax: "proto3",
    messageType: [{ name: "Empty" }],
    service: [
      { name: "Service", method: [method("Open", true, packageName), method("Forgotten", false, packageName)] },
    ],
  });
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [file] }));
}

test("a method of ours without a permission annotation is named", () => {
  const methods = findUnannotatedMethods(describePackage("xcloudflow.state.v1"));
  assert.deepEqual(methods, ["xcloudflow.state.v1.Service/Forgotten"]);
});

test("services of others, such as health, are not ours to annotate", () => {
  assert.deepEqual(findUnannotatedMethods(describePackage("grpc.health.v1")), []);
});
