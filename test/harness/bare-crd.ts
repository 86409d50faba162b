import type { ResourceKind } from '../../operator/runtime/resource-kind.ts'

/** A definition of a kind that takes whatever it is given: for kinds that others bring along, as far as being asked for them goes. */
export function crdOf({ apiVersion, kind, plural }: ResourceKind): string {
  const [group, version] = apiVersion.split('/')
  return `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ${plural}.${group}}
spec:
  group: ${group}
  scope: Namespaced
  names: {kind: ${kind}, plural: ${plural}, singular: ${kind.toLowerCase()}}
  versions:
  - {name: ${version}, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
---
`
}
