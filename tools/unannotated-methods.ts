import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** Field number of `xcloudflow.options.v1.permission` in google.protobuf.MethodOptions. */
const permissionField = 50810;

/**
 * Names the methods of our own services that carry no permission annotation. Whoever serves them would refuse every
 * caller, so this is a mistake to find before that.
 */
export function findUnannotatedMethods(descriptorSet: Uint8Array): string[] {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
  const methods: string[] = [];
  for (const file of registry.files) {
    if (!file.proto.package.startsWith("xcloudflow.")) continue;
    for (const service of file.proto.service) {
      for (const method of service.method) {
        const options = method.options?.$unknown ?? [];
        if (options.some((field) => field.no === permissionField)) continue;
        methods.push(`${file.proto.package}.${service.name}/${method.name}`);
      }
    }
  }
  return methods;
}
