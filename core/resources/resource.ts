import { z } from 'zod'

export const group = 'carillon.dev'
export const version = 'v1alpha1'
export const apiVersion = `${group}/${version}`

/**
 * RFC 1123 label. Names and namespaces become parts of topic names, where the dot separates (a channel called `email.dlq`
 * would share a topic with the dead letters of `email`), and values of Kubernetes labels, which end at 63 characters.
 */
const labelPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
export const label = () =>
  z
    .string()
    .min(1)
    .max(63)
    .regex(
      labelPattern,
      'must consist of lower case letters, digits and dashes, and start and end with a letter or digit',
    )

/** A map from strings, with a bounded number of entries. */
export function map<V extends z.ZodType>(value: V, limit: number) {
  return z
    .record(z.string().max(317), value)
    .refine((entries) => Object.keys(entries).length <= limit, `must have at most ${limit} entries`)
    .meta({ maxProperties: limit })
}

/** A list whose items are told apart by a property: merged item by item, and no two alike. */
export function listBy<S extends z.ZodType>(item: S, key: string & keyof z.output<S>, limit: number) {
  return z
    .array(item)
    .max(limit)
    .superRefine((items, context) => {
      const seen = new Set<unknown>()
      for (const [index, entry] of items.entries()) {
        const name = (entry as Record<string, unknown>)[key]
        if (seen.has(name))
          context.addIssue({ code: 'custom', message: 'must be unique', path: [index, key] })
        seen.add(name)
      }
    })
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] })
}

/** An object of any shape: data that belongs to the author. */
export const anyObject = () =>
  z.record(z.string(), z.unknown()).meta({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true })

/**
 * What an object of Kubernetes carries, so that the output of `kubectl get -o yaml` is a manifest too. Carillon reads
 * name, namespace, labels and annotations; the rest is the API server's.
 */
const metadata = z.strictObject({
  name: label().describe('Name of the resource, unique in its namespace.'),
  namespace: label().default('default').describe('Namespace of the resource. A namespace is a tenant.'),
  labels: map(z.string().max(63), 100).optional().describe('Labels, to select by.'),
  annotations: map(z.string().max(262_144), 100).optional().describe('Annotations of tools and people.'),
  generateName: z.string().optional(),
  selfLink: z.string().optional(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  generation: z.int().optional(),
  creationTimestamp: z.string().nullable().optional(),
  deletionTimestamp: z.string().nullable().optional(),
  deletionGracePeriodSeconds: z.int().nullable().optional(),
  finalizers: z.array(z.string()).optional(),
  ownerReferences: z.array(z.unknown()).optional(),
  managedFields: z.array(z.unknown()).optional(),
})

/** One kind of resource: `{apiVersion, kind, metadata, spec, status}`. Unknown fields are refused, except in the status. */
export function resourceSchema<const K extends string, Spec extends z.ZodType, Status extends z.ZodType>(
  kind: K,
  spec: Spec,
  status: Status,
) {
  return z.strictObject({
    apiVersion: z.literal(apiVersion).describe('Version of the schema of this resource.'),
    kind: z.literal(kind).describe('Kind of this resource.'),
    metadata: metadata.describe('Name, namespace, labels and annotations.'),
    spec,
    status: status.optional(),
  })
}
