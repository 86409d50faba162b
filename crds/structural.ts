import { z } from 'zod'

/** A structural schema of Kubernetes, as far as ours use it. */
export interface StructuralSchema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  description?: string
  properties?: Record<string, StructuralSchema>
  additionalProperties?: StructuralSchema
  items?: StructuralSchema
  required?: string[]
  enum?: unknown[]
  default?: unknown
  maxLength?: number
  minLength?: number
  maxItems?: number
  minItems?: number
  maxProperties?: number
  minimum?: number
  maximum?: number
  pattern?: string
  format?: string
  'x-kubernetes-validations'?: { rule: string; message: string; fieldPath?: string }[]
  'x-kubernetes-int-or-string'?: boolean
  'x-kubernetes-preserve-unknown-fields'?: boolean
  'x-kubernetes-list-type'?: string
  'x-kubernetes-list-map-keys'?: string[]
}

/** What zod writes and Kubernetes refuses or misreads, put right at one node. */
function normalise(node: Record<string, unknown>): void {
  // Pruning does what it says, and it may not stand beside properties.
  if (node['additionalProperties'] === false) delete node['additionalProperties']
  if (node['x-kubernetes-preserve-unknown-fields'] === true) delete node['additionalProperties']
  // A union would need types inside anyOf, which is forbidden.
  if (node['x-kubernetes-int-or-string'] === true) delete node['anyOf']
  // The bounds of JavaScript's integers, which say nothing.
  if (node['minimum'] === Number.MIN_SAFE_INTEGER) delete node['minimum']
  if (node['maximum'] === Number.MAX_SAFE_INTEGER) delete node['maximum']
  if (node['type'] === 'integer') node['format'] = 'int64'
}

/**
 * The structural schema of a zod schema, as input: with defaults, and required only what has none.
 * See https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
 */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  const emitted = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    override: ({ jsonSchema }) => normalise(jsonSchema as Record<string, unknown>),
  })
  return finish(emitted as StructuralSchema)
}

const keyOrder = [
  'description',
  'type',
  'format',
  'enum',
  'default',
  'required',
  'properties',
  'additionalProperties',
  'items',
]

/** Sets the keys in reading order, and spells out the default of an object that has rules: the API server runs them on it as it stands. */
function finish(node: StructuralSchema): StructuralSchema {
  const { properties, additionalProperties, items } = node
  const rank = (key: string) => (keyOrder.indexOf(key) + keyOrder.length + 1) % (keyOrder.length + 1)
  const finished: StructuralSchema = Object.fromEntries(
    Object.entries(node).toSorted(([a], [b]) => rank(a) - rank(b)),
  )
  if (properties) finished.properties = mapValues(properties, finish)
  if (additionalProperties) finished.additionalProperties = finish(additionalProperties)
  if (items) finished.items = finish(items)
  if (node.default !== undefined && properties && node['x-kubernetes-validations'])
    finished.default = fullDefault(finished)
  return finished
}

function fullDefault({ properties, default: own }: StructuralSchema): unknown {
  if (!properties || own === undefined) return own
  const inner = Object.entries(properties).map(([name, child]) => [name, fullDefault(child)] as const)
  return { ...Object.fromEntries(inner.filter(([, value]) => value !== undefined)), ...(own as object) }
}

function mapValues(
  schemas: Record<string, StructuralSchema>,
  change: typeof finish,
): Record<string, StructuralSchema> {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, change(schema)]))
}

/** The schema with the default of each scalar in the words that describe it: `kubectl explain` shows no other. */
export function withDefaultsTold(schema: StructuralSchema): StructuralSchema {
  const told = structuredClone(schema)
  for (const [, node] of nodes(told)) {
    const { description, default: value } = node
    const isTold = (typeof value === 'string' && value !== '') || ['number', 'boolean'].includes(typeof value)
    if (description !== undefined && isTold)
      node.description = `${description} Defaults to ${value as string}.`
  }
  return told
}

/** Every node of a schema with its path, such as `.spec.providers[].smtp.port`. */
export function* nodes(schema: StructuralSchema, path = ''): Generator<[string, StructuralSchema]> {
  yield [path, schema]
  for (const [name, child] of Object.entries(schema.properties ?? {})) yield* nodes(child, `${path}.${name}`)
  if (schema.items) yield* nodes(schema.items, `${path}[]`)
  if (schema.additionalProperties) yield* nodes(schema.additionalProperties, `${path}.*`)
}
